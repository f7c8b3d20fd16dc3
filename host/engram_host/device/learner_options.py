"""Options of a learner: as a user gives them, and as the board's learner takes them.

The board checks them too: it knows the model and its own memory. What can be told without it is
told here, before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from engram.continual import composition, policies, strategies
from engram.nn import graph, optimisers, steps

from ..errors import InputError

STRATEGIES = strategies.NAMES
OPTIMISERS = optimisers.NAMES
FORMATS = graph.CHOICES
ROUNDINGS = tuple(steps.ROUNDINGS)
POLICIES = policies.NAMES
GOALS = tuple(composition.GOALS)
COMPOSITIONS = composition.COMPOSITIONS
BITS = (3, 8)  # of a stored latent element: fewest, most

_SAME = ({"budget", "budget_bytes"}, {"scope", "depth"})  # options of which one is in force

# Option -> (the value it expects, whether a value is that, an example). NaN is in no range.
_NUMBERS: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "lr": ("a finite learning rate above 0", lambda v: 0 < v < 3e38, "0.03"),
    "lr_decay": ("a share of the learning rate from 0 to 1", lambda v: 0 <= v <= 1, "0.5"),
    "momentum": ("a momentum from 0 to below 1", lambda v: 0 <= v < 1, "0.9"),
    "weight_decay": ("a finite weight decay of 0 or more", lambda v: 0 <= v < 3e38, "0.0001"),
    "clip": ("a finite gradient norm above 0", lambda v: 0 < v < 3e38, "1"),
    "batch": ("a whole number of samples from 1 on", lambda v: v >= 1 and v == int(v), "16"),
    "micro": ("a whole number of samples from 1 on", lambda v: v >= 1 and v == int(v), "4"),
    "epochs": ("a whole number of passes from 1 on", lambda v: v >= 1 and v == int(v), "1"),
    "steps": ("a whole number of steps from 1 on", lambda v: v >= 1 and v == int(v), "800"),
    "skip": ("a share of samples from 0 to below 1", lambda v: 0 <= v < 1, "0.5"),
    "new_share": ("a share of new samples above 0, up to 1", lambda v: 0 < v <= 1, "0.5"),
}

_CHOICES = {
    "strategy": STRATEGIES,
    "policy": POLICIES,
    "optimiser": OPTIMISERS,
    "format": FORMATS,
    "rounding": ROUNDINGS,
    "goal": GOALS,
    "composition": COMPOSITIONS,
}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKM]i?)?(B)?")
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h)?")
_SECONDS = {None: 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_FACTORS = {None: 1, "k": 1000, "K": 1000, "M": 10**6, "ki": 1024, "Ki": 1024, "Mi": 1 << 20}


def budget(text: str | int) -> dict[str, int]:
    """{"budget": latents} of "500", {"budget_bytes": bytes} of "200kB" or "192KiB".

    Raises InputError.
    """
    match = _SIZE.fullmatch(str(text).strip())
    if match and not match[2] and not match[3] and "." not in match[1]:
        return {"budget": int(match[1])}
    if not match or not match[3] or match[2] not in _FACTORS:
        raise InputError(
            f"expected a budget in latents (500) or bytes of flash (200kB, 192KiB), got {text!r}"
        )
    return {"budget_bytes": int(float(match[1]) * _FACTORS[match[2]])}


def size(text: str | int) -> int:
    """Bytes of "64k", "64kB", "64KiB" or "65536". Raises InputError."""
    match = _SIZE.fullmatch(str(text).strip())
    if not match or match[2] not in _FACTORS or not float(match[1]):
        raise InputError(f"expected a size as 64k, 64KiB or 65536 (bytes), got {text!r}")
    return int(float(match[1]) * _FACTORS[match[2]])


def seconds(text: str | float) -> float:
    """Seconds of "2s", "500ms", "5min" or "2". Raises InputError."""
    match = _TIME.fullmatch(str(text).strip())
    if not match or not float(match[1]):
        raise InputError(f"expected a time as 2s, 500ms or 5min, got {text!r}")
    return float(match[1]) * _SECONDS[match[2]]


def assignment(text: str) -> tuple[str, int | float]:
    """("decay", 0.9) of "decay=0.9". Raises InputError."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if name.isidentifier() and equals:
        for kind in (int, float):
            try:
                return name, kind(value)
            except ValueError:
                pass
    raise InputError(f"expected a strategy's option as name=number, got {text!r}")


def shares(value: Any) -> float | list[float]:
    """0.25 of 0.25 and "0.25", [0.1, 1.0] of "0.1:1" and of a pair: structures to keep.

    Raises InputError.
    """
    parts = value.split(":") if isinstance(value, str) else value
    try:
        numbers = [float(part) for part in (parts if isinstance(parts, Sequence) else [parts])]
        low, high = numbers[0], numbers[-1]
        if len(numbers) > 2 or not 0 <= low <= high <= 1 or high == 0:
            raise ValueError
    except (TypeError, ValueError, IndexError):
        raise InputError(
            "--keep: expected a share of structures above 0 and at most 1, or the least and the "
            f"most, got {value!r}; give --keep 0.25 or --keep 0.1:1"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def check_number(name: str, value: Any) -> None:
    """Raises InputError where an option of _NUMBERS has a value that it cannot have."""
    expected, condition, example = _NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not condition(value):
        flag = f"--{name.replace('_', '-')}"
        raise InputError(f"{flag}: expected {expected}, got {value!r}; give {flag} {example}")


def check_budget(options: dict[str, Any]) -> None:
    """Raises InputError where nothing may stay in the store of a strategy that replays.

    options: all of a learner's, as the board has them; the strategy is replay without one.
    """
    strategy = options.get("strategy", "replay")
    name = next((key for key in ("budget", "budget_bytes") if options.get(key) == 0), None)
    if name and strategies.strategy_class(strategy).REPLAY:
        raise InputError(
            f"--budget: expected room for at least 1 latent, as the strategy {strategy} replays "
            "them, got 0; give --budget 500, or --strategy finetune, which forgets"
        )


def for_board(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are not None, by the names that the board's learner has.

    strategy_options: a dict, or assignments as texts. Raises InputError.
    """
    values = {key: value for key, value in options.items() if value is not None}
    for name, names in _CHOICES.items():
        if name in values and values[name] not in names:
            raise InputError(f"expected a {name} of {', '.join(names)}, got {values[name]!r}")
    if "scope" in values and "depth" in values:
        raise InputError(
            f"expected a scope or a depth, got both; depth {values['depth']} is the scope "
            f"last:{values['depth']}"
        )
    bits = values.get("bits")
    if bits is not None and not BITS[0] <= bits <= BITS[1]:
        raise InputError(f"expected latents of {BITS[0]} to {BITS[1]} bits, got {bits!r}")
    for name in _NUMBERS.keys() & values.keys():
        check_number(name, values[name])
    if "keep" in values:
        values["keep"] = shares(values["keep"])
    if "budget" in values:
        values.update(budget(values.pop("budget")))
    extras = values.pop("strategy_options", None)
    if extras:
        pairs = extras.items() if isinstance(extras, dict) else map(assignment, extras)
        values["strategy_options"] = dict(pairs)
    return values


def merged(now: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The options in force after `changes` came to those of `now`, both as the board has them.

    Another strategy leaves the old one's own options behind, another goal what mini-batches were
    made of; of options that say the same in two ways the one that comes replaces the other.
    """
    result = dict(now)
    if "goal" in changes:
        for name in ("composition", "new_share"):
            result.pop(name, None)
    if "strategy" in changes and changes["strategy"] != now.get("strategy"):
        result.pop("strategy_options", None)
    for same in _SAME:
        if same & changes.keys():
            for name in same:
                result.pop(name, None)
    return {**result, **changes}

"""A search from files to a report: the model, the data, the board and the limits come together."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from engram.errors import DataError
from engram.nn.model import ModelSpec

from ..learning import streams
from ..planning.room import Facts
from ..samples import Input, Samples
from .feasible import Costs, Limits, refusal
from .front import hypervolume
from .space import DIMENSIONS, FORMATS, Point, Space
from .study import Choice, Study, Tried, pareto
from .trial import Data, Trials, groups_of, parts

TRIALS = 100
_SHOWN = 12  # points in a table


class Wish(NamedTuple):
    """A search as a user asks for it.

    options: of the learner; one that is a dimension is fixed. source, test: samples as the
    user named them, port: where the board is; all of them for commands.
    """

    model: Path
    source: str
    test: str | None
    board: Facts
    port: str
    limits: Limits
    options: Mapping[str, Any]
    sessions: str | None = None
    known_first: bool = False
    known: int | None = None
    trials: int = TRIALS
    minutes: float | None = None
    seed: int = 1
    storage: Path | None = None


class Setup(NamedTuple):
    """All that trials and their costs need. wish: with the sessions that the samples are cut into.
    rest: options of the learner that no dimension chooses."""

    wish: Wish
    spec: ModelSpec
    data: Data
    costs: Costs
    trials: Trials
    rest: dict[str, Any]


def setup(wish: Wish, samples: Samples, test: Samples | None) -> Setup:
    """Raises InputError, and what a learner of such options raises."""
    with open(wish.model, "rb") as stream:
        spec = ModelSpec(stream)
    rest = {name: value for name, value in wish.options.items() if name not in DIMENSIONS}
    if wish.sessions is None:
        known = spec.known if wish.known is None else wish.known
        cut = groups_of(samples.labels, known)
        if cut:
            wish = wish._replace(
                sessions=",".join(map(streams.group_name, cut)), known_first=True
            )
    groups = streams.groups(wish.sessions) if wish.sessions else []
    data = parts(wish.model, samples, test, groups, wish.known_first, wish.known, wish.seed)
    costs = Costs(wish.model, wish.board, wish.limits, data.most_new, rest)
    return Setup(wish, spec, data, costs, Trials(wish.model, data, rest, wish.seed), rest)


def run_of(trials: Trials, costs: Costs) -> Callable[[Point], float]:
    """The accuracy of a point, run as the board runs it."""
    return lambda point: trials.accuracy(point, costs.micro(point))


def space_of(spec: ModelSpec, fixed: Mapping[str, Any], costs: Costs) -> tuple[Space, list[str]]:
    """The points of a search, and why each number format is left out that no learner of such
    options has. Raises DataError where none is left."""
    space, reasons = Space(spec, fixed), []
    for form in space.choices["format"]:
        try:
            costs.check(form, fixed.get("scope"))
        except DataError as error:
            reasons.append((form, error))
    refused = [form for form, _ in reasons]
    left = tuple(form for form in space.choices["format"] if form not in refused)
    if not left:
        raise reasons[0][1]
    space.choices["format"] = left
    return space, [f"{form}: {error}" for form, error in reasons]


def searched(
    wish: Wish, samples: Samples, test: Samples | None, on_trial: Callable[[Tried], None]
) -> dict[str, Any]:
    """The report of a search: what was tried, the Pareto front, a command for each of its points.

    Raises InputError, and what a learner of such options raises.
    """
    wish, spec, data, costs, trials, rest = setup(wish, samples, test)
    fixed = {name: wish.options[name] for name in DIMENSIONS if name in wish.options}
    space, left_out = space_of(spec, fixed, costs)
    study = Study(
        space, costs, run_of(trials, costs), seed=wish.seed,
        name=_name(wish, space, data, rest), storage=wish.storage,
    )  # fmt: skip
    outcome = study.run(wish.trials, wish.minutes, on_trial)
    before = trials.before()
    ends = [end for end in pareto(outcome.tried, study.limits) if end[1].accuracy > before]
    rows = [row_of(wish, choice, rest) for _, choice in ends]
    shown = spread([(values[0] - before, *values[1:]) for values, _ in ends], _SHOWN)
    nearest = outcome.nearest
    return {
        "model": spec.name,
        "board": wish.board["name"],
        "before": before,
        "limits": wish.limits._asdict(),
        "objectives": ["accuracy", *study.limits],
        "choices": {name: list(values) for name, values in space.choices.items()},
        "left_out": left_out,
        "points": outcome.points,
        "fitting": outcome.fitting,
        "grid": outcome.grid,
        "refused": outcome.refused,
        "trained": outcome.trained,
        "tried": [
            {**one.point, "accuracy": one.accuracy, **one.ways[0]._asdict()}
            for one in outcome.tried
        ],
        "front": rows,
        "shown": shown,
        "not_counted": sorted(costs.not_counted),
        "hypervolume": hypervolume([values for values, _ in ends]),
        "samples": {"memory": len(data.memory), "sessions": [len(p) for p in data.sessions],
                    "test": len(data.test)},
        "push": push_command(wish),
        "nearest": None if nearest is None else {**nearest[0], "refusal": refusal(nearest[1])},
        "sources": {"accuracy": "host", "ram": "model", "flash": "model", "time": "model"},
    }  # fmt: skip


def input_of(path: Path) -> Input:
    """The input of a model file."""
    with open(path, "rb") as stream:
        spec = ModelSpec(stream)
    return Input(spec.input_elems, spec.graph["input"]["dtype"], spec.front_end or "")


def push_command(wish: Wish) -> str:
    """The line that puts the model on the board."""
    return shlex.join(["engram", "push", "model", str(wish.model), "--port", wish.port])


def row_of(wish: Wish, choice: Choice, rest: Mapping[str, Any]) -> dict[str, Any]:
    """A choice as plain values, with its command."""
    row = {**choice.point, "accuracy": choice.accuracy, **choice.way._asdict()}
    return {**row, "command": command(wish, choice, rest)}


def command(wish: Wish, choice: Choice, rest: Mapping[str, Any]) -> str:
    """The line that learns so on the board."""
    point, words = choice.point, ["engram", "learn", wish.source]
    if wish.sessions is not None:
        words += ["--sessions", wish.sessions]
        words += ["--known-first"] if wish.known_first else []
        words += [] if wish.test is None else ["--test", wish.test]
        words += ["--fresh"]
    options = {**rest, **FORMATS[point["format"]]}
    options |= {name: point[name] for name in ("scope", "bits", "budget", "batch")}
    options |= {"micro": choice.way.micro, "steps": point["steps"], "seed": wish.seed}
    if choice.way.recompute:
        options["recompute"] = ",".join(choice.way.recompute)
    if wish.known is not None:
        options["known"] = wish.known
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, "--port", wish.port])


def spread(values: Sequence[tuple[float, ...]], count: int) -> list[int]:
    """Places of the points that together span the most volume, each the best beside those before
    it; in the order of the front."""
    chosen: list[int] = []
    while len(chosen) < min(count, len(values)):
        rest = [i for i in range(len(values)) if i not in chosen]
        chosen.append(
            max(rest, key=lambda i: hypervolume([values[j] for j in (*chosen, i)]))
        )
    return sorted(chosen)


def _name(wish: Wish, space: Space, data: Data, rest: Mapping[str, Any]) -> str:
    """The study's name: a checksum of all that decides what a trial finds."""
    about = [
        crc32(wish.model.read_bytes()), space.choices, wish.limits, wish.board["name"], wish.seed,
        sorted(rest.items()), wish.known,
        [crc32(part.x.tobytes() + part.y.tobytes())
         for part in (data.memory, *data.sessions, data.test)],
    ]  # fmt: skip
    return f"engram-{crc32(json.dumps(about, sort_keys=True, default=str).encode()):08x}"

"""The attributes of a node as people write them, and as the table of ops takes them.

kernel, stride, dilation   one integer, or [height, width]
pad                        [top, left, bottom, right]; [height, width], on both sides; one
                           integer, on all sides; "valid", none; "same": as much as makes the
                           output ceil(input / stride) long, the odd row or column behind
slope                      a number
out                        the shape of the output, where inputs and weights do not say it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engram.errors import ModelError
from engram.nn import geometry, ops

Entry = dict[str, Any]

PADS = ("same", "valid")
_WINDOW = ("kernel", "stride", "pad", "dilation")
_BY_RULE: dict[Callable[..., Any], tuple[str, ...]] = {
    geometry.window: _WINDOW,
    geometry.transposed: _WINDOW,
    geometry.pad: ("pad",),
}
_COMMON = ("name", "op", "in", "out", "relu")


def names(op: str) -> tuple[str, ...]:
    """The attributes that an op of the table reads."""
    slope = ("slope",) if any(" slope" in row for row in ops.OPS[op][3]) else ()
    return _BY_RULE.get(ops.OPS[op][0], ()) + slope


def check_keys(entry: Entry) -> None:
    """Raises ModelError, naming keys of a node that its op does not read."""
    op = entry["op"]
    own = [word.split(":")[0] for word in ops.OPS[op][1].split()]
    refuse_unknown(f"node {entry['name']} ({op})", entry, (*_COMMON, *own, *names(op)))


def refuse_unknown(place: str, entry: Iterable[str], known: Iterable[str]) -> None:
    """Raises ModelError where an entry of the graph has keys that are not among the known ones."""
    known = set(known)
    unknown = sorted(set(entry) - known)
    if unknown:
        raise ModelError(
            f"{place}: expected keys of {', '.join(sorted(known))}; got {', '.join(unknown)}; "
            "remove or rename what the op does not read"
        )


def normalised(entry: Entry, kernel: list[int] | None, shape: tuple[int, ...]) -> Entry:
    """{attribute: value} of a node as the table of ops takes it.

    kernel: as the weights say it, None without. shape: of the larger side, [H, W, C]: the input,
    of a transposed convolution the output. Raises ModelError.
    """
    known = names(entry["op"])
    own = {key: entry[key] for key in known if key in entry}
    for key in ("kernel", "stride", "dilation"):
        if key in own:
            own[key] = _pair(key, own[key])
    if kernel is not None and own.setdefault("kernel", kernel) != kernel:
        raise ModelError(
            f"expected the kernel {kernel}, as the weights have it, got {own['kernel']} in the "
            "graph; leave it out"
        )
    if "kernel" in own:
        own.setdefault("stride", [1, 1])
        own.setdefault("pad", [0, 0, 0, 0])
    elif "kernel" in known:
        raise ModelError("expected a kernel, got none; give kernel: [height, width]")
    if "pad" in own:
        own["pad"] = _pad(own["pad"], own, shape)
    return {key: own[key] for key in (*_WINDOW, "slope") if key in own}


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _pair(key: str, value: Any) -> list[int]:
    pair = [value, value] if isinstance(value, int) else value
    if not (isinstance(pair, list) and len(pair) == 2 and all(_is_count(n, 1) for n in pair)):
        raise ModelError(f"expected {key} as an integer above 0 or [height, width], got {value!r}")
    return pair


def _pad(value: Any, own: Mapping[str, Any], shape: tuple[int, ...]) -> list[int]:
    sides = {int: lambda: [value] * 4, list: lambda: value * 2 if len(value) == 2 else value}
    if value == "valid":
        return [0, 0, 0, 0]
    if value == "same" and "kernel" in own and len(shape) == 3:
        dilation = own.get("dilation", [1, 1])
        ends = [_same(*axis) for axis in zip(shape, own["kernel"], own["stride"], dilation)]
        return [before for before, _ in ends] + [behind for _, behind in ends]
    pad = sides[type(value)]() if type(value) in sides else None
    if pad is None or len(pad) != 4 or not all(_is_count(n, 0) for n in pad):
        raise ModelError(
            "expected pad as [top, left, bottom, right], [height, width], an integer, "
            f'"same" or "valid", got {value!r}'
        )
    return pad


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and behind an axis."""
    reach = dilation * (kernel - 1) + 1
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return total // 2, total - total // 2

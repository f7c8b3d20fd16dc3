"""The natural sizes of a kernel's call, and the products of them that its work grows with.

A call is known by its arguments, real ones or those of a program's row (nn/program.py); their
names and sizes stand in the kernel's row of demands (engram.kernels.demands), so that a new kernel
is sized without a word here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from engram.kernels.demands import ROWS, parsed
from engram.nn.names import KNOWN

_GEOM = "geom"  # the argument
_GEOMETRY = ("H", "W", "C", "K", "R", "S")  # the first entries of geom; OH and OW are its last
_AXIS = (0, 4, 6, 8, 10, 12)  # of geom: size, taps, stride, padding, dilation, outputs down

# Integer arguments of a kernel, or the kind of its geometry -> products that its work grows with;
# the last is its multiply-accumulates. What is not here grows with its buffers. TH and TW are the
# taps of all windows, down and across, that lie inside the input: padding costs nothing.
_TERMS = {
    "geom": ("B*H*W*C", "B*OH*OW*K", "K*R*S*C", "B*TH*TW*K", "B*TH*TW*K*C"),
    "channelwise": ("C*R*S", "B*H*W*C", "B*OH*OW*C", "B*TH*TW*C"),
    "B N M": ("B*N", "B*M", "N*M", "B*N*M"),
    "B K": ("B", "B*K"),
    "B M": ("B", "B*M"),
    "B P M": ("B*M", "B*P*M"),
    "B N": ("B", "B*N"),
    "P C": ("P", "C", "P*C"),
    "B P C": ("B*C", "B*P*C"),
    "P M N to at C": ("P", "P*C"),
    "P M N": ("P", "P*M"),
    "B H W C OH OW top left": ("B*H", "B*H*W*C", "B*OH*OW*C"),
}
# More of them for kernels of q8, in the same kinds: what is done once a window or an input pixel,
# the packing of bytes, which B samples share, and what goes one by one where channels are `few`,
# less than the four that lie in a word.
_MORE_OF_Q8 = {
    "geom": ("B*OH*OW", "B*TH*TW*C", "TH*TW*K*C", "K*R*S*few", "B*TH*TW*K*few"),
    "channelwise": ("B*H*W", "B*OH*OW", "B*TH*TW"),
}
_FEW = 4
STEP = "step"  # no kernel: what a training step does outside of them
# These read the batch of the settings and, of the flash, the latents; nothing else.
_OWN_TERMS = {
    "draw_batch": ("batch",),
    "gather_latents": ("rows", "size", "size*bits"),
    "gather_codes": ("rows", "size", "size*bits"),
    "clear_q8": ("any",),  # the numbers of its records
    "follow_q8": ("any",),
    STEP: ("micros", "rows"),
}


@cache
def _arguments(kernel: str) -> list[tuple[str, str, str, str]]:
    return parsed(ROWS[kernel])[0]


@cache
def terms(kernel: str) -> tuple[str, ...]:
    """The products that a kernel's work grows with, as texts; the last is the largest."""
    if kernel in _OWN_TERMS:
        return _OWN_TERMS[kernel]
    arguments = _arguments(kernel)
    own = _TERMS.get(kind(arguments))
    if own:
        return (_MORE_OF_Q8.get(kind(arguments), ()) if kernel.endswith("_q8") else ()) + own
    lengths = (size for _, letter, size, _ in arguments if letter in "FBfb" and size != "any")
    return tuple(dict.fromkeys(size for size in lengths if size.isidentifier())) or ("1",)


def kind(arguments: Sequence[tuple[str, str, str, str]]) -> str:
    """The kind of kernel that has such arguments: of geometry, else the names of integers."""
    if all(name != _GEOM for name, _, _, _ in arguments):
        return " ".join(name for name, letter, _, _ in arguments if letter == "i")
    sizes_of = {word for _, _, size, _ in arguments for word in size.split("*")}
    return "geom" if "K" in sizes_of else "channelwise"


@cache
def names(kernel: str) -> list[str]:
    """The sizes that terms(kernel) name, sorted."""
    words = {word for text in terms(kernel) for word in text.split("*")}
    return sorted(word for word in words if not word.isdigit())


def sizes(kernel: str, args: Sequence[Any], known: int = 0) -> dict[str, int]:
    """{name: value} of the sizes of a call.

    args: of a row, where a window is (buffer, first, elements, elements per class), or real ones.
    known: classes in use.
    """
    return dict(_sizes(kernel, args, known))


def _sizes(kernel: str, args: Sequence[Any], known: int) -> Iterator[tuple[str, int]]:
    for (name, letter, size, _), arg in zip(_arguments(kernel), args):
        if letter == "i":
            yield name, known if arg is KNOWN or arg == KNOWN else arg
        elif name == _GEOM:
            yield from zip(_GEOMETRY, arg)
            yield from (("OH", arg[12]), ("OW", arg[13]))
            yield "few", arg[2] if arg[2] < _FEW else 0
            for axis, name in enumerate(("TH", "TW")):
                size, taps, stride, pad, dilation, out = (arg[i + axis] for i in _AXIS)
                yield name, _inside(size, taps, stride, pad, dilation, out)
        elif size == "entries":  # one per value that so many bits have
            yield "bits", len(arg).bit_length() - 1
        elif size.isidentifier() and arg is not None:
            yield size, _length(arg, known)


def _inside(size: int, taps: int, stride: int, pad: int, dilation: int, out: int) -> int:
    """Taps of the windows along an axis that lie inside the input."""
    starts = (at * stride - pad for at in range(out))
    return sum(0 <= start + tap * dilation < size for start in starts for tap in range(taps))


def _length(arg: Any, known: int) -> int:
    if not isinstance(arg, tuple):
        return len(arg)
    _, _, elems, per_class = arg
    return per_class * known if per_class else elems


def values(kernel: str, of: dict[str, int]) -> list[int]:
    """The values of terms(kernel) for sizes of a call, behind a 1 for the call itself."""
    return [1] + [_product(text, of) for text in terms(kernel)]


def _product(text: str, of: dict[str, int]) -> int:
    n = 1
    for name in text.split("*"):
        n *= int(name) if name.isdigit() else of[name]
    return n

"""Shapes that hypothesis thinks of, and a kernel held to its definition on one of them."""

from array import array

import kernels_check as cases
from hypothesis import settings
from hypothesis import strategies as st

from engram.kernels import python as definition

SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)


@st.composite
def geometries(draw, dilation=3):
    """A valid geom as a tuple: every window starts inside the padded input."""

    def axis(size, taps):
        dil = draw(st.integers(1, dilation))
        stride = draw(st.integers(1, 3))
        pad = draw(st.integers(0, (taps - 1) * dil))
        out = draw(st.integers(1, (size - 1 + pad) // stride + 1))
        return stride, pad, dil, out

    H, W = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    channels, filters = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    R, S = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    (sh, pt, dh, OH), (sw, pl, dw, OW) = axis(H, R), axis(W, S)
    return H, W, channels, filters, R, S, sh, sw, pt, pl, dh, dw, OH, OW


@st.composite
def frames(draw):
    """B H W C OH OW top left of images inside padded ones."""
    B, H, W, C = (draw(st.integers(0, 4)) for _ in range(4))
    top, bottom, left, right = (draw(st.integers(0, 3)) for _ in range(4))
    return B, H, W, C, top + H + bottom, left + W + right, top, left


def copies(args):
    return [
        array(a.typecode, a) if isinstance(a, array) else bytearray(a) if hasattr(a, "hex") else a
        for a in args
    ]


def held_to_the_definition(kernels, builder, written, shape):
    args = list(builder(cases.Source(True), *shape))
    other = copies(args)
    getattr(kernels, builder.__name__)(*args)
    getattr(definition, builder.__name__)(*other)
    for i in range(written):
        assert bytes(args[i]) == bytes(other[i]), builder.__name__

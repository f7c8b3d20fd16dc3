"""The rows of the benchmark of integer training: a layer's passes in float32 and in q8.

Runs on a board too, one case at a time.
"""

import gc
from array import array
from binascii import crc32

import cases
from kernels_source import Source, sizes

DENSE, LARGE = (256, 10), (64, 64)
POINTWISE = (8, 8, 64, 64, 1, 1, 1, 1, 0, 0, 1, 1, 8, 8)
CONV = (14, 14, 16, 32, 3, 3, 1, 1, 1, 1, 1, 1, 14, 14)
DEPTHWISE = (8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 8, 8)

# layer as it is told, family of its kernels, shape behind the batch, batches
LAYERS = (
    ("dense 256-10", "dense", DENSE, (1, 4, 16)),
    ("dense 64-64", "dense", LARGE, (1, 4, 16)),
    ("pointwise 8x8x64-64", "conv2d", POINTWISE, (1,)),
    ("conv 3x3 14x14x16-32", "conv2d", CONV, (1,)),
    ("depthwise 3x3 8x8x64", "depthwise", DEPTHWISE, (1,)),
)
PASSES = ("fwd", "bwd_dx", "step")


def record(exponent):
    return array("i", (exponent, 0, 0, 0, 0, 1234567))


def _right(n):
    """Shift that brings sums of n products of any bytes to values, few of them clamped."""
    right = 7
    while n > 0:
        right, n = right + 1, n >> 2
    return right


def elements(family, B, shape):
    """Elements of x, out and w, and of the bias; products in a sum of each pass."""
    if family == "dense":
        N, M = shape
        return B * N, B * M, M * N, M, (N, M, B)
    x, out, w, K = sizes(shape, B)
    taps = shape[4] * shape[5]
    places = B * shape[12] * shape[13]
    if family == "depthwise":
        return x, out, w // K, K, (taps, taps, places)
    return x, out, w, K, (taps * shape[2], taps * K, places)


def q8(which, family, B, shape):
    """(kernel, its arguments, written buffers)"""
    s = Source(True)
    x, out, w, K, terms = elements(family, B, shape)
    end = (B,) + shape if family == "dense" else (array("i", shape), B)
    right = _right(terms[PASSES.index(which)])
    name = f"{family}_{which}_q8"
    if which == "fwd":
        values = s.b(out), record(12 - right), s.b(x), record(5), s.b(w), record(7)
        return name, values + (s.l(K, -(1 << 20), 1 << 20),) + end, 2
    if which == "bwd_dx":
        return name, (s.b(x), record(17 - right), s.b(out), record(10), s.b(w), record(7)) + end, 2
    rates = array("i", (77, right + 3, 0))
    values = s.b(w), s.b(w), record(7), s.l(K, -(1 << 20), 1 << 20)
    return name, values + (s.b(out), record(10), s.b(x), record(5), rates) + end, 4


def f32(which, family, B, shape):
    """The same; a step is the gradient of weights and what makes a step of it."""
    s = Source(True)
    which = "bwd_dw" if which == "step" else which
    kernel = f"{family}_{which}"
    return kernel, getattr(cases, kernel)(s, B, *shape), 2 if which == "bwd_dw" else 1


def sgd(family, B, shape):
    s = Source(True)
    w = elements(family, B, shape)[2]
    return "sgd_plain", (s.f(w), s.f(w), array("f", (0.125, 0.25))), 1


def spent(kernels, made):
    """Instructions of a kernel, shape checks included, and the CRCs of what it wrote."""
    name, args, written = made
    gc.collect()
    before = kernels.spent()
    getattr(kernels, name)(*args)
    after = kernels.spent()
    return (after - before) % (1 << 30), crcs(args, written)


def crcs(args, written):
    return ["%08x" % (crc32(memoryview(a)) & 0xFFFFFFFF) for a in args[:written]]


def count(layer, B, which):
    """Prints the instructions in float32 and in q8, then the CRCs of what was written in q8."""
    import _engram as kernels

    _, family, shape, _ = LAYERS[layer]
    n = spent(kernels, f32(which, family, B, shape))[0]
    if which == "step":
        n += spent(kernels, sgd(family, B, shape))[0]
    m, written = spent(kernels, q8(which, family, B, shape))
    print(n, m, *written)

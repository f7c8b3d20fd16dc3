"""The rows of the benchmark: what is run, in which build, and how many products it is.

Runs on a board too. A case's arguments come from the same generator on board and host, so that
the host can compute what must come out without a byte of it crossing the line.
"""

from array import array
from binascii import crc32

from kernels_source import Source, sizes

POINTWISE = (8, 8, 64, 64, 1, 1, 1, 1, 0, 0, 1, 1, 8, 8)
CONV = (8, 8, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 8, 8)
FIRST = (28, 28, 1, 8, 3, 3, 1, 1, 1, 1, 1, 1, 28, 28)
DEPTHWISE = (8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 8, 8)


def requantization(s, n, shift):
    """Multipliers that bring sums of such a size to int8; zero points; no clamp but int8."""
    mult = s.l(n, 1 << 30, 2147483647)
    return s.l(n, -5000, 5000), mult, array("i", (shift for _ in range(n)))


def _q():
    return array("i", (-5, 3, -128, 127))


def dense_s8(s, B, N, M):
    return (s.b(B * M), s.b(B * N), s.b(M * N)) + requantization(s, M, -11) + (_q(), B, N, M)


def conv2d_s8(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return (s.b(out), s.b(x), s.b(w)) + requantization(s, K, -10) + (array("i", geom), _q(), B)


def depthwise_s8(s, B, *geom):
    x, out, w, C = sizes(geom, B)
    return (s.b(out), s.b(x), s.b(w // C)) + requantization(s, C, -8) + (array("i", geom), _q(), B)


def dense_fwd(s, B, N, M):
    return s.f(B * M), s.f(B * N), s.f(M * N), s.f(M), B, N, M


def dense_bwd_dx(s, B, N, M):
    return s.f(B * N), s.f(B * M), s.f(M * N), B, N, M


def dense_bwd_dw(s, B, N, M):
    return s.f(M * N), s.f(M), s.f(B * M), s.f(B * N), B, N, M


def conv2d_fwd(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(out), s.f(x), s.f(w), s.f(K), array("i", geom), B


def conv2d_bwd_dx(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(x), s.f(out), s.f(w), array("i", geom), B


def conv2d_bwd_dw(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(w), s.f(K), s.f(out), s.f(x), array("i", geom), B


def depthwise_fwd(s, B, *geom):
    x, out, w, C = sizes(geom, B)
    return s.f(out), s.f(x), s.f(w // C), s.f(C), array("i", geom), B


def depthwise_bwd_dx(s, B, *geom):
    x, out, w, C = sizes(geom, B)
    return s.f(x), s.f(out), s.f(w // C), array("i", geom), B


def depthwise_bwd_dw(s, B, *geom):
    x, out, w, C = sizes(geom, B)
    return s.f(w // C), s.f(C), s.f(out), s.f(x), array("i", geom), B


# name, builder, written buffers, shape as the builder takes it, shape as it is told
F32 = (
    ("f32_dense_fwd", dense_fwd, 1, (1, 256, 32), "256-32 B1"),
    ("f32_dense_bwd_dx", dense_bwd_dx, 1, (1, 256, 32), "256-32 B1"),
    ("f32_dense_bwd_dw", dense_bwd_dw, 2, (1, 256, 32), "256-32 B1"),
    ("f32_matmul", dense_fwd, 1, (16, 64, 64), "16x64x64"),
    ("f32_pointwise_fwd", conv2d_fwd, 1, (1,) + POINTWISE, "8x8x64-64"),
    ("f32_pointwise_bwd_dx", conv2d_bwd_dx, 1, (1,) + POINTWISE, "8x8x64-64"),
    ("f32_pointwise_bwd_dw", conv2d_bwd_dw, 2, (1,) + POINTWISE, "8x8x64-64"),
    ("f32_conv3x3_fwd", conv2d_fwd, 1, (1,) + CONV, "8x8x32-32"),
    ("f32_conv3x3_bwd_dx", conv2d_bwd_dx, 1, (1,) + CONV, "8x8x32-32"),
    ("f32_conv3x3_bwd_dw", conv2d_bwd_dw, 2, (1,) + CONV, "8x8x32-32"),
    ("f32_depthwise3x3_fwd", depthwise_fwd, 1, (1,) + DEPTHWISE, "8x8x64"),
    ("f32_depthwise3x3_bwd_dx", depthwise_bwd_dx, 1, (1,) + DEPTHWISE, "8x8x64"),
    ("f32_depthwise3x3_bwd_dw", depthwise_bwd_dw, 2, (1,) + DEPTHWISE, "8x8x64"),
)
S8 = (
    ("s8_pointwise_fwd", conv2d_s8, 1, (1,) + POINTWISE, "8x8x64-64"),
    ("s8_conv3x3_fwd", conv2d_s8, 1, (1,) + CONV, "8x8x32-32"),
    ("s8_conv3x3_fwd", conv2d_s8, 1, (1,) + FIRST, "28x28x1-8"),
    ("s8_depthwise3x3_fwd", depthwise_s8, 1, (1,) + DEPTHWISE, "8x8x64"),
    ("s8_dense_fwd", dense_s8, 1, (1, 256, 64), "256-64"),
    ("s8_dense_fwd", dense_s8, 1, (1, 256, 32), "256-32"),
)
CASES = F32 + S8


def kernel_of(case):
    return case[1].__name__


def macs(case):
    """Products of the layer as if there were no padding."""
    name, _, _, shape, _ = case
    if len(shape) == 3:
        B, N, M = shape
        return B * N * M
    B, _, _, C, K, R, S = shape[:7]
    return B * shape[13] * shape[14] * R * S * K * (1 if "depthwise" in name else C)


def arguments(case):
    return case[1](Source(True), *case[3])


def crcs(case, args):
    """The CRC of each buffer that the kernel wrote."""
    return ["%08x" % (crc32(memoryview(a)) & 0xFFFFFFFF) for a in args[: case[2]]]

"""What the kernels of int8 demand of their arguments."""

from .need import (
    buffer,
    channel_ranges,
    channels,
    entry,
    expect,
    frame,
    geometry,
    ints,
    quantization,
    same,
    scale_and_zero,
)


def conv2d_t_s8(out, x, w, bias, mult, shift, geom, q, B):
    kernel = "conv2d_t_s8"
    ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry(kernel, geom)
    buffer(kernel, "B", "out", out, B * H * W * C)
    buffer(kernel, "b", "x", x, B * OH * OW * K)
    buffer(kernel, "b", "w", w, C * R * S * K)
    channels(kernel, bias, mult, shift, C)
    return tuple(geom), quantization(kernel, q)


def maxpool_s8(out, x, geom, q, B):
    kernel = "maxpool_s8"
    ints(kernel, ("B", B, 0))
    H, W, C, _, _, _, _, _, _, _, _, _, OH, OW = geometry(kernel, geom, True)
    buffer(kernel, "B", "out", out, B * OH * OW * C)
    buffer(kernel, "b", "x", x, B * H * W * C)
    return tuple(geom), quantization(kernel, q)


# Of add_s8's q: the least and largest an entry may be; act_max is at least act_min.
_ZERO, _MULT, _RIGHT = (-128, 127), (0, 2147483647), (-31, 0)
_ADD = (_ZERO, _ZERO, _ZERO, _ZERO, _ZERO, (0, 20), _MULT, _RIGHT, _MULT, _RIGHT, _MULT, _RIGHT)


def add_s8(out, a, b, q):
    n = same("add_s8", ("B", "out", out), ("b", "a", a), ("b", "b", b))
    buffer("add_s8", "l", "q", q, 12)
    for i in range(12):
        low, high = _ADD[i]
        entry("add_s8", "q", q, i, q[3] if i == 4 else low, high)
    return n, tuple(q)


def requantize_s8(out, x, mult, shift, q):
    kernel = "requantize_s8"
    n = same(kernel, ("B", "out", out), ("b", "x", x))
    buffer(kernel, "l", "mult", mult, 1)
    buffer(kernel, "l", "shift", shift, 1)
    entry(kernel, "mult", mult, 0, 0, 2147483647)
    entry(kernel, "shift", shift, 0, -31, 30)
    return n, quantization(kernel, q)


def lookup_s8(out, x, table):
    n = same("lookup_s8", ("B", "out", out), ("b", "x", x))
    buffer("lookup_s8", "b", "table", table, 256)
    return n


def softmax_s8(out, x, table, B, K):
    kernel = "softmax_s8"
    ints(kernel, ("B", B, 0), ("K", K, 1))
    expect(kernel, "K", K <= 4095, "at most 4095 classes")
    buffer(kernel, "B", "out", out, B * K)
    buffer(kernel, "b", "x", x, B * K)
    buffer(kernel, "l", "table", table, 256)
    for i in range(256):
        entry(kernel, "table", table, i, 0 if i else 2147483647, 2147483647)


def copy_s8(out, x):
    return same("copy_s8", ("B", "out", out), ("b", "x", x))


def copy_channels_s8(out, x, P, M, N, to, at, C):
    kernel = "copy_channels_s8"
    channel_ranges(kernel, P, M, N, to, at, C)
    buffer(kernel, "B", "out", out, P * M)
    buffer(kernel, "b", "x", x, P * N)


def pad_s8(out, x, value, B, H, W, C, OH, OW, top, left):
    kernel = "pad_s8"
    frame(kernel, B, H, W, C, OH, OW, top, left)
    buffer(kernel, "B", "out", out, B * OH * OW * C)
    buffer(kernel, "b", "x", x, B * H * W * C)
    buffer(kernel, "b", "value", value, 1)


def _bits(kernel, bits):
    ints(kernel, ("bits", bits, 1))
    expect(kernel, "bits", bits <= 8, "a number of bits from 1 to 8")


def packed_bytes(n, bits):
    ints("packed_bytes", ("n", n, 0))
    _bits("packed_bytes", bits)


def pack_s8(out, x, bits):
    _bits("pack_s8", bits)
    size = buffer("pack_s8", "B", "out", out)
    n = buffer("pack_s8", "b", "x", x)
    right = (n * bits + 7) // 8 == size
    expect("pack_s8", "x", right, "as many elements as fill out at this number of bits")
    return n


def unpack_s8(out, x, bits):
    _bits("unpack_s8", bits)
    n = buffer("unpack_s8", "B", "out", out)
    buffer("unpack_s8", "b", "x", x, (n * bits + 7) // 8)
    return n


def unpack_f32(out, x, qp, bits):
    _bits("unpack_f32", bits)
    scale, zero_point = scale_and_zero("unpack_f32", qp)
    n = buffer("unpack_f32", "F", "out", out)
    buffer("unpack_f32", "b", "x", x, (n * bits + 7) // 8)
    return scale, zero_point, n

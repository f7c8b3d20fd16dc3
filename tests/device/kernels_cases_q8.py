"""Cases of the kernels of fully quantized training: arguments of each for a shape."""

from array import array

import kernels_cases
from kernels_source import GEOM, channelwise, sizes


def record(s, n=1):
    """n records: exponents from -3 to 12, some notes of a step."""
    out = array("i")
    for _ in range(n):
        counts = s.next() % 3, s.next() % 500
        notes = s.next() * 3, s.next() * (s.next() % 3)
        out.extend(array("i", (s.next() % 16 - 3,) + notes + counts + (1 + s.next() * 16381,)))
    return out


def rates(s):
    return array("i", (s.next() % 64 + 64, s.next() % 26, s.next() % 3))


def _values(s, out, x, w):
    """out so x sx w sw"""
    return s.b(out), record(s), s.b(x), record(s), s.b(w), record(s)


def _step(s, w, b, dout, x):
    """w rest sw b dout sdout x sx rates"""
    head = s.b(w), s.b(w), record(s), biases(s, b)
    return head + (s.b(dout), record(s), s.b(x), record(s), rates(s))


def _without_rest(args):
    return args[:1] + (bytearray(),) + args[2:]


def biases(s, n):
    return s.l(n, -(1 << 24), 1 << 24)


def dense_fwd_q8(s, B, N, M):
    return _values(s, B * M, B * N, M * N) + (biases(s, M), B, N, M)


def dense_logits_q8(s, B, N, M):
    return (s.f(B * M),) + _values(s, 0, B * N, M * N)[2:] + (biases(s, M), B, N, M)


def dense_bwd_dx_q8(s, B, N, M):
    return _values(s, B * N, B * M, M * N) + (B, N, M)


def dense_step_q8(s, B, N, M):
    return _step(s, M * N, M, B * M, B * N) + (B, N, M)


def dense_step_q8_no_rest(s, B, N, M):
    return _without_rest(dense_step_q8(s, B, N, M))


def conv2d_fwd_q8(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return _values(s, out, x, w) + (biases(s, K), array("i", geom), B)


def conv2d_bwd_dx_q8(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    return _values(s, x, out, w) + (array("i", geom), B)


def conv2d_step_q8(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return _step(s, w, K, out, x) + (array("i", geom), B)


def conv2d_step_q8_no_rest(s, B, *geom):
    return _without_rest(conv2d_step_q8(s, B, *geom))


def conv2d_t_fwd_q8(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    return _values(s, x, out, w) + (biases(s, geom[2]), array("i", geom), B)


def conv2d_t_bwd_dx_q8(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    return _values(s, out, x, w) + (array("i", geom), B)


def conv2d_t_step_q8(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    return _step(s, w, geom[2], x, out) + (array("i", geom), B)


def conv2d_t_step_q8_no_rest(s, B, *geom):
    return _without_rest(conv2d_t_step_q8(s, B, *geom))


def depthwise_fwd_q8(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    return _values(s, out, x, w // C) + (biases(s, C), array("i", geom), B)


def depthwise_bwd_dx_q8(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    return _values(s, x, out, w // C) + (array("i", geom), B)


def depthwise_step_q8(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    return _step(s, w // C, C, out, x) + (array("i", geom), B)


def depthwise_step_q8_no_rest(s, B, *geom):
    return _without_rest(depthwise_step_q8(s, B, *geom))


def relu_fwd_q8(s, n):
    return s.b(n), s.b(n)


def relu_bwd_dx_q8(s, n):
    return s.b(n), s.b(n), s.b(n)


def relu6_fwd_q8(s, n):
    return s.b(n), s.b(n), record(s)


def relu6_bwd_dx_q8(s, n):
    return s.b(n), s.b(n), s.b(n), record(s)


def add_q8(s, n):
    return s.b(n), record(s), s.b(n), record(s), s.b(n), record(s)


def maxpool_bwd_dx_q8(s, B, *geom):
    geom = channelwise(geom)
    x, out, _, _ = sizes(geom, B)
    return s.b(x), record(s), s.b(out), record(s), s.b(x), array("i", geom), B


def avgpool_fwd_q8(s, B, *geom):
    geom = channelwise(geom)
    x, out, _, _ = sizes(geom, B)
    return s.b(out), record(s), s.b(x), record(s), array("i", geom), B


def avgpool_bwd_dx_q8(s, B, *geom):
    geom = channelwise(geom)
    x, out, _, _ = sizes(geom, B)
    return s.b(x), record(s), s.b(out), record(s), array("i", geom), B


def quantize_q8(s, n):
    return s.b(n), record(s), s.f(n)


def quantize_q8_no_number(s, n):
    """Among them what float32 has beside numbers, and what is too large."""
    args = quantize_q8(s, n)
    for i in range(0, n, 2):
        args[2][i] = (float("nan"), float("inf"), -float("inf"), 1e9, -3e8)[i // 2 % 5]
    return args


def dequantize_q8(s, n):
    return s.f(n), s.b(n), record(s)


def clear_q8(s, n):
    return (record(s, n),)


def follow_q8(s, n):
    return (record(s, n),)


def rescale_q8(s, n):
    return s.b(n), s.b(n), record(s)


def rescale_q8_no_rest(s, n):
    return _without_rest(rescale_q8(s, n))


def decay_q8(s, n):
    return s.b(n), s.b(n), record(s), rates(s)


def decay_q8_no_rest(s, n):
    return _without_rest(decay_q8(s, n))


def copy_parts_q8(s, P, M, N, count):
    """Parts from 0 to 2 channels long, in both buffers."""
    parts = array("i")
    for _ in range(count):
        to, at = s.next() % (M + 1), s.next() % (N + 1)
        parts.extend(array("i", (to, at, min(s.next() % 3, M - to, N - at))))
    return s.b(P * M), s.b(P * N), parts, P, M, N


def _measuring(args):
    """A case of a step in which nothing is stepped: the squares of gradients are added."""
    args[8][2] = 3
    return args


def dense_step_q8_no_step(s, B, N, M):
    return _measuring(dense_step_q8(s, B, N, M))


def conv2d_step_q8_no_step(s, B, *geom):
    return _measuring(conv2d_step_q8(s, B, *geom))


def conv2d_t_step_q8_no_step(s, B, *geom):
    return _measuring(conv2d_t_step_q8(s, B, *geom))


def depthwise_step_q8_no_step(s, B, *geom):
    return _measuring(depthwise_step_q8(s, B, *geom))


def carry_q8(s, n, m):
    return (s.b(n), record(s), s.b(n), record(s), biases(s, m), biases(s, m), rates(s), rates(s))


def clip_q8(s, exponent, shift):
    total, limit = record(s), record(s)
    total[0], limit[1] = exponent, limit[1] + 1
    old = rates(s)
    old[1] = shift
    return s.l(3, 0, 9), old, total, limit


def _left_out(s, args, at, samples, channels):
    """Errors (samples, positions, channels) of which most are 0, as in what a sample keeps."""
    errors = args[at]
    n = len(errors) // samples if samples else 0
    for b in range(samples):
        kept = [s.next() % 4 == 0 for _ in range(channels)]
        for i in range(n):
            if not kept[i % channels] or s.next() % 3 == 0:
                errors[b * n + i] = 0
    return args


def dense_bwd_dx_q8_no_others(s, B, N, M):
    return _left_out(s, dense_bwd_dx_q8(s, B, N, M), 2, B, M)


def dense_step_q8_no_others(s, B, N, M):
    return _left_out(s, dense_step_q8(s, B, N, M), 4, B, M)


def conv2d_bwd_dx_q8_no_others(s, B, *geom):
    return _left_out(s, conv2d_bwd_dx_q8(s, B, *geom), 2, B, geom[3])


def conv2d_step_q8_no_others(s, B, *geom):
    return _left_out(s, conv2d_step_q8(s, B, *geom), 4, B, geom[3])


def depthwise_bwd_dx_q8_no_others(s, B, *geom):
    return _left_out(s, depthwise_bwd_dx_q8(s, B, *geom), 2, B, geom[2])


def depthwise_step_q8_no_others(s, B, *geom):
    return _left_out(s, depthwise_step_q8(s, B, *geom), 4, B, geom[2])


def keep_largest_q8(s, B, P, M, least, most):
    """A sample without errors first, and sums that are equal."""
    dout = s.b(B * P * M)
    for i in range(B * P * M):
        if i < P * M or i % 5 == 0:
            dout[i] = 0
        elif M > 20:
            dout[i] &= 1
    shares = array("f", (least / 8, most / 8))
    state, sums = array("f", (0, 0.5)), array("i", bytes(4 * M))
    return s.b(B * P * M), state, sums, sums[:], dout, record(s), shares, B, P, M


def gather_codes(s, B, n, bits):
    args = kernels_cases.gather_latents(s, B, n, bits)
    return (s.b(B * n),) + args[1:5] + (s.b(1 << bits),) + args[6:]


_GEOM = tuple((2,) + geom for geom in GEOM) + ((0,) + GEOM[1], (5,) + GEOM[2], (4,) + GEOM[1])
_GEOM += (
    (1, 4, 5, 17, 5, 3, 3, 1, 1, 1, 1, 1, 1, 4, 5),
    (5, 2, 6, 18, 9, 2, 3, 1, 1, 0, 1, 1, 1, 1, 6),
    (1, 5, 7, 9, 6, 3, 3, 1, 2, 1, 0, 1, 1, 5, 3),
    (4, 3, 6, 4, 13, 3, 3, 1, 1, 1, 1, 1, 1, 3, 6),
)
# Few channels on the wide side, as images and signals have them: padded rows, one tap, a row of
# fewer bytes than a word, strides beyond the kernel, more filters than a block.
_FEW_GEOM = (
    (4, 8, 8, 1, 8, 4, 4, 2, 2, 1, 1, 1, 1, 4, 4),
    (1, 9, 7, 1, 6, 3, 3, 1, 1, 1, 1, 1, 1, 9, 7),
    (5, 7, 1, 3, 8, 4, 1, 2, 1, 1, 0, 1, 1, 3, 1),
    (2, 5, 13, 2, 17, 2, 5, 1, 3, 0, 3, 1, 1, 4, 5),
    (6, 3, 3, 1, 4, 1, 3, 2, 1, 0, 2, 1, 1, 2, 4),
    (3, 4, 2, 1, 5, 2, 2, 3, 3, 0, 0, 1, 1, 1, 1),
)
_HANGING = (2, 1, 1, 6, 6, 20, 20, 1, 1, 19, 19, 1, 1, 20, 20)  # windows of a pixel: 400 reach it
_SOME_GEOM = tuple(_GEOM[i] for i in range(1, len(_GEOM), 3))  # MicroPython slices in steps of 1
_N = ((0,), (1,), (7,), (32,))
_LONG = _N + ((300,),)
_DENSE = (
    (1, 1, 1), (2, 3, 5), (4, 16, 8), (5, 9, 10), (1, 33, 7), (0, 3, 2), (3, 0, 2), (2, 3, 0),
    (9, 18, 21), (7, 150, 6), (16, 40, 4), (3, 290, 5),
)  # fmt: skip
_GATHERS = ((0, 4, 8), (1, 1, 3)) + tuple((3, n, bits) for bits in range(1, 9) for n in (5, 16))
_WIDE = (
    (1, 1, 1), (5, 9, 10), (16, 40, 12), (0, 9, 3), (9, 18, 21), (3, 70, 130), (33, 67, 16),
)  # fmt: skip
_WIDE_GEOM = (
    (2, 6, 5, 19, 16, 3, 3, 1, 1, 1, 1, 1, 1, 6, 5),
    (5, 4, 4, 67, 8, 2, 2, 2, 2, 0, 0, 1, 1, 2, 2),
    (34, 3, 3, 8, 9, 2, 1, 1, 1, 0, 0, 1, 1, 2, 3),
)
_KEEPS = (
    (1, 1, 1, 0, 8), (2, 5, 4, 4, 4), (4, 3, 18, 2, 2), (5, 1, 9, 1, 8), (3, 120, 7, 2, 6),
    (4, 2, 23, 3, 3), (0, 2, 3, 1, 1), (2, 0, 3, 1, 1), (2, 3, 0, 1, 1),
)  # fmt: skip

_PARTS = (
    (0, 4, 3, 2), (4, 3, 9, 2), (3, 0, 4, 2), (2, 5, 0, 1), (4, 3, 9, 0), (5, 4, 9, 3),
    (7, 20, 6, 8),
)  # fmt: skip

# builder, written buffers, whether k/64 in gives exact results, shapes
CASES = (
    (dense_fwd_q8, 2, True, _DENSE),
    (dense_logits_q8, 1, True, _DENSE),
    (dense_bwd_dx_q8, 2, True, _DENSE),
    (dense_step_q8, 4, True, _DENSE),
    (dense_step_q8_no_rest, 4, True, _DENSE),
    (dense_step_q8_no_step, 4, True, _DENSE),
    (conv2d_fwd_q8, 2, True, _GEOM + _FEW_GEOM),
    (conv2d_bwd_dx_q8, 2, True, _GEOM + _FEW_GEOM),
    (conv2d_step_q8, 4, True, _GEOM + _FEW_GEOM),
    (conv2d_step_q8_no_rest, 4, True, _SOME_GEOM),
    (conv2d_step_q8_no_step, 4, True, _SOME_GEOM + _FEW_GEOM),
    (conv2d_t_fwd_q8, 2, True, _GEOM + _FEW_GEOM),
    (conv2d_t_bwd_dx_q8, 2, True, _GEOM + _FEW_GEOM),
    (conv2d_t_step_q8, 4, True, _GEOM + _FEW_GEOM),
    (conv2d_t_step_q8_no_rest, 4, True, _SOME_GEOM + _FEW_GEOM),
    (conv2d_t_step_q8_no_step, 4, True, _SOME_GEOM),
    (depthwise_fwd_q8, 2, True, _GEOM),
    (depthwise_bwd_dx_q8, 2, True, _GEOM),
    (depthwise_step_q8, 4, True, _GEOM),
    (depthwise_step_q8_no_rest, 4, True, _SOME_GEOM),
    (depthwise_step_q8_no_step, 4, True, _SOME_GEOM),
    (relu_fwd_q8, 1, True, _N),
    (relu_bwd_dx_q8, 1, True, _N),
    (relu6_fwd_q8, 1, True, _LONG),
    (relu6_bwd_dx_q8, 1, True, _LONG),
    (add_q8, 2, True, _LONG),
    (maxpool_bwd_dx_q8, 2, True, _GEOM),
    (avgpool_fwd_q8, 2, True, _GEOM),
    (avgpool_bwd_dx_q8, 2, True, _GEOM + (_HANGING,)),
    (quantize_q8, 2, True, _LONG),
    (quantize_q8_no_number, 2, True, _LONG),
    (dequantize_q8, 1, True, _LONG),
    (clear_q8, 1, True, _N),
    (follow_q8, 1, True, _LONG),
    (rescale_q8, 3, True, _LONG + ((301,),)),
    (rescale_q8_no_rest, 3, True, _LONG + ((302,),)),
    (decay_q8, 3, True, _LONG),
    (decay_q8_no_rest, 3, True, _LONG),
    (copy_parts_q8, 1, True, _PARTS),
    (carry_q8, 6, True, ((0, 0), (1, 3), (7, 0), (32, 5), (300, 17))),
    (clip_q8, 1, True, ((0, 0), (12, 9), (-40, -64), (-40, 60), (40, 3), (-9, 64))),
    (dense_bwd_dx_q8_no_others, 2, True, _WIDE),
    (dense_step_q8_no_others, 4, True, _WIDE),
    (conv2d_bwd_dx_q8_no_others, 2, True, _SOME_GEOM + _WIDE_GEOM),
    (conv2d_step_q8_no_others, 4, True, _SOME_GEOM + _WIDE_GEOM),
    (depthwise_bwd_dx_q8_no_others, 2, True, _SOME_GEOM + _WIDE_GEOM),
    (depthwise_step_q8_no_others, 4, True, _SOME_GEOM + _WIDE_GEOM),
    (keep_largest_q8, 4, False, _KEEPS),
    (gather_codes, 2, True, _GATHERS),
)

# Written buffer (index) that may be the very buffer of a read one.
IN_PLACE = {
    "relu_fwd_q8": (0, 1),
    "relu_bwd_dx_q8": (0, 1),
    "relu6_fwd_q8": (0, 1),
    "relu6_bwd_dx_q8": (0, 1),
    "add_q8": (0, 2),
    "keep_largest_q8": (0, 4),
}

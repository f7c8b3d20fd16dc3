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
_HANGING = (2, 1, 1, 6, 6, 20, 20, 1, 1, 19, 19, 1, 1, 20, 20)  # windows of a pixel: 400 reach it
_SOME_GEOM = tuple(_GEOM[i] for i in range(1, len(_GEOM), 3))  # MicroPython slices in steps of 1
_N = ((0,), (1,), (7,), (32,))
_LONG = _N + ((300,),)
_DENSE = (
    (1, 1, 1), (2, 3, 5), (4, 16, 8), (5, 9, 10), (1, 33, 7), (0, 3, 2), (3, 0, 2), (2, 3, 0),
    (9, 18, 21), (7, 150, 6), (16, 40, 4), (3, 290, 5),
)  # fmt: skip
_GATHERS = ((0, 4, 8), (1, 1, 3)) + tuple((3, n, bits) for bits in range(1, 9) for n in (5, 16))

# builder, written buffers, whether k/64 in gives exact results, shapes
CASES = (
    (dense_fwd_q8, 2, True, _DENSE),
    (dense_logits_q8, 1, True, _DENSE),
    (dense_bwd_dx_q8, 2, True, _DENSE),
    (dense_step_q8, 4, True, _DENSE),
    (dense_step_q8_no_rest, 4, True, _DENSE),
    (conv2d_fwd_q8, 2, True, _GEOM),
    (conv2d_bwd_dx_q8, 2, True, _GEOM),
    (conv2d_step_q8, 4, True, _GEOM),
    (conv2d_step_q8_no_rest, 4, True, _SOME_GEOM),
    (conv2d_t_fwd_q8, 2, True, _GEOM),
    (conv2d_t_bwd_dx_q8, 2, True, _GEOM),
    (conv2d_t_step_q8, 4, True, _GEOM),
    (conv2d_t_step_q8_no_rest, 4, True, _SOME_GEOM),
    (depthwise_fwd_q8, 2, True, _GEOM),
    (depthwise_bwd_dx_q8, 2, True, _GEOM),
    (depthwise_step_q8, 4, True, _GEOM),
    (depthwise_step_q8_no_rest, 4, True, _SOME_GEOM),
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
    (gather_codes, 2, True, _GATHERS),
)

# Written buffer (index) that may be the very buffer of a read one.
IN_PLACE = {
    "relu_fwd_q8": (0, 1),
    "relu_bwd_dx_q8": (0, 1),
    "relu6_fwd_q8": (0, 1),
    "relu6_bwd_dx_q8": (0, 1),
    "add_q8": (0, 2),
}

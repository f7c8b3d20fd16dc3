"""Every kernel on one table of cases, on any host: CPython, MicroPython, a board.

main() prints one line a case, with a CRC-32 of each written buffer:

    exact <kernel> <shape> <crc>...    inputs k/64 and bytes, where neither another order of the
        sums nor a fused product can change a bit: every backend on every host says the same
    bits <kernel> <shape> <crc>...     real inputs: the same on every host with the C kernels
    exact misuse <kernel> <n> <crc>    of the messages for n wrong arguments
    refused <message>                  what only the C kernels refuse
"""

from array import array
from binascii import crc32

from engram.backend import kernels

import kernels_cases
import kernels_cases_q8
from kernels_source import GEOM, Source, channelwise, sizes

# The larger ones reach what is fast on some core: blocks of rows and columns, and what is over.
DENSE = (
    (1, 1, 1), (2, 3, 5), (4, 16, 8), (5, 9, 10), (1, 33, 7), (0, 3, 2), (3, 0, 2), (2, 3, 0),
    (1, 27, 22), (9, 18, 21), (7, 150, 6), (2, 290, 5), (1, 600, 5),
)  # fmt: skip
VECTOR = (0, 1, 7, 32)


# ---- arguments of each kernel for a shape --------------------------------------------------


def dense_fwd(s, B, N, M):
    return s.f(B * M), s.f(B * N), s.f(M * N), s.f(M), B, N, M


def dense_fwd_no_bias(s, B, N, M):
    return s.f(B * M), s.f(B * N), s.f(M * N), None, B, N, M


def dense_bwd_dx(s, B, N, M):
    return s.f(B * N), s.f(B * M), s.f(M * N), B, N, M


def dense_bwd_dw(s, B, N, M):
    return s.f(M * N), s.f(M), s.f(B * M), s.f(B * N), B, N, M


def dense_s8(s, B, N, M):
    return (s.b(B * M), s.b(B * N), s.b(M * N)) + s.requantization(M) + (s.q(), B, N, M)


def conv2d_fwd(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(out), s.f(x), s.f(w), s.f(K), array("i", geom), B


def conv2d_fwd_no_bias(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(out), s.f(x), s.f(w), None, array("i", geom), B


def conv2d_bwd_dx(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(x), s.f(out), s.f(w), array("i", geom), B


def conv2d_bwd_dw(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(w), s.f(K), s.f(out), s.f(x), array("i", geom), B


def conv2d_s8(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    head = s.b(out), s.b(x), s.b(w)
    return head + s.requantization(K) + (array("i", geom), s.q(), B)


def depthwise_s8(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    head = s.b(out), s.b(x), s.b(w // C)
    return head + s.requantization(C) + (array("i", geom), s.q(), B)


def unclamped(s, n):
    """Every shift to the right, nothing to clamp but int8; of 5 channels one without weights, as
    training may leave it: its numbers are out of all proportion."""
    q = array("i", (s.next() % 256 - 128, s.next() % 256 - 128, -128, 127))
    bias, mult, shift = s.l(n, -5000, 5000), s.l(n, 1 << 30, 2147483647), s.l(n, -11, -1)
    if n == 5:
        bias[2], shift[2] = 1 << 30, -24
    return bias, mult, shift, q


def dense_s8_no_clamp(s, B, N, M):
    bias, mult, shift, q = unclamped(s, M)
    return s.b(B * M), s.b(B * N), s.b(M * N), bias, mult, shift, q, B, N, M


def conv2d_s8_no_clamp(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    bias, mult, shift, q = unclamped(s, K)
    return s.b(out), s.b(x), s.b(w), bias, mult, shift, array("i", geom), q, B


def depthwise_s8_no_clamp(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    bias, mult, shift, q = unclamped(s, C)
    return s.b(out), s.b(x), s.b(w // C), bias, mult, shift, array("i", geom), q, B


def avgpool_s8(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    return s.b(out), s.b(x), array("i", geom), s.q(), B


def relu_fwd(s, n):
    return s.f(n), s.f(n)


def relu_bwd_dx(s, n):
    return s.f(n), s.f(n), s.f(n)


def global_avgpool_fwd(s, B, P, C):
    return s.f(B * C), s.f(B * P * C), B, P, C


def global_avgpool_bwd_dx(s, B, P, C):
    return s.f(B * P * C), s.f(B * C), B, P, C


def softmax_xent(s, B, K):
    return s.f(B * K), s.f(2), s.f(B * K), bytes(s.next() % K for _ in range(B)), B, K


def softmax_fwd(s, B, K):
    return s.f(B * K), s.f(B * K), B, K


def sgd_step(s, n):
    # powers of two keep exact inputs exact
    return s.f(n), s.f(n), s.f(n), array("f", (0.125, 0.5, 0.25))


def sgd_plain(s, n):
    return s.f(n), s.f(n), array("f", (0.125, 0.25))


def zero_f32(s, n):
    return (s.f(n),)


def copy_f32(s, n):
    return s.f(n), s.f(n)


def check_finite(s, n):
    x = s.f(n)
    for i in range(0, n, 3):
        x[i] = (float("nan"), float("inf"), -float("inf"))[i % 9 // 3]
    return (x,)


def quantize_s8(s, n):
    return s.b(n), s.f(n), array("f", (0.0078125, -3.0))


def dequantize_s8(s, n):
    return s.f(n), s.b(n), array("f", (0.0078125, -3.0))


def u8_to_s8(s, n):
    return s.b(n), s.b(n)


_CONV = tuple((B,) + geom for geom in GEOM for B in (1, 5)) + ((0,) + GEOM[1],)
_CONV += (
    (1, 4, 5, 17, 5, 3, 3, 1, 1, 1, 1, 1, 1, 4, 5),
    (5, 2, 6, 18, 9, 2, 3, 1, 1, 0, 1, 1, 1, 1, 6),
)
_S8 = tuple((2,) + geom for geom in GEOM) + ((0,) + GEOM[1],)
_WIDE = (
    (1, 4, 5, 17, 5, 3, 3, 1, 1, 1, 1, 1, 1, 4, 5),
    (1, 3, 4, 34, 6, 3, 3, 2, 1, 1, 1, 1, 1, 2, 4),
    (1, 4, 5, 16, 20, 3, 3, 1, 1, 1, 1, 1, 1, 4, 5),
)
_LONG = ((2, 1159, 6), (1, 37, 70))  # rows in pieces, more channels than are summed at a time
_N = tuple((n,) for n in VECTOR)
_POOL = ((1, 1, 1), (2, 4, 3), (3, 16, 5), (0, 2, 2), (2, 2, 0))
_SOFTMAX = ((1, 1), (2, 3), (5, 10), (0, 4))

# builder, written buffers, whether k/64 in gives exact results, shapes. A builder's name up to
# "_no_" is its kernel's.
CASES = (
    (dense_fwd, 1, True, DENSE),
    (dense_fwd_no_bias, 1, True, DENSE),
    (dense_bwd_dx, 1, True, DENSE),
    (dense_bwd_dw, 2, True, DENSE),
    (conv2d_fwd, 1, True, _CONV),
    (conv2d_fwd_no_bias, 1, True, _CONV[:4]),
    (conv2d_bwd_dx, 1, True, _CONV),
    (conv2d_bwd_dw, 2, True, _CONV),
    (relu_fwd, 1, True, _N),
    (relu_bwd_dx, 1, True, _N),
    (global_avgpool_fwd, 1, True, _POOL),
    (global_avgpool_bwd_dx, 1, True, _POOL),
    (softmax_xent, 2, False, _SOFTMAX),
    (softmax_fwd, 1, False, _SOFTMAX),
    (sgd_step, 2, True, _N),
    (sgd_plain, 1, True, _N),
    (zero_f32, 1, True, _N),
    (copy_f32, 1, True, _N),
    (check_finite, 0, True, _N),
    (quantize_s8, 1, True, _N),
    (dequantize_s8, 1, True, _N),
    (u8_to_s8, 1, True, _N),
    (conv2d_s8, 1, True, _S8),
    (depthwise_s8, 1, True, _S8),
    (conv2d_s8_no_clamp, 1, True, _S8 + _WIDE),
    (depthwise_s8_no_clamp, 1, True, _S8 + _WIDE),
    (dense_s8_no_clamp, 1, True, DENSE + _LONG),
    (dense_s8, 1, True, DENSE),
    (avgpool_s8, 1, True, _S8),
)

CASES += kernels_cases.CASES + kernels_cases_q8.CASES

# Written buffer (index) that may be the very buffer of a read one.
IN_PLACE = {
    "relu_fwd": (0, 1),
    "relu_bwd_dx": (0, 1),
    "softmax_xent": (0, 2),
    "softmax_fwd": (0, 1),
    "copy_f32": (0, 1),
    "u8_to_s8": (0, 1),
}
IN_PLACE.update(kernels_cases.IN_PLACE)
IN_PLACE.update(kernels_cases_q8.IN_PLACE)

# Argument (index) that may be None.
OPTIONAL = {"dense_fwd": 3, "conv2d_fwd": 3, "depthwise_fwd": 3, "conv2d_t_fwd": 3}


def kernel_name(builder):
    # MicroPython's functions have a __name__, their code no more than that
    return builder.__name__.split("_no_")[0]


def crc(buf):
    return "%08x" % (crc32(buf) & 0xFFFFFFFF)


def crc_of_lines(faults):
    """The CRC of a line per fault; piece by piece, as a board has no room for the text."""
    value = 0
    for i, fault in enumerate(faults):
        value = crc32((("\n" if i else "") + "%d %s" % fault).encode(), value)
    return "%08x" % (value & 0xFFFFFFFF)


def run(K, builder, written, shape, exact):
    """Calls the kernel; the CRCs of what it wrote, or what it returned if it writes nothing."""
    args = builder(Source(exact), *shape)
    result = getattr(K, kernel_name(builder))(*args)
    return [crc(a) for a in args[:written]] if written else [str(result)]


def in_place(K, builder, written, shape):
    """The same with the written buffer in the place of the read one, where that is allowed."""
    name = kernel_name(builder)
    out, read = IN_PLACE[name]
    args = list(builder(Source(True), *shape))
    args[out] = args[read]
    getattr(K, name)(*args)
    return [crc(a) for a in args[:written]]


# ---- misuse --------------------------------------------------------------------------------


def resized(buf, n):
    """A buffer of the same type with n elements of the old values, as far as there are any."""
    if isinstance(buf, array):
        return array(str(buf)[7], [buf[i % len(buf)] for i in range(n)])
    return bytearray(buf[i % len(buf)] if buf else 0 for i in range(n))


def wrong(arg, is_out):
    """Wrong values for one argument."""
    if arg is None:
        return [array("h", [0]), 3]
    if isinstance(arg, int):
        return [-1, 1 << 40, True, 1.5, "2", None]
    n = len(arg)
    values = [resized(arg, n + 1), resized(arg, max(0, n - 1))]
    values += [array("h", [0] * n), 3, None, "abc"]
    if isinstance(arg, array):
        values.append(bytearray(4 * n + 1))  # of 4 * n it would be right
        if str(arg)[7] == "i" and n == 14:
            for i in range(n):
                for v in (-1, 40000) if i in (8, 9) else (-1, 0, 40000):  # a padding may be 0
                    values.append(resized(arg, n))
                    values[-1][i] = v
    else:
        values.append(resized(array("f", [0]), n))
        if is_out:
            values.append(bytes(arg))
    return values


MISUSE_SHAPE = {7: GEOM[1], 3: (2, 3, 5), 2: (2, 3), 1: (6,)}


def misused(K, builder, written, shape):
    """(argument index, message) for every wrong argument; an error must have written nothing."""
    name = kernel_name(builder)
    faults = []
    args = list(builder(Source(True), *shape))
    for i in range(len(args)):
        arg = args[i]
        before = [bytes(memoryview(a)) for j, a in enumerate(args[:written]) if j != i]
        for value in wrong(arg, i < written):
            if value is None and OPTIONAL.get(name) == i:
                continue
            args[i] = value
            try:
                getattr(K, name)(*args)
                faults.append((i, "no error"))
                args = list(builder(Source(True), *shape))
                arg = args[i]
            except (ValueError, TypeError) as error:
                faults.append((i, "%s %s" % (type(error).__name__, error)))
                after = [bytes(memoryview(a)) for j, a in enumerate(args[:written]) if j != i]
                assert before == after, (name, i, "was written to")
        args[i] = arg
    return faults


def misuse_shape(shapes):
    """The second shape: none of its dimensions is 0, so that one element less can be made."""
    return shapes[2] if len(shapes[0]) == 1 else shapes[1]


def overlapping(K, builder, written, shape):
    """Messages for every written buffer that is also another argument of its type."""
    name = kernel_name(builder)
    faults = []
    made = builder(Source(True), *shape)
    for i in range(written):
        for j in range(len(made)):
            args = list(made)
            if j == i or not isinstance(args[j], (array, bytearray)):
                continue
            if type(args[i]) is not type(args[j]) or str(args[i])[:8] != str(args[j])[:8]:
                continue
            n = max(len(args[i]), len(args[j]))
            shared = memoryview(resized(args[i], n + 1))
            whole = IN_PLACE.get(name) == (i, j)
            # the same buffer; where that is allowed, one that is an element further
            args[i], args[j] = shared[: len(args[i])], shared[whole : len(args[j]) + whole]
            try:
                getattr(K, name)(*args)
                faults.append("no error")
            except ValueError as error:
                faults.append(str(error))
    return faults


def main():
    for builder, written, exact, shapes in CASES:
        if not hasattr(kernels, kernel_name(builder)):
            continue  # a native module may hold a part of them
        name = builder.__name__
        for shape in shapes:
            if exact:
                print("exact", name, *(list(shape) + run(kernels, builder, written, shape, True)))
            if kernels.__name__ == "_engram":
                print("bits", name, *(list(shape) + run(kernels, builder, written, shape, False)))
        if exact and name in IN_PLACE:
            print("exact in place", name, *in_place(kernels, builder, written, shapes[-1]))
        shape = misuse_shape(shapes)
        faults = misused(kernels, builder, written, shape)
        print("exact misuse", name, len(faults), crc_of_lines(faults))
        faults = None
        if kernels.__name__ == "_engram":
            for message in overlapping(kernels, builder, written, shape):
                print("refused", message)


if __name__ == "__main__":
    main()

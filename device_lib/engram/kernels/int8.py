"""The definition of int8 kernels beyond the convolutions, and of packed latents.

A packed latent of 1 to 8 bits an element is a stream of bits, first element first, lowest bit
first; element i has bits i * bits to (i + 1) * bits - 1, and what is left of the last byte is 0.
An int8 value x is stored as q = round((x + 128) (2**bits - 1) / 255): after a ReLU, whose int8
zero point is -128, that is q = round(a / S) with S = a_max / (2**bits - 1). 8 bits lose nothing.
"""

from array import array

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check

from .parts import clamp, fields, finish_s8, framed, packed_size, requantize, s8, store_s8, windows


def conv2d_t_s8(out, x, w, bias, mult, shift, geom, q, B):
    """out (B, H, W, C) = requantize(transposed convolution of x (B, OH, OW, K) by w (C, R, S, K) +
    bias (C)); mult (C), shift (C), geom (14) of the convolution from out to x, q (4)
    """
    bias, mult, shift, geom, q = check.conv2d_t_s8(out, x, w, bias, mult, shift, geom, q, B)
    H, W, C, K, R, S = geom[:6]
    sums = list(bias) * (B * H * W)
    for at, window in windows(geom, B):
        for pixel, tap in window:
            for c in range(C):
                for k in range(K):
                    v = (s8(x[at * K + k]) - q[0]) * s8(w[(c * R * S + tap) * K + k])
                    sums[pixel * C + c] += v
    for i, acc in enumerate(sums):
        finish_s8(out, i, acc, mult[i % C], shift[i % C], q)


def maxpool_s8(out, x, geom, q, B):
    """out (B, OH, OW, C) = largest of x (B, H, W, C) in each window, clamped; geom (14) with
    K = C, q (4)
    """
    geom, q = check.maxpool_s8(out, x, geom, q, B)
    C = geom[2]
    for at, window in windows(geom, B):
        for c in range(C):
            best = -128
            for pixel, _ in window:
                best = max(best, s8(x[pixel * C + c]))
            store_s8(out, at * C + c, clamp(best, q[2], q[3]))


def add_s8(out, a, b, q):
    """out (n) = a (n) + b (n), each of its own scale, clamped, as TensorFlow Lite's ADD computes
    it: requantize(a' + b') + out_zp of a' = requantize((a - a_zp) << left_shift), b' likewise;
    q (12) = a_zp b_zp out_zp act_min act_max left_shift a_mult a_shift b_mult b_shift out_mult
    out_shift; out may be a
    """
    n, q = check.add_s8(out, a, b, q)
    for i in range(n):
        left = requantize((s8(a[i]) - q[0]) << q[5], q[6], q[7])
        right = requantize((s8(b[i]) - q[1]) << q[5], q[8], q[9])
        v = requantize(left + right, q[10], q[11]) + q[2]
        store_s8(out, i, clamp(v, q[3], q[4]))


def requantize_s8(out, x, mult, shift, q):
    """out (n) = x (n) at another scale: requantize(x - in_zp) + out_zp, clamped; mult (1), shift
    (1), q (4); out may be x
    """
    mult, shift, q, n = check.requantize_s8(out, x, mult, shift, q)
    for i in range(n):
        v = requantize(s8(x[i]) - q[0], mult[0], shift[0]) + q[1]
        store_s8(out, i, clamp(v, q[2], q[3]))


def lookup_s8(out, x, table):
    """out (n) = table (256)[x (n) + 128]: any function of one int8 value; out may be x"""
    for i in range(check.lookup_s8(out, x, table)):
        store_s8(out, i, s8(table[s8(x[i]) + 128]))


def _reciprocal(total):
    """(scale, bits): e / total is e * scale / 2**31 / 2**bits, rounded as the scale is.

    Three steps of Newton and Raphson from 48/17 - 32/17 d, d from 1/2 to 1; 29 bits of x are
    behind its point.
    """
    bits = 0
    while total >> bits:
        bits += 1
    d = (total << 32 - bits) >> 1
    x = 1515870810 + requantize(-1010580540, d, 0)
    for _ in range(3):
        rest = (1 << 29) - requantize(d, x, 0)
        x += requantize(rest, x, 0) * 4
    return min(2 * x, 2147483647), bits


def softmax_s8(out, x, table, B, K):
    """out (B, K) = round(256 e / sum of e over K) - 128, clamped, e = table (256)[largest of the
    row - x (B, K)]: in the fixed-point arithmetic of TensorFlow Lite's SOFTMAX; table[d] =
    exp(-d * scale * beta) * 2**31, table[0] = 2**31 - 1; K at most 4095; out may be x
    """
    table = check.softmax_s8(out, x, table, B, K)
    for row in range(0, B * K, K):
        values = [s8(x[row + k]) for k in range(K)]
        best = max(values)
        e = [table[best - v] for v in values]
        scale, bits = _reciprocal(sum([(v + 2048) >> 12 for v in e]))
        for k in range(K):
            v = requantize(e[k], scale, -(bits + 3)) - 128
            store_s8(out, row + k, clamp(v, -128, 127))


# ---- copies -----------------------------------------------------------------------------------


def copy_s8(out, x):
    """out (n) = x (n); out may be x"""
    for i in range(check.copy_s8(out, x)):
        store_s8(out, i, s8(x[i]))


def copy_channels_s8(out, x, P, M, N, to, at, C):
    """out (P, M)[:, to : to + C] = x (P, N)[:, at : at + C], the rest of out stays: concatenation
    of one scale and zero point, and slices of channels
    """
    check.copy_channels_s8(out, x, P, M, N, to, at, C)
    for p in range(P):
        for c in range(C):
            store_s8(out, p * M + to + c, s8(x[p * N + at + c]))


def pad_s8(out, x, value, B, H, W, C, OH, OW, top, left):
    """out (B, OH, OW, C) = x (B, H, W, C) from row top and column left on, value (1) around it,
    which is the zero point as a rule
    """
    check.pad_s8(out, x, value, B, H, W, C, OH, OW, top, left)
    for i in range(B * OH * OW * C):
        store_s8(out, i, s8(value[0]))
    for inner, outer in framed(B, H, W, C, OH, OW, top, left):
        store_s8(out, outer, s8(x[inner]))


# ---- packed latents ---------------------------------------------------------------------------


def packed_bytes(n, bits):
    """returns the bytes that n packed elements take: (n * bits + 7) // 8; bits 1 to 8"""
    check.packed_bytes(n, bits)
    return packed_size(n, bits)


def pack_s8(out, x, bits):
    """out (packed_bytes(n, bits)) = x (n) in 1 to 8 bits an element"""
    n = check.pack_s8(out, x, bits)
    top = (1 << bits) - 1
    word = count = at = 0
    for i in range(n):
        word |= ((s8(x[i]) + 128) * top + 127) // 255 << count
        count += bits
        while count >= 8:
            store_s8(out, at, s8(word & 255))
            at += 1
            word >>= 8
            count -= 8
    if count:
        store_s8(out, at, s8(word))


def unpack_s8(out, x, bits):
    """out (n) = the int8 values nearest to what x (packed_bytes(n, bits)) says"""
    n = check.unpack_s8(out, x, bits)
    top = (1 << bits) - 1
    for i, v in enumerate(fields(x, n, bits)):
        store_s8(out, i, (v * 510 + top) // (2 * top) - 128)


def unpack_f32(out, x, qp, bits):
    """out (n) = scale * (v * 255 / (2**bits - 1) - 128 - zero_point), v the elements of x
    (packed_bytes(n, bits)): dequantized without the rounding to int8 between; qp (2) = scale,
    zero_point
    """
    (scale, zero_point), n = check.unpack_f32(out, x, qp, bits)
    one = array("f", (255 / ((1 << bits) - 1),))  # rounded to float32 as in C
    ratio = one[0]
    for i, v in enumerate(fields(x, n, bits)):
        one[0] = ratio * v
        one[0] -= 128 + zero_point
        out[i] = scale * one[0]

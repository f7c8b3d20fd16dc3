"""The definition of fully quantized training: int8 forward, backward and update.

Values, gradients and weights are int8 from -127 to 127 with a record (record.py); sums are int32,
biases int32 with 24 bits behind the point. A scale is a power of two, so that a sum becomes a
value by one shift that rounds half up. Each kernel notes in the record of its result the
largest magnitude and how many values it clamped; follow_q8 moves the exponents once per step.

A step kernel computes the gradient of weights and applies it at once, rate * gradient, with
rates (3) = mult, shift, rounding: a rate of mult * 2**-shift, mult 0 to 127. The weights are w,
or 256 w + rest where `rest` has elements: the byte below, from -128 to 127. Rounding is stochastic
(0), to nearest (1) or down (2); the random bits of weight i are the upper ones of
random + i * 2654435769 modulo 2**32, so they do not depend on the order of the weights.

With 3 in the place of a rounding nothing takes a step: the squares of the gradients are added to
the record in the place of sw, which then stands for largest * 2**-e. Such a sum has 30 bits and is
rounded up; clip_q8 makes rates of it.
"""

import math
from array import array

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check

from .parts import clamp, s8, store_s8, windows
from .some import NEW, ROUNDED
from ..memory.record import (
    BIAS_EXPONENT,
    COUNTED,
    EXPONENT,
    FLOOR,
    LARGEST,
    MEASURE,
    MOST_EXPONENT,
    NEAREST,
    RANDOM,
    RANGE,
    RECORD,
    SATURATED,
)

_MOST = (1 << 30) - 1  # of a bias, and of what a record notes
_FULL = 127 << 8  # the largest value, in the units of a record
_NARROW = 50 << 8  # a range below it wastes a bit
_GOLDEN = 2654435769
_RECIPROCAL_BITS = 20
_MOST_SHIFT = 64  # of a rate


def _round(v, right):
    """v / 2**right, half rounded up."""
    return v << -right if right <= 0 else ((v >> right - 1) + 1) >> 1


def _note(record, largest, saturated, counted):
    record[LARGEST] = max(record[LARGEST], min(largest, _MOST))
    record[SATURATED] = min(record[SATURATED] + saturated, _MOST)
    record[COUNTED] = min(record[COUNTED] + counted, _MOST)


def _in_units(largest, right):
    """A sum's magnitude in the units of the record of a result that is the sum / 2**right."""
    return largest >> right - 8 if right >= 8 else largest << 8 - right


def _store(out, record, sums, exponent):
    """out, record = the values of sums in units of 2**-exponent."""
    right = exponent - record[EXPONENT]
    largest = saturated = 0
    for i, acc in enumerate(sums):
        largest = max(largest, abs(acc))
        v = _round(acc, right)
        saturated += abs(v) > 127
        store_s8(out, i, clamp(v, -127, 127))
    _note(record, _in_units(largest, right), saturated, len(sums))


def _biases(b, exponent):
    """Biases in units of 2**-exponent, where sums of products begin."""
    right = BIAS_EXPONENT - exponent
    return [clamp(_round(v, right), -(1 << 29), 1 << 29) for v in b]


def _next(random):
    """The generator's next state: xorshift32 (Marsaglia, "Xorshift RNGs", 2003)."""
    random ^= random << 13 & 0xFFFFFFFF
    random ^= random >> 17
    return random ^ (random << 5 & 0xFFFFFFFF)


def _update(acc, rates, right, random):
    """The part of a weight that a step takes: mult * acc / 2**right, rounded."""
    v = acc * rates[0]
    if right <= 0:
        v <<= min(-right, 31)
    elif rates[2] == NEAREST:
        v = _round(v, right)
    elif rates[2] == FLOOR:
        v >>= right
    else:
        if right > 32:
            v, right = v >> right - 32, 32
        v = (v + (random >> 32 - right)) >> right
    return clamp(v, -_MOST, _MOST)


def _thirty(v, e):
    """(v, e) of the same v * 2**-e with 2**29 <= v < 2**30: rounded up; 0 as it is."""
    while v > _MOST:
        v, e = (v + 1) >> 1, e - 1
    while 0 < v < 1 << 29:
        v, e = v << 1, e + 1
    return v, e


def _add(total, v, e):
    """A sum of squares: total += v * 2**-e."""
    if not v:
        return
    parts = [_thirty(*part) for part in ((total[LARGEST], total[EXPONENT]), (v, e)) if part[0]]
    e = min([part[1] for part in parts])
    v, e = _thirty(sum([-(-part[0] >> part[1] - e) for part in parts]), e)
    if e > MOST_EXPONENT:
        v, e = -(-v >> e - MOST_EXPONENT), MOST_EXPONENT
    total[LARGEST] = v if e >= -MOST_EXPONENT else _MOST
    total[EXPONENT] = max(e, -MOST_EXPONENT)


def _step(w, rest, b, sw, grads, sums, exponent, output_exponent, rates):
    """w, rest, b, sw -= a step by the gradients grads (of w) in units of 2**-exponent, and sums
    (of b) in units of 2**-output_exponent.
    """
    if rates[2] == MEASURE:
        if len(w):
            _add(sw, sum([acc * acc for acc in grads]), 2 * exponent)
        _add(sw, sum([acc * acc for acc in sums]), 2 * output_exponent)
        return
    if len(w):
        wide = len(rest) > 0
        right = rates[1] + exponent - sw[EXPONENT] - (8 if wide else 0)
        random = sw[RANDOM] & 0xFFFFFFFF
        largest = saturated = 0
        for i, acc in enumerate(grads):
            v = 256 * s8(w[i]) + s8(rest[i]) if wide else s8(w[i])
            v -= _update(acc, rates, right, (random + i * _GOLDEN) & 0xFFFFFFFF)
            largest = max(largest, abs(v) if wide else abs(v) << 8)
            most = 127 << 8 if wide else 127
            saturated += abs(v) > most
            v = clamp(v, -most, most)
            if wide:
                store_s8(w, i, (v + 128) >> 8)
                store_s8(rest, i, v - ((v + 128) >> 8 << 8))
            else:
                store_s8(w, i, v)
        _note(sw, largest, saturated, len(w))
        random = _next(random)
        sw[RANDOM] = random - (random >> 31 << 32)
    right = rates[1] + output_exponent - BIAS_EXPONENT
    for k, acc in enumerate(sums):
        b[k] = clamp(b[k] - _round(acc * rates[0], max(right, -31)), -_MOST, _MOST)


def _column_sums(a, rows, columns):
    return [sum([s8(a[i * columns + j]) for i in range(rows)]) for j in range(columns)]


# ---- dense ---------------------------------------------------------------------------------


def _dense(x, w, b, B, N, M):
    return [
        b[m] + sum([s8(x[i * N + n]) * s8(w[m * N + n]) for n in range(N)])
        for i in range(B)
        for m in range(M)
    ]


def dense_fwd_q8(out, so, x, sx, w, sw, b, B, N, M):
    """out (B, M), so = x (B, N) @ w (M, N).T + b (M); so, sx, sw (6): records"""
    so, sx, sw, b = check.dense_fwd_q8(out, so, x, sx, w, sw, b, B, N, M)
    e = sx[EXPONENT] + sw[EXPONENT]
    _store(out, so, _dense(x, w, _biases(b, e), B, N, M), e)


def dense_logits_q8(out, x, sx, w, sw, b, B, N, M):
    """out (B, M) = x (B, N) @ w (M, N).T + b (M) in float32; sx, sw (6): records"""
    sx, sw, b = check.dense_logits_q8(out, x, sx, w, sw, b, B, N, M)
    e = sx[EXPONENT] + sw[EXPONENT]
    for i, acc in enumerate(_dense(x, w, _biases(b, e), B, N, M)):
        out[i] = math.ldexp(acc, -e)


def dense_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, B, N, M):
    """dx (B, N), sdx = dout (B, M) @ w (M, N); sdx, sdout, sw (6): records"""
    sdx, sdout, sw = check.dense_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, B, N, M)
    sums = [
        sum([s8(dout[i * M + m]) * s8(w[m * N + n]) for m in range(M)])
        for i in range(B)
        for n in range(N)
    ]
    _store(dx, sdx, sums, sdout[EXPONENT] + sw[EXPONENT])


def dense_step_q8(w, rest, sw, b, dout, sdout, x, sx, rates, B, N, M):
    """w (M, N), rest (M, N) or (0), sw -= rate * dout (B, M).T @ x (B, N); b (M) -= rate *
    dout.sum(0); rates (3); sw, sdout, sx (6): records
    """
    sw, b, sdout, sx, rates = check.dense_step_q8(
        w, rest, sw, b, dout, sdout, x, sx, rates, B, N, M
    )
    grads = [
        sum([s8(dout[i * M + m]) * s8(x[i * N + n]) for i in range(B)])
        for m in range(M)
        for n in range(N)
    ]
    e = sdout[EXPONENT]
    _step(w, rest, b, sw, grads, _column_sums(dout, B, M), e + sx[EXPONENT], e, rates)


# ---- convolution ---------------------------------------------------------------------------


def _window_sums(x, w, start, geom, B):
    """Sums (B, OH, OW, K) of a convolution."""
    _, _, C, K, R, S = geom[:6]
    sums = []
    for _, window in windows(geom, B):
        for k in range(K):
            acc = start[k]
            for pixel, tap in window:
                for c in range(C):
                    acc += s8(x[pixel * C + c]) * s8(w[(k * R * S + tap) * C + c])
            sums.append(acc)
    return sums


def _pixel_sums(x, w, start, geom, B):
    """Sums (B, H, W, C) of a transposed convolution."""
    H, W, C, K, R, S = geom[:6]
    sums = list(start) * (B * H * W)
    for at, window in windows(geom, B):
        for k in range(K):
            v = s8(x[at * K + k])
            for pixel, tap in window:
                for c in range(C):
                    sums[pixel * C + c] += v * s8(w[(k * R * S + tap) * C + c])
    return sums


def _weight_sums(wide, narrow, geom, B):
    """Sums (K, R, S, C) over all positions of narrow (B, OH, OW, K) times wide (B, H, W, C)."""
    _, _, C, K, R, S = geom[:6]
    sums = [0] * (K * R * S * C)
    for at, window in windows(geom, B):
        for k in range(K):
            v = s8(narrow[at * K + k])
            for pixel, tap in window:
                for c in range(C):
                    sums[(k * R * S + tap) * C + c] += v * s8(wide[pixel * C + c])
    return sums


def conv2d_fwd_q8(out, so, x, sx, w, sw, b, geom, B):
    """out (B, OH, OW, K), so = x (B, H, W, C) conv w (K, R, S, C) + b (K); so, sx, sw (6):
    records; geom (14)
    """
    so, sx, sw, b, geom = check.conv2d_fwd_q8(out, so, x, sx, w, sw, b, geom, B)
    e = sx[EXPONENT] + sw[EXPONENT]
    _store(out, so, _window_sums(x, w, _biases(b, e), geom, B), e)


def conv2d_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, geom, B):
    """dx (B, H, W, C), sdx = gradient of conv2d_fwd_q8 at dout (B, OH, OW, K), w (K, R, S, C);
    sdx, sdout, sw (6): records; geom (14)
    """
    sdx, sdout, sw, geom = check.conv2d_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, geom, B)
    sums = _pixel_sums(dout, w, [0] * geom[2], geom, B)
    _store(dx, sdx, sums, sdout[EXPONENT] + sw[EXPONENT])


def conv2d_step_q8(w, rest, sw, b, dout, sdout, x, sx, rates, geom, B):
    """w (K, R, S, C), rest the same or (0), sw -= rate * (dout (B, OH, OW, K) corr x (B, H, W,
    C)); b (K) -= rate * dout.sum(0, 1, 2); rates (3); sw, sdout, sx (6): records; geom (14)
    """
    sw, b, sdout, sx, rates, geom = check.conv2d_step_q8(
        w, rest, sw, b, dout, sdout, x, sx, rates, geom, B
    )
    e, K = sdout[EXPONENT], geom[3]
    sums = _column_sums(dout, len(dout) // K if K else 0, K)
    _step(w, rest, b, sw, _weight_sums(x, dout, geom, B), sums, e + sx[EXPONENT], e, rates)


def conv2d_t_fwd_q8(out, so, x, sx, w, sw, b, geom, B):
    """out (B, H, W, C), so = transposed convolution of x (B, OH, OW, K) by w (K, R, S, C) + b (C);
    so, sx, sw (6): records; geom (14) of the convolution from out to x
    """
    so, sx, sw, b, geom = check.conv2d_t_fwd_q8(out, so, x, sx, w, sw, b, geom, B)
    e = sx[EXPONENT] + sw[EXPONENT]
    _store(out, so, _pixel_sums(x, w, _biases(b, e), geom, B), e)


def conv2d_t_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, geom, B):
    """dx (B, OH, OW, K), sdx = gradient of conv2d_t_fwd_q8 at dout (B, H, W, C), w (K, R, S, C);
    sdx, sdout, sw (6): records; geom (14) of the convolution from dout to dx
    """
    sdx, sdout, sw, geom = check.conv2d_t_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, geom, B)
    sums = _window_sums(dout, w, [0] * geom[3], geom, B)
    _store(dx, sdx, sums, sdout[EXPONENT] + sw[EXPONENT])


def conv2d_t_step_q8(w, rest, sw, b, dout, sdout, x, sx, rates, geom, B):
    """w (K, R, S, C), rest the same or (0), sw -= rate * (x (B, OH, OW, K) corr dout (B, H, W,
    C)); b (C) -= rate * dout.sum(0, 1, 2); rates (3); sw, sdout, sx (6): records; geom (14) of the
    convolution from dout to x
    """
    sw, b, sdout, sx, rates, geom = check.conv2d_t_step_q8(
        w, rest, sw, b, dout, sdout, x, sx, rates, geom, B
    )
    e, C = sdout[EXPONENT], geom[2]
    sums = _column_sums(dout, len(dout) // C if C else 0, C)
    _step(w, rest, b, sw, _weight_sums(dout, x, geom, B), sums, e + sx[EXPONENT], e, rates)


# ---- depthwise convolution -----------------------------------------------------------------


def depthwise_fwd_q8(out, so, x, sx, w, sw, b, geom, B):
    """out (B, OH, OW, C), so = x (B, H, W, C) conv w (R, S, C) channel by channel + b (C); so, sx,
    sw (6): records; geom (14) with K = C
    """
    so, sx, sw, b, geom = check.depthwise_fwd_q8(out, so, x, sx, w, sw, b, geom, B)
    e, C = sx[EXPONENT] + sw[EXPONENT], geom[2]
    start, sums = _biases(b, e), []
    for _, window in windows(geom, B):
        for c in range(C):
            products = [s8(x[pixel * C + c]) * s8(w[tap * C + c]) for pixel, tap in window]
            sums.append(start[c] + sum(products))
    _store(out, so, sums, e)


def depthwise_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, geom, B):
    """dx (B, H, W, C), sdx = gradient of depthwise_fwd_q8 at dout (B, OH, OW, C), w (R, S, C);
    sdx, sdout, sw (6): records; geom (14) with K = C
    """
    sdx, sdout, sw, geom = check.depthwise_bwd_dx_q8(dx, sdx, dout, sdout, w, sw, geom, B)
    C, sums = geom[2], [0] * len(dx)
    for at, window in windows(geom, B):
        for pixel, tap in window:
            for c in range(C):
                sums[pixel * C + c] += s8(dout[at * C + c]) * s8(w[tap * C + c])
    _store(dx, sdx, sums, sdout[EXPONENT] + sw[EXPONENT])


def depthwise_step_q8(w, rest, sw, b, dout, sdout, x, sx, rates, geom, B):
    """w (R, S, C), rest the same or (0), sw -= rate * (dout (B, OH, OW, C) corr x (B, H, W, C))
    channel by channel; b (C) -= rate * dout.sum(0, 1, 2); rates (3); sw, sdout, sx (6): records;
    geom (14) with K = C
    """
    sw, b, sdout, sx, rates, geom = check.depthwise_step_q8(
        w, rest, sw, b, dout, sdout, x, sx, rates, geom, B
    )
    _, _, C, _, R, S = geom[:6]
    e, grads = sdout[EXPONENT], [0] * (R * S * C)
    for at, window in windows(geom, B):
        for pixel, tap in window:
            for c in range(C):
                grads[tap * C + c] += s8(dout[at * C + c]) * s8(x[pixel * C + c])
    sums = _column_sums(dout, len(dout) // C if C else 0, C)
    _step(w, rest, b, sw, grads, sums, e + sx[EXPONENT], e, rates)


# ---- activations, sums, pools --------------------------------------------------------------


def relu_fwd_q8(out, x):
    """out (n) = max(x (n), 0); out may be x"""
    for i in range(check.relu_fwd_q8(out, x)):
        store_s8(out, i, max(s8(x[i]), 0))


def relu_bwd_dx_q8(dx, dout, out):
    """dx (n) = dout (n) where out (n) > 0, else 0; dx may be dout"""
    for i in range(check.relu_bwd_dx_q8(dx, dout, out)):
        store_s8(dx, i, s8(dout[i]) if s8(out[i]) > 0 else 0)


def _six(record):
    """6 in units of 2**-e, where that is a value, else 128."""
    return min(_round(6, -record[EXPONENT]), 128)


def relu6_fwd_q8(out, x, sx):
    """out (n) = min(max(x (n), 0), 6); sx (6): record; out may be x"""
    n, sx = check.relu6_fwd_q8(out, x, sx)
    top = _six(sx)
    for i in range(n):
        store_s8(out, i, clamp(s8(x[i]), 0, top))


def relu6_bwd_dx_q8(dx, dout, out, sx):
    """dx (n) = dout (n) where 0 < out (n) < 6, else 0; sx (6): record of out; dx may be dout"""
    n, sx = check.relu6_bwd_dx_q8(dx, dout, out, sx)
    top = _six(sx)
    for i in range(n):
        store_s8(dx, i, s8(dout[i]) if 0 < s8(out[i]) < top else 0)


def add_q8(out, so, a, sa, b, sb):
    """out (n), so = a (n) + b (n), each of its own scale; so, sa, sb (6): records; out may be a"""
    n, so, sa, sb = check.add_q8(out, so, a, sa, b, sb)
    e = max(sa[EXPONENT], sb[EXPONENT])
    left = [min(e - record[EXPONENT], 20) for record in (sa, sb)]
    sums = [(s8(a[i]) << left[0]) + (s8(b[i]) << left[1]) for i in range(n)]
    _store(out, so, sums, e)


def maxpool_bwd_dx_q8(dx, sdx, dout, sdout, x, geom, B):
    """dx (B, H, W, C), sdx = dout (B, OH, OW, C) at the first largest x (B, H, W, C) of each
    window; sdx, sdout (6): records; geom (14) with K = C
    """
    sdx, sdout, geom = check.maxpool_bwd_dx_q8(dx, sdx, dout, sdout, x, geom, B)
    C, sums = geom[2], [0] * len(dx)
    for at, window in windows(geom, B):
        for c in range(C if window else 0):
            best = window[0][0]
            for pixel, _ in window:
                if s8(x[pixel * C + c]) > s8(x[best * C + c]):
                    best = pixel
            sums[best * C + c] += s8(dout[at * C + c])
    _store(dx, sdx, sums, sdout[EXPONENT])


def _reciprocal(n):
    return ((1 << _RECIPROCAL_BITS) + n // 2) // n


def avgpool_fwd_q8(out, so, x, sx, geom, B):
    """out (B, OH, OW, C), so = mean of x (B, H, W, C) over each window, padding not counted; so,
    sx (6): records; geom (14) with K = C
    """
    so, sx, geom = check.avgpool_fwd_q8(out, so, x, sx, geom, B)
    C, sums = geom[2], []
    for _, window in windows(geom, B):
        part = _reciprocal(len(window)) if window else 0
        for c in range(C):
            sums.append(part * sum([s8(x[pixel * C + c]) for pixel, _ in window]))
    _store(out, so, sums, sx[EXPONENT] + _RECIPROCAL_BITS)


def avgpool_bwd_dx_q8(dx, sdx, dout, sdout, geom, B):
    """dx (B, H, W, C), sdx = gradient of avgpool_fwd_q8 at dout (B, OH, OW, C); sdx, sdout (6):
    records; geom (14) with K = C
    """
    sdx, sdout, geom = check.avgpool_bwd_dx_q8(dx, sdx, dout, sdout, geom, B)
    C, sums = geom[2], [0] * len(dx)
    for at, window in windows(geom, B):
        for pixel, _ in window:
            for c in range(C):
                sums[pixel * C + c] += _reciprocal(len(window)) * s8(dout[at * C + c])
    sums = [clamp(acc, -0x7FFFFFFF, 0x7FFFFFFF) for acc in sums]
    _store(dx, sdx, sums, sdout[EXPONENT] + _RECIPROCAL_BITS)


# ---- between float32 and q8 ----------------------------------------------------------------


def quantize_q8(out, so, x):
    """out (n), so = x (n), NaN as 0; so (6): record"""
    so, n = check.quantize_q8(out, so, x)
    sums = []
    for i in range(n):
        v = x[i]
        v = math.ldexp(v, so[EXPONENT] + 8) if v == v else 0
        sums.append(-_MOST if v <= -_MOST else _MOST if v >= _MOST else math.floor(v))
    _store(out, so, sums, so[EXPONENT] + 8)


def dequantize_q8(out, x, sx):
    """out (n) = x (n); sx (6): record"""
    sx, n = check.dequantize_q8(out, x, sx)
    for i in range(n):
        out[i] = math.ldexp(s8(x[i]), -sx[EXPONENT])


# ---- scales --------------------------------------------------------------------------------


def clear_q8(records):
    """records (n, 6): forget the largest magnitudes and the counts"""
    records = check.clear_q8(records)
    for at in range(0, len(records), RECORD):
        records[at + LARGEST] = records[at + SATURATED] = records[at + COUNTED] = 0


def _lost(saturated, counted):
    """Whether more than 0.5 % were clamped."""
    return saturated * 200 > counted


def _change(record, at, by):
    """Moves an exponent; magnitudes are in units of the new one then."""
    for i in (LARGEST, RANGE):
        v = record[at + i]
        record[at + i] = min(v << by, _MOST) if by > 0 else v >> -by
    record[at + EXPONENT] += by


def follow_q8(records):
    """records (n, 6): moves the exponents, once per step, by what the kernels noted: the range
    follows the largest magnitude by an eighth; an exponent falls where more than 0.5 % were
    clamped or the range is too wide, and rises where a bit is unused. Returns how many moved.
    """
    records, moved = check.follow_q8(records), 0
    for at in range(0, len(records), RECORD):
        if not records[at + COUNTED]:
            continue
        largest, width = records[at + LARGEST], records[at + RANGE]
        width += (largest - width) >> 3
        if not records[at + RANGE]:
            width = largest
        lost = _lost(records[at + SATURATED], records[at + COUNTED])
        if lost:
            width = max(width, largest >> 1)
        records[at + RANGE] = width
        by = 0
        while (width >> -by) > _FULL or (lost and not by):
            by -= 1
        while not by < 0 and width and width << by < _NARROW:
            by += 1
        by = clamp(records[at + EXPONENT] + by, -MOST_EXPONENT, MOST_EXPONENT)
        by -= records[at + EXPONENT]
        _change(records, at, by)
        moved += by != 0
    return moved


def rescale_q8(w, rest, sw):
    """w (n), rest (n) or (0), sw: half of the weights' numbers where more than 0.5 % were clamped,
    twice where a bit is unused; their values stay, but for rounding. sw (6): record
    """
    sw, n = check.rescale_q8(w, rest, sw)
    if not sw[COUNTED]:
        return
    down = _lost(sw[SATURATED], sw[COUNTED]) and sw[EXPONENT] > -MOST_EXPONENT
    if not down and (sw[LARGEST] >= 40 << 8 or sw[EXPONENT] >= 24 or not sw[LARGEST]):
        return
    wide, random = len(rest) > 0, sw[RANDOM] & 0xFFFFFFFF
    most = 127 << 8 if wide else 127
    for i in range(n):
        v = 256 * s8(w[i]) + s8(rest[i]) if wide else s8(w[i])
        bit = ((random + i * _GOLDEN) & 0xFFFFFFFF) >> 31
        v = (v + bit) >> 1 if down else clamp(2 * v, -most, most)
        if wide:
            store_s8(w, i, (v + 128) >> 8)
            store_s8(rest, i, v - ((v + 128) >> 8 << 8))
        else:
            store_s8(w, i, v)
    random = _next(random)
    sw[RANDOM] = random - (random >> 31 << 32)
    _change(sw, 0, -1 if down else 1)


def decay_q8(w, rest, sw, rates):
    """w (n), rest (n) or (0), sw -= rate * w; rates (3); sw (6): record"""
    sw, rates, n = check.decay_q8(w, rest, sw, rates)
    grads = [256 * s8(w[i]) + s8(rest[i]) if len(rest) else s8(w[i]) for i in range(n)]
    e = sw[EXPONENT] + (8 if len(rest) else 0)
    _step(w, rest, array("i"), sw, grads, (), e, 0, rates)


def _part(v, rates):
    """rate * v, rounded to nearest."""
    return _round(v * rates[0], max(rates[1], -31))


def carry_q8(w, sw, v, sv, b, p, rates, drops):
    """w (n), sw += rate * v (n); b (m) += rate * p (m); then v, sv -= drop * v, and p -= drop * p:
    weights and biases go on by their velocities, of which a part goes. rates, drops (3); sw, sv
    (6): records; b and p have 24 bits behind the point
    """
    sw, sv, b, p, rates, drops, n = check.carry_q8(w, sw, v, sv, b, p, rates, drops)
    e, velocity = sv[EXPONENT], [s8(v[i]) for i in range(n)]
    _step(w, (), (), sw, [-v for v in velocity], (), e, 0, rates)
    _step(v, (), (), sv, velocity, (), e, 0, drops)
    for k in range(len(b)):
        b[k] = clamp(b[k] + _part(p[k], rates), -_MOST, _MOST)
        p[k] = clamp(p[k] - _part(p[k], drops), -_MOST, _MOST)


def clip_q8(clipped, rates, total, limit):
    """clipped (3) = rates (3) * 2**-n, n the least from 0 to 64 with which a sum of squares total
    <= limit * 4**n: gradients of this norm times 2**-n have at most the norm sqrt(limit). total,
    limit (6): records, of largest * 2**-e
    """
    clipped, rates, total, limit = check.clip_q8(clipped, rates, total, limit)
    left, n = total[EXPONENT] - limit[EXPONENT], 0
    while n < _MOST_SHIFT and total[LARGEST] << max(-left, 0) > limit[LARGEST] << max(left, 0):
        left, n = left + 2, n + 1
    clipped[0], clipped[1], clipped[2] = rates[0], min(rates[1] + n, _MOST_SHIFT), rates[2]


# ---- chosen channels -----------------------------------------------------------------------


def copy_parts_q8(out, x, parts, P, M, N):
    """out (P, M)[:, to : to + C] = x (P, N)[:, at : at + C] for each part of parts (n, 3): to, at,
    C; the rest of out stays
    """
    parts = check.copy_parts_q8(out, x, parts, P, M, N)
    for p in range(P):
        for i in range(0, len(parts), 3):
            to, at = p * M + parts[i], p * N + parts[i + 1]
            for c in range(parts[i + 2]):
                store_s8(out, to + c, s8(x[at + c]))


# ---- what a sample keeps -------------------------------------------------------------------


def keep_largest_q8(out, state, sums, kept, dout, sdout, shares, B, P, M):
    """out (B, P, M) = dout (B, P, M) of the channels with the largest sums of abs(dout), sample by
    sample: max(floor((least + e / e_max (most - least)) M), 1) of them, 0 in the others; e = the
    sample's total, e_max = state[0], the largest so far; shares (2) = least, most; state (2): its
    second is the running mean of the share that is kept; sums (M), kept (M): of the last sample, 1
    in what it keeps; sdout (6): record; out may be dout
    """
    sums, kept, sdout = check.keep_largest_q8(out, state, sums, kept, dout, sdout, shares, B, P, M)
    least, most = shares[0], shares[1]
    for b in range(B if M else 0):
        at, k = b * P * M, M
        for m in range(M):
            sums[m] = sum([abs(s8(dout[at + p * M + m])) for p in range(P)])
        own = [sums[m] for m in range(M)]
        if any(own):
            total = math.ldexp(sum(own), -sdout[EXPONENT])
            state[0] = max(state[0], total)
            share = least + min(total / state[0], 1.0) * (most - least)
            k = max(min(int(share * M + ROUNDED), M), 1)
        largest = sorted(range(M), key=lambda m: (-own[m], m))[:k]
        for m in range(M):
            kept[m] = 1 if own[m] and m in largest else 0
            for i in range(at + m, at + P * M, M):
                store_s8(out, i, s8(dout[i]) * kept[m])
        state[1] += (sum([kept[m] for m in range(M)]) / M - state[1]) * NEW

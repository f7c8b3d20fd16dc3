"""int8 inference as TensorFlow Lite specifies it, written from the specification alone.

Plain loops over NHWC arrays of Python-sized integers, its own requantization with the
specification's two roundings (a nudged, truncating division; then a rounding shift), in dense
layers with the one of its interpreter. It shares nothing with the kernels and is asked for valid
models only, where nothing overflows.
"""

from fractions import Fraction
from math import floor

import numpy as np

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def truncating_division(a, b):
    """As C divides: towards zero."""
    return -(-a // b) if a < 0 else a // b


def saturating_rounding_doubling_high_mul(a, b):
    if a == b == INT32_MIN:
        return INT32_MAX
    product = a * b
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    return truncating_division(product + nudge, 1 << 31)


def rounding_divide_by_pot(x, exponent):
    mask = (1 << exponent) - 1
    remainder = x & mask
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if remainder > threshold else 0)


def multiply_by_quantized_multiplier(x, multiplier, shift):
    left = shift if shift > 0 else 0
    right = 0 if shift > 0 else -shift
    x *= 1 << left
    assert INT32_MIN <= x <= INT32_MAX, "not a valid model"
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(x, multiplier), right)


def rounded_once(x, multiplier, shift):
    """The nearest integer of the real product, halves upwards."""
    y = floor(Fraction(x * multiplier, 1 << 31) * Fraction(2) ** shift + Fraction(1, 2))
    assert INT32_MIN <= y <= INT32_MAX, "not a valid model"
    return y


def finish(acc, multiplier, shift, q, scaled=multiply_by_quantized_multiplier):
    assert INT32_MIN <= acc <= INT32_MAX, "not a valid model"
    _, output_zero_point, low, high = q
    return min(max(scaled(acc, multiplier, shift) + output_zero_point, low), high)


def taps(geom, out_y, out_x):
    """(filter_y, filter_x, in_y, in_x) of every tap that lies inside the input."""
    H, W, _, _, R, S, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w, _, _ = geom
    for filter_y in range(R):
        for filter_x in range(S):
            in_y = out_y * stride_h - pad_top + filter_y * dil_h
            in_x = out_x * stride_w - pad_left + filter_x * dil_w
            if 0 <= in_y < H and 0 <= in_x < W:
                yield filter_y, filter_x, in_y, in_x


def each_output(geom, batches, channels):
    for batch in range(batches):
        for out_y in range(geom[12]):
            for out_x in range(geom[13]):
                for channel in range(channels):
                    yield batch, out_y, out_x, channel


def ints(buf, *shape):
    """An int8 buffer as Python integers of that shape."""
    return np.frombuffer(bytes(buf), np.int8).astype(object).reshape(shape)


def conv2d(x, w, bias, mult, shift, geom, q, batches):
    H, W, C, K, R, S = geom[:6]
    x, w = ints(x, batches, H, W, C), ints(w, K, R, S, C)
    out = np.zeros((batches, geom[12], geom[13], K), np.int8)
    for n, oy, ox, k in each_output(geom, batches, K):
        acc = 0
        for fy, fx, iy, ix in taps(geom, oy, ox):
            for c in range(C):
                acc += w[k, fy, fx, c] * (x[n, iy, ix, c] - q[0])
        out[n, oy, ox, k] = finish(acc + bias[k], mult[k], shift[k], q)
    return out.tobytes()


def transposed(x, w, bias, mult, shift, geom, q, batches):
    """x (B, OH, OW, K), w (C, R, S, K): each input is scattered over its sums."""
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geom
    x, w = ints(x, batches, OH, OW, K), ints(w, C, R, S, K)
    sums = np.zeros((batches, H, W, C), object)
    for n, in_y, in_x, k in each_output(geom, batches, K):
        for fy, fx, oy, ox in taps(geom, in_y, in_x):
            for c in range(C):
                sums[n, oy, ox, c] += (x[n, in_y, in_x, k] - q[0]) * w[c, fy, fx, k]
    out = np.zeros((batches, H, W, C), np.int8)
    for n, oy, ox, c in np.ndindex(*out.shape):
        out[n, oy, ox, c] = finish(sums[n, oy, ox, c] + bias[c], mult[c], shift[c], q)
    return out.tobytes()


def depthwise(x, w, bias, mult, shift, geom, q, batches):
    H, W, C, _, R, S = geom[:6]
    x, w = ints(x, batches, H, W, C), ints(w, R, S, C)
    out = np.zeros((batches, geom[12], geom[13], C), np.int8)
    for n, oy, ox, c in each_output(geom, batches, C):
        acc = 0
        for fy, fx, iy, ix in taps(geom, oy, ox):
            acc += w[fy, fx, c] * (x[n, iy, ix, c] - q[0])
        out[n, oy, ox, c] = finish(acc + bias[c], mult[c], shift[c], q)
    return out.tobytes()


def fully_connected(x, w, bias, mult, shift, q, batches, depth, units):
    x, w = ints(x, batches, depth), ints(w, units, depth)
    out = np.zeros((batches, units), np.int8)
    for n in range(batches):
        for m in range(units):
            acc = 0
            for d in range(depth):
                acc += w[m, d] * (x[n, d] - q[0])
            out[n, m] = finish(acc + bias[m], mult[m], shift[m], q, rounded_once)
    return out.tobytes()


def average_pool(x, geom, q, batches):
    H, W, C = geom[:3]
    x = ints(x, batches, H, W, C)
    out = np.zeros((batches, geom[12], geom[13], C), np.int8)
    for n, oy, ox, c in each_output(geom, batches, C):
        acc = count = 0
        for _, _, iy, ix in taps(geom, oy, ox):
            acc += x[n, iy, ix, c]
            count += 1
        half = count // 2
        acc = truncating_division(acc + half if acc > 0 else acc - half, count)
        out[n, oy, ox, c] = min(max(acc, q[2]), q[3])
    return out.tobytes()


def max_pool(x, geom, q, batches):
    H, W, C = geom[:3]
    x = ints(x, batches, H, W, C)
    out = np.zeros((batches, geom[12], geom[13], C), np.int8)
    for n, oy, ox, c in each_output(geom, batches, C):
        largest = -128
        for _, _, iy, ix in taps(geom, oy, ox):
            largest = max(largest, x[n, iy, ix, c])
        out[n, oy, ox, c] = min(max(largest, q[2]), q[3])
    return out.tobytes()


def add(a, b, q):
    """q: zero points of a, b and the result, activation range, left shift, three multipliers."""
    a, b = ints(a, len(a)), ints(b, len(b))
    out = np.zeros(len(a), np.int8)
    for i in range(len(a)):
        left, right = (a[i] - q[0]) * (1 << q[5]), (b[i] - q[1]) * (1 << q[5])
        total = multiply_by_quantized_multiplier(left, q[6], q[7])
        total += multiply_by_quantized_multiplier(right, q[8], q[9])
        y = multiply_by_quantized_multiplier(total, q[10], q[11]) + q[2]
        out[i] = min(max(y, q[3]), q[4])
    return out.tobytes()


def requantize(x, multiplier, shift, q):
    out = [finish(v - q[0], multiplier, shift, q) for v in ints(x, len(x))]
    return np.array(out, np.int8).tobytes()


# ---- softmax: gemmlowp's fixed-point numbers, written as their raw integers ------------------


def saturating(x):
    return max(INT32_MIN, min(INT32_MAX, x))


def times(a, b):
    """Product of two fixed-point numbers: their integer bits add up."""
    return saturating_rounding_doubling_high_mul(a, b)


def exp_on_negative_values(a):
    """exp of a <= 0 with 5 integer bits, as a number with none."""
    if a == 0:
        return INT32_MAX
    one_quarter = 1 << 24
    part = (a & (one_quarter - 1)) - one_quarter  # of the last quarter
    x = saturating(part << 5) + (1 << 28)  # with no integer bits, around -1/8
    x2 = times(x, x)
    x3, x4 = times(x2, x), times(x2, x2)
    thirds = times(rounding_divide_by_pot(x4, 2) + x3, 715827883) + x2
    result = 1895147668 + times(1895147668, x + rounding_divide_by_pot(thirds, 1))
    factors = 1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242
    for exponent, factor in enumerate(factors, -2):  # exp(-2**exponent)
        if (part - a) & (1 << 26 + exponent):
            result = times(result, factor)
    return result


def softmax_exponentials(multiplier, left_shift, diff_min):
    """The numbers that SOFTMAX computes for each difference from a row's largest."""
    values = []
    for diff in range(0, -256, -1):
        scaled = times(saturating(diff << left_shift), multiplier)
        values.append(exp_on_negative_values(scaled) if diff >= diff_min else 0)
    return values


def one_over_one_plus_x(a):
    """1 / (1 + a) for 0 <= a < 1; both with no integer bits."""
    half_denominator = (a + INT32_MAX + 1) // 2
    x = 1515870810 + times(half_denominator, -1010580540)
    for _ in range(3):
        one_minus = (1 << 29) - times(half_denominator, x)
        x += saturating(times(x, one_minus) << 2)
    return saturating(x << 1)


def softmax(x, exponentials, batches, depth):
    out = np.zeros((batches, depth), np.int8)
    for n, row in enumerate(ints(x, batches, depth)):
        e = [exponentials[max(row) - v] for v in row]
        total = sum(rounding_divide_by_pot(v, 12) for v in e)
        headroom = 32 - int(total).bit_length()
        scale = one_over_one_plus_x((total << headroom) - (1 << 31))
        exponent = 12 - headroom + 31 - 8
        assert exponent <= 31, "not a valid model"
        for k in range(depth):
            y = rounding_divide_by_pot(times(scale, e[k]), exponent) - 128
            out[n, k] = min(max(y, -128), 127)
    return out.tobytes()

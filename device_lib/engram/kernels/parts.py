"""Parts that the definitions share: windows, two's complement, requantization, packed latents."""

# Of the three generators that draw_batch combines.
MODULI = (32363, 31727, 31657)
NO_LABEL = 254  # of a sample without an answer


def add_rows(out, a, rows, columns):
    for j in range(columns):
        acc = 0.0
        for i in range(rows):
            acc += a[i * columns + j]
        out[j] += acc


def _taps(i, size, taps, stride, pad, dil):
    """Pairs (tap, input position) of output position i along one axis that meet the input."""
    start = i * stride - pad
    return [(t, start + t * dil) for t in range(taps) if 0 <= start + t * dil < size]


def windows(geom, B):
    """For every output position its index and its window: pairs (pixel, tap) inside the input.

    Positions count through (B, OH, OW), pixels through (B, H, W), taps through (R, S).
    """
    H, W, _, _, R, S, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w, OH, OW = geom
    at = 0
    for i in range(B):
        for oh in range(OH):
            rows = _taps(oh, H, R, stride_h, pad_top, dil_h)
            for ow in range(OW):
                columns = _taps(ow, W, S, stride_w, pad_left, dil_w)
                yield at, [((i * H + h) * W + w, r * S + s) for r, h in rows for s, w in columns]
                at += 1


def framed(B, H, W, C, OH, OW, top, left):
    """Pairs (element of images (B, H, W, C), where it lies in the padded ones (B, OH, OW, C))."""
    for row in range(B * H):
        first = ((row // H * OH + top + row % H) * OW + left) * C
        for i in range(W * C):
            yield row * W * C + i, first + i


def s8(v):
    """An element of any 8-bit buffer as two's complement."""
    return (v & 255 ^ 128) - 128


def store_s8(out, i, v):
    try:
        out[i] = v & 255
    except (OverflowError, ValueError):  # array('b') takes it signed
        out[i] = v


def clamp(v, low, high):
    return low if v < low else high if v > high else v


def wrap(v):
    """v as an int32, modulo 2**32: only an invalid model gets beyond it."""
    return ((v + 2147483648) & 0xFFFFFFFF) - 2147483648


def requantize(acc, mult, shift):
    """MultiplyByQuantizedMultiplier: acc * mult / 2**31 * 2**shift, rounded twice."""
    left, right = (shift, 0) if shift > 0 else (0, -shift)
    high = (wrap(acc << left) * mult + (1 << 30)) >> 31
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def requantize_once(acc, mult, shift):
    """The same rounded once, halves upwards."""
    return wrap((acc * mult + (1 << 30 - shift)) >> 31 - shift)


def finish_s8(out, at, acc, mult, shift, q, scaled=requantize):
    """Element `at` of an int8 result from its sum."""
    store_s8(out, at, clamp(scaled(wrap(acc), mult, shift) + q[1], q[2], q[3]))


def packed_size(n, bits):
    """Bytes of n packed elements."""
    return (n * bits + 7) // 8


def fields(x, n, bits):
    """The n elements of a packed buffer, 0 to 2**bits - 1."""
    word = count = at = 0
    for _ in range(n):
        if count < bits:
            word |= (x[at] & 255) << count
            at += 1
            count += 8
        yield word & (1 << bits) - 1
        word >>= bits
        count -= bits


def slot_at(layout, slot):
    """Offset of a slot in the log."""
    unit, index = slot // layout[0], slot % layout[0]
    return unit * layout[1] + layout[2] + index * layout[3]

"""The kernels in plain Python, over the buffer protocol alone: their definition.

Slow, and always right: the last backend chosen, and the reference the others are held to.
Buffers are flat and row-major. float32 is array('f'); 8-bit is bytes, bytearray, array('B')
or array('b'), read as two's complement; int32 is array('i'). Capitals are int dimensions:

    B batch  C in-channels  K out-channels or classes  H W height, width  OH OW of the output
    R S of the kernel  N features in  M features out  P positions;  images NHWC, weights KRSC
    geom (14) = H W C K R S stride_h stride_w pad_top pad_left dil_h dil_w OH OW
    q (4) = in_zp out_zp act_min act_max       qp (2) = scale, zero_point

Written buffers come first, and nothing is written unless every argument is right: ValueError
and TypeError name the kernel, the argument, what was expected and what came. A written buffer
shares memory with no other argument, except where a line here says "may be". `_fwd` and `_dx`
overwrite, `_dw` adds. Only check_finite returns something of meaning.
"""

import math
from array import array

# ---- checks --------------------------------------------------------------------------------

_TYPES = {  # letter: words, typecodes, bytes an element
    "F": ("a writable float32 buffer (array 'f')", "f", 4),
    "f": ("a float32 buffer (array 'f')", "f", 4),
    "o": ("a float32 buffer (array 'f') or None", "f", 4),
    "B": ("a writable 8-bit buffer (bytearray, array 'b' or 'B')", "bBc", 1),
    "b": ("an 8-bit buffer (bytes, bytearray, array 'b' or 'B')", "bBc", 1),
    "l": ("an int32 buffer (array 'i')", "il", 4),
}


def _refuse_type(kernel, name, expected, got):
    raise TypeError("%s: %s: expected %s, got %s" % (kernel, name, expected, got))


def _ints(kernel, *rows):
    """Each row (name, value, least): an int, not a bool, of at least that."""
    for name, value, least in rows:
        if not isinstance(value, int) or isinstance(value, bool):
            _refuse_type(kernel, name, "an int", type(value).__name__)
        if not -(2**30) <= value < 2**30:
            raise ValueError(
                "%s: %s: expected an int from -2**30 to 2**30 - 1" % (kernel, name)
            )
        if value < least:
            raise ValueError(
                "%s: %s: expected an int of at least %d, got %d" % (kernel, name, least, value)
            )


def _buffer(kernel, letter, name, buf, expected=None):
    """A buffer of the letter's type with `expected` elements (None: any). Returns its length."""
    if letter == "o" and buf is None:
        return 0
    words, codes, size = _TYPES[letter]
    try:
        view = memoryview(buf)
    except TypeError:
        _refuse_type(kernel, name, words, type(buf).__name__)
    code = getattr(view, "format", None)  # MicroPython's memoryview does not tell
    if code is not None and (code not in codes or view.itemsize != size):
        _refuse_type(kernel, name, words, "typecode '%s'" % code)
    if letter in "FB" and (isinstance(buf, bytes) or getattr(view, "readonly", False)):
        _refuse_type(kernel, name, words, "a read-only one")
    if expected is not None and len(view) != expected:
        raise ValueError(
            "%s: %s: expected %d elements for its shape, got %d"
            % (kernel, name, expected, len(view))
        )
    return len(view)


def _entry(kernel, name, buf, i, low, high):
    """Element i of buf is from low to high."""
    if not low <= buf[i] <= high:
        raise ValueError(
            "%s: %s: entry %d: expected %d to %d, got %d" % (kernel, name, i, low, high, buf[i])
        )


def _geom(kernel, geom, channelwise=False):
    """geom describes windows that each start inside the padded input. Returns its entries."""
    _buffer(kernel, "l", "geom", geom, 14)
    for i in range(14):
        _entry(kernel, "geom", geom, i, 0 if i in (8, 9) else 1, 32767)
    if channelwise:
        _entry(kernel, "geom", geom, 3, geom[2], geom[2])
    for axis in range(2):
        reach = (geom[4 + axis] - 1) * geom[10 + axis]
        _entry(kernel, "geom", geom, 8 + axis, 0, reach)
        most = (geom[axis] - 1 + geom[8 + axis]) // geom[6 + axis] + 1
        _entry(kernel, "geom", geom, 12 + axis, 1, most)
    return tuple(geom)


def _quant(kernel, qp):
    _buffer(kernel, "f", "qp", qp, 2)
    scale, zero_point = qp[0], qp[1]
    if not (scale > 0 and scale - scale == 0 and -128 <= zero_point <= 127):
        zero_point = 0.5
    if zero_point != int(zero_point):
        raise ValueError(
            "%s: qp: expected scale > 0 and an integer zero_point from -128 to 127" % kernel
        )
    return scale, int(zero_point)


def _channels(kernel, bias, mult, shift, K):
    for name, buf in (("bias", bias), ("mult", mult), ("shift", shift)):
        _buffer(kernel, "l", name, buf, K)
    for k in range(K):
        _entry(kernel, "mult", mult, k, 0, 2147483647)
        _entry(kernel, "shift", shift, k, -31, 30)


def _q(kernel, q):
    _buffer(kernel, "l", "q", q, 4)
    for i in range(4):
        _entry(kernel, "q", q, i, q[2] if i == 3 else -128, 127)
    return tuple(q)


# ---- dense ---------------------------------------------------------------------------------


def dense_fwd(out, x, w, b, B, N, M):
    """out (B, M) = x (B, N) @ w (M, N).T + b (M) or None"""
    kernel = "dense_fwd"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "F", "out", out, B * M)
    _buffer(kernel, "f", "x", x, B * N)
    _buffer(kernel, "f", "w", w, M * N)
    _buffer(kernel, "o", "b", b, M)
    for i in range(B):
        for m in range(M):
            acc = 0.0
            for n in range(N):
                acc += x[i * N + n] * w[m * N + n]
            out[i * M + m] = acc if b is None else acc + b[m]


def dense_bwd_dx(dx, dout, w, B, N, M):
    """dx (B, N) = dout (B, M) @ w (M, N)"""
    kernel = "dense_bwd_dx"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "F", "dx", dx, B * N)
    _buffer(kernel, "f", "dout", dout, B * M)
    _buffer(kernel, "f", "w", w, M * N)
    for i in range(B):
        for n in range(N):
            acc = 0.0
            for m in range(M):
                acc += dout[i * M + m] * w[m * N + n]
            dx[i * N + n] = acc


def dense_bwd_dw(dw, db, dout, x, B, N, M):
    """dw (M, N) += dout (B, M).T @ x (B, N); db (M) += dout.sum(0)"""
    kernel = "dense_bwd_dw"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "F", "dw", dw, M * N)
    _buffer(kernel, "F", "db", db, M)
    _buffer(kernel, "f", "dout", dout, B * M)
    _buffer(kernel, "f", "x", x, B * N)
    for m in range(M):
        for n in range(N):
            acc = 0.0
            for i in range(B):
                acc += dout[i * M + m] * x[i * N + n]
            dw[m * N + n] += acc
    _add_rows(db, dout, B, M)


def _add_rows(out, a, rows, columns):
    for j in range(columns):
        acc = 0.0
        for i in range(rows):
            acc += a[i * columns + j]
        out[j] += acc


# ---- convolution ---------------------------------------------------------------------------


def _taps(i, size, taps, stride, pad, dil):
    """Pairs (tap, input position) of output position i along one axis that meet the input."""
    start = i * stride - pad
    return [(t, start + t * dil) for t in range(taps) if 0 <= start + t * dil < size]


def conv2d_fwd(out, x, w, b, geom, B):
    """out (B, OH, OW, K) = x (B, H, W, C) conv w (K, R, S, C) + b (K) or None; geom (14)"""
    kernel = "conv2d_fwd"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, sh, sw, ph, pw, dh, dw, OH, OW = _geom(kernel, geom)
    _buffer(kernel, "F", "out", out, B * OH * OW * K)
    _buffer(kernel, "f", "x", x, B * H * W * C)
    _buffer(kernel, "f", "w", w, K * R * S * C)
    _buffer(kernel, "o", "b", b, K)
    at = 0
    for i in range(B):
        for oh in range(OH):
            rows = _taps(oh, H, R, sh, ph, dh)
            for ow in range(OW):
                columns = _taps(ow, W, S, sw, pw, dw)
                for k in range(K):
                    acc = 0.0
                    for r, ih in rows:
                        for s, iw in columns:
                            xi = ((i * H + ih) * W + iw) * C
                            wi = ((k * R + r) * S + s) * C
                            for c in range(C):
                                acc += x[xi + c] * w[wi + c]
                    out[at] = acc if b is None else acc + b[k]
                    at += 1


def conv2d_bwd_dx(dx, dout, w, geom, B):
    """dx (B, H, W, C) = gradient of conv2d_fwd at dout (B, OH, OW, K), w (K, R, S, C); geom (14)"""
    kernel = "conv2d_bwd_dx"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, sh, sw, ph, pw, dh, dw, OH, OW = _geom(kernel, geom)
    _buffer(kernel, "F", "dx", dx, B * H * W * C)
    _buffer(kernel, "f", "dout", dout, B * OH * OW * K)
    _buffer(kernel, "f", "w", w, K * R * S * C)
    for i in range(len(dx)):
        dx[i] = 0.0
    for i in range(B):
        for oh in range(OH):
            rows = _taps(oh, H, R, sh, ph, dh)
            for ow in range(OW):
                columns = _taps(ow, W, S, sw, pw, dw)
                for k in range(K):
                    d = dout[((i * OH + oh) * OW + ow) * K + k]
                    for r, ih in rows:
                        for s, iw in columns:
                            xi = ((i * H + ih) * W + iw) * C
                            wi = ((k * R + r) * S + s) * C
                            for c in range(C):
                                dx[xi + c] += d * w[wi + c]


def conv2d_bwd_dw(dw, db, dout, x, geom, B):
    """dw (K, R, S, C) += dout (B, OH, OW, K) corr x (B, H, W, C); db (K) += dout.sum(0, 1, 2); geom (14)"""
    kernel = "conv2d_bwd_dw"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, sh, sw, ph, pw, dh, dil_w, OH, OW = _geom(kernel, geom)
    _buffer(kernel, "F", "dw", dw, K * R * S * C)
    _buffer(kernel, "F", "db", db, K)
    _buffer(kernel, "f", "dout", dout, B * OH * OW * K)
    _buffer(kernel, "f", "x", x, B * H * W * C)
    for i in range(B):
        for oh in range(OH):
            rows = _taps(oh, H, R, sh, ph, dh)
            for ow in range(OW):
                columns = _taps(ow, W, S, sw, pw, dil_w)
                for k in range(K):
                    d = dout[((i * OH + oh) * OW + ow) * K + k]
                    for r, ih in rows:
                        for s, iw in columns:
                            xi = ((i * H + ih) * W + iw) * C
                            wi = ((k * R + r) * S + s) * C
                            for c in range(C):
                                dw[wi + c] += d * x[xi + c]
    _add_rows(db, dout, B * OH * OW, K)


# ---- activations, pooling, loss ------------------------------------------------------------


def relu_fwd(out, x):
    """out (n) = max(x (n), 0), NaN stays NaN; out may be x"""
    n = _buffer("relu_fwd", "F", "out", out)
    _buffer("relu_fwd", "f", "x", x, n)
    for i in range(n):
        out[i] = 0.0 if x[i] <= 0.0 else x[i]


def relu_bwd_dx(dx, dout, out):
    """dx (n) = dout (n) where out (n) > 0, else 0; dx may be dout"""
    n = _buffer("relu_bwd_dx", "F", "dx", dx)
    _buffer("relu_bwd_dx", "f", "dout", dout, n)
    _buffer("relu_bwd_dx", "f", "out", out, n)
    for i in range(n):
        dx[i] = dout[i] if out[i] > 0.0 else 0.0


def global_avgpool_fwd(out, x, B, P, C):
    """out (B, C) = mean over P of x (B, P, C)"""
    kernel = "global_avgpool_fwd"
    _ints(kernel, ("B", B, 0), ("P", P, 1), ("C", C, 0))
    _buffer(kernel, "F", "out", out, B * C)
    _buffer(kernel, "f", "x", x, B * P * C)
    for i in range(B):
        for c in range(C):
            acc = 0.0
            for p in range(P):
                acc += x[(i * P + p) * C + c]
            out[i * C + c] = acc / P


def global_avgpool_bwd_dx(dx, dout, B, P, C):
    """dx (B, P, C) = dout (B, C) / P"""
    kernel = "global_avgpool_bwd_dx"
    _ints(kernel, ("B", B, 0), ("P", P, 1), ("C", C, 0))
    _buffer(kernel, "F", "dx", dx, B * P * C)
    _buffer(kernel, "f", "dout", dout, B * C)
    for i in range(B):
        for p in range(P):
            for c in range(C):
                dx[(i * P + p) * C + c] = dout[i * C + c] / P


def _softmax(row):
    """(index of the first largest, exponentials relative to it, their sum)"""
    best = 0
    for k in range(len(row)):
        if row[k] > row[best]:
            best = k
    e = [math.exp(v - row[best]) for v in row]
    return best, e, sum(e)


def softmax_xent(dlogits, stats, logits, labels, B, K):
    """dlogits (B, K) = (softmax(logits (B, K)) - onehot(labels (B) uint8)) / B; stats (2) = sum of losses, number correct; dlogits may be logits"""
    kernel = "softmax_xent"
    _ints(kernel, ("B", B, 0), ("K", K, 1))
    _buffer(kernel, "F", "dlogits", dlogits, B * K)
    _buffer(kernel, "F", "stats", stats, 2)
    _buffer(kernel, "f", "logits", logits, B * K)
    _buffer(kernel, "b", "labels", labels, B)
    chosen = [v & 255 for v in labels]
    for i in range(B):
        _entry(kernel, "labels", chosen, i, 0, K - 1)
    loss = 0.0
    correct = 0
    for i in range(B):
        row = [logits[i * K + k] for k in range(K)]
        label = chosen[i]
        best, e, total = _softmax(row)
        loss += math.log(total) + row[best] - row[label]
        correct += best == label
        for k in range(K):
            dlogits[i * K + k] = (e[k] / total - (k == label)) / B
    stats[0] = loss
    stats[1] = correct


def softmax_fwd(out, x, B, K):
    """out (B, K) = softmax(x (B, K)) over K; out may be x"""
    _ints("softmax_fwd", ("B", B, 0), ("K", K, 1))
    _buffer("softmax_fwd", "F", "out", out, B * K)
    _buffer("softmax_fwd", "f", "x", x, B * K)
    for i in range(B):
        _, e, total = _softmax([x[i * K + k] for k in range(K)])
        for k in range(K):
            out[i * K + k] = e[k] / total


# ---- update and upkeep ---------------------------------------------------------------------


def sgd_step(p, v, g, hyper):
    """v (n) = momentum * v + g (n) + weight_decay * p (n); p -= lr * v; hyper (3) = lr, momentum, weight_decay"""
    kernel = "sgd_step"
    n = _buffer(kernel, "F", "p", p)
    _buffer(kernel, "F", "v", v, n)
    _buffer(kernel, "f", "g", g, n)
    _buffer(kernel, "f", "hyper", hyper, 3)
    lr, momentum, weight_decay = hyper[0], hyper[1], hyper[2]
    for h in (lr, momentum, weight_decay):
        if not (h >= 0 and h - h == 0):
            raise ValueError(
                "sgd_step: hyper: expected lr, momentum and weight_decay to be finite and not negative"
            )
    for i in range(n):
        step = momentum * v[i] + g[i] + weight_decay * p[i]
        v[i] = step
        p[i] -= lr * step


def zero_f32(out):
    """out (n) = 0"""
    for i in range(_buffer("zero_f32", "F", "out", out)):
        out[i] = 0.0


def check_finite(x):
    """returns how many of x (n) are NaN or infinite"""
    bad = 0
    for i in range(_buffer("check_finite", "f", "x", x)):
        bad += x[i] - x[i] != 0
    return bad


# ---- between float32, uint8 and int8 -------------------------------------------------------


def _s8(v):
    """An element of any 8-bit buffer as two's complement."""
    return (v & 255 ^ 128) - 128


def _store_s8(out, i, v):
    try:
        out[i] = v & 255
    except (OverflowError, ValueError):  # array('b') takes it signed
        out[i] = v


def _clamp(v, low, high):
    return low if v < low else high if v > high else v


def quantize_s8(out, x, qp):
    """out (n) = clamp(round_half_away(x (n) / scale) + zero_point, -128, 127), NaN gives zero_point; qp (2) = scale, zero_point"""
    scale, zero_point = _quant("quantize_s8", qp)
    n = _buffer("quantize_s8", "B", "out", out)
    _buffer("quantize_s8", "f", "x", x, n)
    y = array("f", (0.0,))
    for i in range(n):
        v = x[i] / scale
        y[0] = _clamp(v, -256.0, 256.0) if v == v else 0.0  # rounded to float32 as in C
        v = int(y[0])
        rest = y[0] - v
        v += (rest >= 0.5) - (rest <= -0.5)
        _store_s8(out, i, _clamp(v + zero_point, -128, 127))


def dequantize_s8(out, x, qp):
    """out (n) = scale * (x (n) - zero_point); qp (2) = scale, zero_point"""
    scale, zero_point = _quant("dequantize_s8", qp)
    n = _buffer("dequantize_s8", "F", "out", out)
    _buffer("dequantize_s8", "b", "x", x, n)
    for i in range(n):
        out[i] = scale * (_s8(x[i]) - zero_point)


def u8_to_s8(out, x):
    """out (n) = x (n) ^ 0x80; out may be x"""
    n = _buffer("u8_to_s8", "B", "out", out)
    _buffer("u8_to_s8", "b", "x", x, n)
    for i in range(n):
        _store_s8(out, i, _s8(x[i] ^ 128))


# ---- int8, TensorFlow Lite's integer semantics ---------------------------------------------


def _wrap(v):
    """v as an int32, modulo 2**32: only an invalid model gets beyond it."""
    return ((v + 2147483648) & 0xFFFFFFFF) - 2147483648


def _requantize(acc, mult, shift):
    """MultiplyByQuantizedMultiplier: acc * mult / 2**31 * 2**shift, rounded twice."""
    left, right = (shift, 0) if shift > 0 else (0, -shift)
    high = (_wrap(acc << left) * mult + (1 << 30)) >> 31
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def _finish_s8(out, at, acc, mult, shift, q):
    v = _requantize(_wrap(acc), mult, shift) + q[1]
    _store_s8(out, at, _clamp(v, q[2], q[3]))


def conv2d_s8(out, x, w, bias, mult, shift, geom, q, B):
    """out (B, OH, OW, K) = requantize(x (B, H, W, C) conv w (K, R, S, C) + bias (K)); mult (K), shift (K), geom (14), q (4)"""
    kernel = "conv2d_s8"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, sh, sw, ph, pw, dh, dw, OH, OW = _geom(kernel, geom)
    _buffer(kernel, "B", "out", out, B * OH * OW * K)
    _buffer(kernel, "b", "x", x, B * H * W * C)
    _buffer(kernel, "b", "w", w, K * R * S * C)
    _channels(kernel, bias, mult, shift, K)
    q = _q(kernel, q)
    at = 0
    for i in range(B):
        for oh in range(OH):
            rows = _taps(oh, H, R, sh, ph, dh)
            for ow in range(OW):
                columns = _taps(ow, W, S, sw, pw, dw)
                for k in range(K):
                    acc = bias[k]
                    for r, ih in rows:
                        for s, iw in columns:
                            xi = ((i * H + ih) * W + iw) * C
                            wi = ((k * R + r) * S + s) * C
                            for c in range(C):
                                acc += (_s8(x[xi + c]) - q[0]) * _s8(w[wi + c])
                    _finish_s8(out, at, acc, mult[k], shift[k], q)
                    at += 1


def depthwise_s8(out, x, w, bias, mult, shift, geom, q, B):
    """out (B, OH, OW, C) = requantize(x (B, H, W, C) conv each channel with w (R, S, C) + bias (C)); mult (C), shift (C), geom (14) with K = C, q (4)"""
    kernel = "depthwise_s8"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, sh, sw, ph, pw, dh, dw, OH, OW = _geom(kernel, geom, True)
    _buffer(kernel, "B", "out", out, B * OH * OW * C)
    _buffer(kernel, "b", "x", x, B * H * W * C)
    _buffer(kernel, "b", "w", w, R * S * C)
    _channels(kernel, bias, mult, shift, C)
    q = _q(kernel, q)
    at = 0
    for i in range(B):
        for oh in range(OH):
            rows = _taps(oh, H, R, sh, ph, dh)
            for ow in range(OW):
                columns = _taps(ow, W, S, sw, pw, dw)
                for c in range(C):
                    acc = bias[c]
                    for r, ih in rows:
                        for s, iw in columns:
                            v = _s8(x[((i * H + ih) * W + iw) * C + c]) - q[0]
                            acc += v * _s8(w[(r * S + s) * C + c])
                    _finish_s8(out, at, acc, mult[c], shift[c], q)
                    at += 1


def dense_s8(out, x, w, bias, mult, shift, q, B, N, M):
    """out (B, M) = requantize(x (B, N) @ w (M, N).T + bias (M)); mult (M), shift (M), q (4)"""
    kernel = "dense_s8"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "B", "out", out, B * M)
    _buffer(kernel, "b", "x", x, B * N)
    _buffer(kernel, "b", "w", w, M * N)
    _channels(kernel, bias, mult, shift, M)
    q = _q(kernel, q)
    for i in range(B):
        for m in range(M):
            acc = bias[m]
            for n in range(N):
                acc += (_s8(x[i * N + n]) - q[0]) * _s8(w[m * N + n])
            _finish_s8(out, i * M + m, acc, mult[m], shift[m], q)


def avgpool_s8(out, x, geom, q, B):
    """out (B, OH, OW, C) = mean of x (B, H, W, C) over each window, half away from zero, padding not counted, clamped; geom (14) with K = C, q (4)"""
    kernel = "avgpool_s8"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, sh, sw, ph, pw, dh, dw, OH, OW = _geom(kernel, geom, True)
    _buffer(kernel, "B", "out", out, B * OH * OW * C)
    _buffer(kernel, "b", "x", x, B * H * W * C)
    q = _q(kernel, q)
    at = 0
    for i in range(B):
        for oh in range(OH):
            rows = _taps(oh, H, R, sh, ph, dh)
            for ow in range(OW):
                columns = _taps(ow, W, S, sw, pw, dw)
                count = len(rows) * len(columns)
                for c in range(C):
                    acc = 0
                    for _, ih in rows:
                        for _, iw in columns:
                            acc += _s8(x[((i * H + ih) * W + iw) * C + c])
                    mean = (abs(acc) + count // 2) // count if count else 0
                    _store_s8(out, at, _clamp(-mean if acc < 0 else mean, q[2], q[3]))
                    at += 1


def spent():
    """Counter units spent inside C kernels: there are none here."""
    return 0

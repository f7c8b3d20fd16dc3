"""The kernels over numpy on CPython, or over ulab.numpy where a board's firmware has it.

Importing this module is the question "can it work here?": it raises ImportError when there is no
array library, or when the library's float is not 4 bytes wide (ulab follows the firmware's float,
and frombuffer would read float32 memory as float64 without a word).

What is not defined here is inherited from python, the definition. ulab has no int32 and takes
no array as an index: convolutions are another program there, and what comes at the end is for
numpy only.
"""

try:
    from ulab import numpy as np

    _ULAB = True
    _F = np.float
except ImportError:
    import numpy as np

    _ULAB = False
    _F = np.float32

if np.zeros(1, dtype=_F).itemsize != 4:
    raise ImportError("the array library has no float32")

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check
import engram.kernels.python as _py

from .parts import NO_LABEL, finish_s8, requantize, requantize_once
from .python import *  # noqa: F403


def _vec(buf):
    """A float32 buffer as a vector over the same memory."""
    return np.frombuffer(memoryview(buf), dtype=_F)


def _mat(buf, rows, columns):
    return _vec(buf).reshape((rows, columns))


def _put(out, values):
    """A buffer takes the elements of a dense float32 array."""
    # not _vec(out)[:] = values: ulab makes a copy first, and calls memcpy for every element
    memoryview(out)[:] = memoryview(values.reshape((len(out),)))


def _column_sums(matrix, rows):
    """(columns) sums over the rows. Not sum(): ulab's is its running mean, times the rows."""
    return np.dot(np.ones(rows, dtype=_F), matrix)


# Where it can be, arithmetic is in place: every array that is made is garbage on a board, and an
# installed library collects it every 8 KiB.


def dense_fwd(out, x, w, b, B, N, M):
    check.dense_fwd(out, x, w, b, B, N, M)
    if B * N * M == 0:  # neither library makes a matrix of an empty buffer
        return _py.dense_fwd(out, x, w, b, B, N, M)
    y = np.dot(_mat(x, B, N), _mat(w, M, N).transpose())
    if b is not None:
        y += _vec(b)
    _put(out, y)


def dense_bwd_dx(dx, dout, w, B, N, M):
    check.dense_bwd_dx(dx, dout, w, B, N, M)
    if B * N * M == 0:
        return _py.dense_bwd_dx(dx, dout, w, B, N, M)
    _put(dx, np.dot(_mat(dout, B, M), _mat(w, M, N)))


def dense_bwd_dw(dw, db, dout, x, B, N, M):
    check.dense_bwd_dw(dw, db, dout, x, B, N, M)
    if B * N * M == 0:
        return _py.dense_bwd_dw(dw, db, dout, x, B, N, M)
    d = _mat(dout, B, M)
    more, sums = np.dot(d.transpose(), _mat(x, B, N)), _column_sums(d, B)
    weights, bias = _mat(dw, M, N), _vec(db)
    weights += more
    bias += sums


def relu_fwd(out, x):
    if check.relu_fwd(out, x):
        v = _vec(x)
        # not maximum(): what it makes of NaN and -0 differs between the two libraries
        _put(out, np.where(v <= 0.0, 0.0, v))


def relu_bwd_dx(dx, dout, out):
    if check.relu_bwd_dx(dx, dout, out):
        _put(dx, np.where(_vec(out) > 0.0, _vec(dout), 0.0))


def global_avgpool_fwd(out, x, B, P, C):
    check.global_avgpool_fwd(out, x, B, P, C)
    if C:
        for i in range(B):
            image = _vec(x)[i * P * C : (i + 1) * P * C].reshape((P, C))
            _put(memoryview(out)[i * C : (i + 1) * C], _column_sums(image, P) / P)


def global_avgpool_bwd_dx(dx, dout, B, P, C):
    check.global_avgpool_bwd_dx(dx, dout, B, P, C)
    if C:
        for i in range(B):
            image = _vec(dx)[i * P * C : (i + 1) * P * C].reshape((P, C))
            image[:] = _vec(dout)[i * C : (i + 1) * C] / P


def sgd_step(p, v, g, hyper):
    n = check.sgd_step(p, v, g, hyper)
    lr, momentum, weight_decay = hyper
    if n:
        weights, step = _vec(p), _vec(v)
        step *= momentum
        step += _vec(g)
        step += weight_decay * weights
        weights -= lr * step


def sgd_plain(p, g, hyper):
    n = check.sgd_plain(p, g, hyper)
    lr, weight_decay = hyper
    if n:
        weights = _vec(p)
        step = weight_decay * weights
        step += _vec(g)
        step *= lr
        weights -= step


def zero_f32(out):
    if check.zero_f32(out):
        _vec(out)[:] = 0.0


def copy_f32(out, x):
    if check.copy_f32(out, x):
        _put(out, _vec(x))


def add_f32(out, a, b):
    if check.add_f32(out, a, b):
        _put(out, _vec(a))
        total = _vec(out)
        total += _vec(b)


def mul_f32(out, a, b):
    if check.mul_f32(out, a, b):
        _put(out, _vec(a))
        product = _vec(out)
        product *= _vec(b)


def axpy_f32(y, x, a):
    if check.axpy_f32(y, x, a):
        total = _vec(y)
        total += a[0] * _vec(x)


def scale_f32(out, x, a):
    if check.scale_f32(out, x, a):
        _put(out, _vec(x))
        product = _vec(out)
        product *= a[0]


if _ULAB:
    def _runs(geom, oh):
        """Where the taps of an output row's windows meet the image.

        Yields (first pixel, behind the last, step; first position, behind the last; first column
        of the tap): pixels count through (H, W), positions through OW, columns through (R, S, C).
        """
        H, W, C, _, R, S, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w, _, OW = geom
        for tap in range(R * S):
            h = oh * stride_h + tap // S * dil_h - pad_top
            left = tap % S * dil_w - pad_left  # of the tap in the first window
            first = max(0, -(left // stride_w))
            end = min(OW, (W - 1 - left) // stride_w + 1)
            if 0 <= h < H and first < end:
                at = h * W + first * stride_w + left
                yield at, at + (end - first - 1) * stride_w + 1, stride_w, first, end, tap * C

    def _part(buf, i, rows, columns):
        """Part i of a buffer of such matrices."""
        n = rows * columns
        return _mat(memoryview(buf)[i * n : (i + 1) * n], rows, columns)

    def _windows(images, geom, most):
        """Windows as rows (positions, R * S * C), of `most` output rows or what is left at a time.

        0 outside the image; every time in the same memory.
        """
        C, R, S, OW = geom[2], geom[4], geom[5], geom[13]
        rows = np.zeros((most * OW, R * S * C), dtype=_F)
        n = 0
        for image in images:
            for oh in range(geom[12]):
                own = rows[n : n + OW]
                top = oh * geom[6] - geom[8]
                if top < 0 or top + (R - 1) * geom[10] >= geom[0]:
                    own[:] = 0.0  # of a tap that is outside here and was inside before
                for at, stop, step, first, end, column in _runs(geom, oh):
                    own[first:end, column : column + C] = image[at:stop:step]
                n += OW
                if n == most * OW:
                    yield rows
                    n = 0
        if n:
            yield rows[:n]

    def _as_weights(geom, B):
        """Output rows whose windows are no more numbers than the weights, which are there too."""
        return max(1, min(geom[3] // geom[13], B * geom[12]))

    def _images(x, geom, B):
        return (_part(x, i, geom[0] * geom[1], geom[2]) for i in range(B))

    def conv2d_fwd(out, x, w, b, geom, B):
        geom = check.conv2d_fwd(out, x, w, b, geom, B)
        C, K, R, S = geom[2:6]
        weights = _mat(w, K, R * S * C).transpose()
        at = 0
        for rows in _windows(_images(x, geom, B), geom, _as_weights(geom, B)):
            y = np.dot(rows, weights)
            if b is not None:
                y += _vec(b)
            end = at + len(rows) * K
            _put(memoryview(out)[at:end], y)
            at = end

    def conv2d_bwd_dx(dx, dout, w, geom, B):
        geom = check.conv2d_bwd_dx(dx, dout, w, geom, B)
        C, K, R, S = geom[2:6]
        OH, OW = geom[12:]
        weights = _mat(w, K, R * S * C)
        i = 0
        for image in _images(dx, geom, B):
            image[:] = 0.0
            for oh in range(OH):
                parts = np.dot(_part(dout, i * OH + oh, OW, K), weights)
                for at, stop, step, first, end, column in _runs(geom, oh):
                    pixels = image[at:stop:step]
                    pixels += parts[first:end, column : column + C]
            i += 1

    def conv2d_bwd_dw(dw, db, dout, x, geom, B):
        geom = check.conv2d_bwd_dw(dw, db, dout, x, geom, B)
        C, K, R, S = geom[2:6]
        weights, bias = _mat(dw, K, R * S * C), _vec(db)
        at = 0
        for rows in _windows(_images(x, geom, B), geom, _as_weights(geom, B)):
            n = len(rows)
            d = _mat(memoryview(dout)[at : at + n * K], n, K)
            weights += np.dot(d.transpose(), rows)
            bias += _column_sums(d, n)
            at += n * K

    _EXACT = 514  # products of 255 and 128 whose sum is below 2**24: float32 has it exactly

    def _s8(buf, rows, columns):
        return np.frombuffer(memoryview(buf), dtype=np.int8).reshape((rows, columns))

    def _finish_s8(out, at, acc, bias, mult, shift, q, scaled=requantize):
        """Accumulators (rows, channels), of whole numbers, to int8 from element `at` on."""
        k = 0
        for v in memoryview(acc.reshape((acc.size,))):
            finish_s8(out, at, int(v) + bias[k], mult[k], shift[k], q, scaled)
            at += 1
            k = (k + 1) % len(bias)
        return at

    def conv2d_s8(out, x, w, bias, mult, shift, geom, q, B):
        args = check.conv2d_s8(out, x, w, bias, mult, shift, geom, q, B)
        bias, mult, shift, geometry, q4 = args
        H, W, C, K, R, S = geometry[:6]
        if R * S * C > _EXACT:
            return _py.conv2d_s8(out, x, w, bias, mult, shift, geom, q, B)
        weights = _s8(w, K, R * S * C).transpose()
        n = H * W * C
        # one image as floats at a time
        images = (
            _s8(memoryview(x)[i * n : (i + 1) * n], H * W, C) * 1.0 - q4[0] for i in range(B)
        )
        at = 0
        for rows in _windows(images, geometry, 1):
            at = _finish_s8(out, at, np.dot(rows, weights), bias, mult, shift, q4)

    def dense_s8(out, x, w, bias, mult, shift, q, B, N, M):
        bias, mult, shift, q4 = check.dense_s8(out, x, w, bias, mult, shift, q, B, N, M)
        if B * N * M == 0 or N > _EXACT:
            return _py.dense_s8(out, x, w, bias, mult, shift, q, B, N, M)
        acc = np.dot(_s8(x, B, N) * 1.0 - q4[0], _s8(w, M, N).transpose())
        _finish_s8(out, 0, acc, bias, mult, shift, q4, requantize_once)


if not _ULAB:

    def _s8(buf):
        return np.frombuffer(memoryview(buf), dtype=np.int8)

    def _int(buf):
        return np.frombuffer(memoryview(buf), dtype=np.int32).astype(np.int64)

    def check_finite(x):
        return int((~np.isfinite(_vec(x))).sum()) if check.check_finite(x) else 0

    def _softmax(x, B, K):
        """(rows minus their largest, exponentials, their sums), float64"""
        rows = _mat(x, B, K).astype(np.float64)
        rows -= rows.max(axis=1, keepdims=True)
        e = np.exp(rows)
        return rows, e, e.sum(axis=1, keepdims=True)

    def softmax_fwd(out, x, B, K):
        check.softmax_fwd(out, x, B, K)
        if B:
            _, e, total = _softmax(x, B, K)
            _mat(out, B, K)[:] = e / total

    def softmax_bwd_dx(dx, dout, out, B, K):
        check.softmax_bwd_dx(dx, dout, out, B, K)
        if B:
            d, y = _mat(dout, B, K), _mat(out, B, K)
            _mat(dx, B, K)[:] = y * (d - (d * y).sum(axis=1, keepdims=True))

    def softmax_xent(dlogits, stats, logits, labels, B, K):
        classes = check.softmax_xent(dlogits, stats, logits, labels, B, K)
        if B == 0 or NO_LABEL in classes:
            return _py.softmax_xent(dlogits, stats, logits, labels, B, K)
        correct = (_mat(logits, B, K).argmax(axis=1) == classes).sum()
        rows, e, total = _softmax(logits, B, K)
        at = (np.arange(B), np.array(classes))
        d = e / total
        d[at] -= 1.0
        _mat(dlogits, B, K)[:] = d / B
        _vec(stats)[:] = (np.log(total).sum() - rows[at].sum(), correct)

    def _geometry(geom, B):
        """Rows of pixels (B * OH * OW, R * S): index of the pixel under every tap, or -1."""
        H, W, _, _, R, S, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w, OH, OW = geom
        h = np.arange(OH)[:, None] * stride_h - pad_top + np.arange(R) * dil_h
        w = np.arange(OW)[:, None] * stride_w - pad_left + np.arange(S) * dil_w
        h = h[:, None, :, None]
        w = w[None, :, None, :]
        inside = (h >= 0) & (h < H) & (w >= 0) & (w < W)
        images = np.arange(B).reshape(B, 1, 1, 1, 1) * (H * W)
        return np.where(inside, images + h * W + w, -1).reshape(B * OH * OW, R * S)

    def _columns(x, pixels, C):
        """The window of every output position as a row (positions, R * S * C); 0 outside."""
        padded = np.concatenate((x.reshape(-1, C), np.zeros((1, C), x.dtype)))
        return padded[pixels].reshape(len(pixels), -1)

    def conv2d_fwd(out, x, w, b, geom, B):
        geom = check.conv2d_fwd(out, x, w, b, geom, B)
        if B:
            C, K = geom[2:4]
            rows = _columns(_vec(x), _geometry(geom, B), C)
            y = np.dot(rows, _vec(w).reshape(K, -1).T)
            _vec(out)[:] = (y if b is None else y + _vec(b)).ravel()

    def conv2d_bwd_dx(dx, dout, w, geom, B):
        geom = check.conv2d_bwd_dx(dx, dout, w, geom, B)
        if B:
            C, K = geom[2:4]
            pixels = _geometry(geom, B)
            parts = np.dot(_mat(dout, len(pixels), K), _vec(w).reshape(K, -1))
            total = np.zeros((B * geom[0] * geom[1] + 1, C), _F)  # the last row is the padding
            np.add.at(total, pixels, parts.reshape(*pixels.shape, C))
            _vec(dx)[:] = total[:-1].ravel()

    def conv2d_bwd_dw(dw, db, dout, x, geom, B):
        geom = check.conv2d_bwd_dw(dw, db, dout, x, geom, B)
        if B:
            C, K = geom[2:4]
            pixels = _geometry(geom, B)
            d = _mat(dout, len(pixels), K)
            _vec(dw)[:] += np.dot(d.T, _columns(_vec(x), pixels, C)).ravel()
            _vec(db)[:] += d.sum(axis=0)

    def depthwise_fwd(out, x, w, b, geom, B):
        geom = check.depthwise_fwd(out, x, w, b, geom, B)
        if B:
            y = (_views(x, geom, B)[1] * _vec(w).reshape(-1, geom[2])).sum(axis=1)
            _vec(out)[:] = (y if b is None else y + _vec(b)).ravel()

    def depthwise_bwd_dx(dx, dout, w, geom, B):
        geom = check.depthwise_bwd_dx(dx, dout, w, geom, B)
        if B:
            C = geom[2]
            pixels = _geometry(geom, B)
            d = _mat(dout, len(pixels), C)
            _scatter(dx, geom, B, pixels, d[:, None] * _vec(w).reshape(-1, C))

    def depthwise_bwd_dw(dw, db, dout, x, geom, B):
        geom = check.depthwise_bwd_dw(dw, db, dout, x, geom, B)
        if B:
            pixels, rows = _views(x, geom, B)
            d = _mat(dout, len(pixels), geom[2])
            _vec(dw)[:] += (rows * d[:, None]).sum(axis=0).ravel()
            _vec(db)[:] += d.sum(axis=0)

    def conv2d_t_fwd(out, x, w, b, geom, B):
        geom = check.conv2d_t_fwd(out, x, w, b, geom, B)
        if B:
            C, K = geom[2:4]
            pixels = _geometry(geom, B)
            parts = np.dot(_mat(x, len(pixels), K), _vec(w).reshape(K, -1))
            _scatter(out, geom, B, pixels, parts.reshape(*pixels.shape, C))
            if b is not None:
                _vec(out).reshape(-1, C)[:] += _vec(b)

    def conv2d_t_bwd_dx(dx, dout, w, geom, B):
        geom = check.conv2d_t_bwd_dx(dx, dout, w, geom, B)
        if B:
            rows = _columns(_vec(dout), _geometry(geom, B), geom[2])
            _vec(dx)[:] = np.dot(rows, _vec(w).reshape(geom[3], -1).T).ravel()

    def conv2d_t_bwd_dw(dw, db, dout, x, geom, B):
        geom = check.conv2d_t_bwd_dw(dw, db, dout, x, geom, B)
        if B:
            C, K = geom[2:4]
            pixels = _geometry(geom, B)
            rows = _columns(_vec(dout), pixels, C)
            _vec(dw)[:] += np.dot(_mat(x, len(pixels), K).T, rows).ravel()
            _vec(db)[:] += _vec(dout).reshape(-1, C).sum(axis=0)

    def _views(x, geom, B):
        """(pixels as _geometry gives them, what lies there (positions, taps, C); 0 outside)"""
        pixels = _geometry(geom, B)
        return pixels, _columns(_vec(x), pixels, geom[2]).reshape(*pixels.shape, geom[2])

    def _scatter(out, geom, B, pixels, parts):
        """out (B, H, W, C) = at every pixel the sum of its parts (positions, taps, C)"""
        total = np.zeros((B * geom[0] * geom[1] + 1, geom[2]), _F)  # the last row is the padding
        np.add.at(total, pixels, parts)
        _vec(out)[:] = total[:-1].ravel()

    def _largest(x, geom, B):
        """(values, pixel of the first of them or -1) of every window, each (positions, C)"""
        pixels, rows = _views(x, geom, B)
        inside = (pixels >= 0)[..., None]
        best = np.where(inside, rows, -np.inf).max(axis=1)
        choice = (((rows == best[:, None]) | np.isnan(rows)) & inside).argmax(axis=1)
        at = np.take_along_axis(pixels, choice, axis=1)
        return np.where(inside.any(axis=1), best, 0.0), at

    def maxpool_fwd(out, x, geom, B):
        geom = check.maxpool_fwd(out, x, geom, B)
        if B:
            _vec(out)[:] = _largest(x, geom, B)[0].ravel()

    def maxpool_bwd_dx(dx, dout, x, geom, B):
        geom = check.maxpool_bwd_dx(dx, dout, x, geom, B)
        if B:
            C = geom[2]
            at = _largest(x, geom, B)[1]
            total = np.zeros((B * geom[0] * geom[1] + 1, C), _F)
            np.add.at(total, (at, np.arange(C)), _mat(dout, len(at), C))
            _vec(dx)[:] = total[:-1].ravel()

    def avgpool_fwd(out, x, geom, B):
        geom = check.avgpool_fwd(out, x, geom, B)
        if B:
            pixels, rows = _views(x, geom, B)
            count = np.maximum((pixels >= 0).sum(axis=1), 1)[:, None]
            _vec(out)[:] = (rows.sum(axis=1) / count.astype(_F)).ravel()

    def avgpool_bwd_dx(dx, dout, geom, B):
        geom = check.avgpool_bwd_dx(dx, dout, geom, B)
        if B:
            pixels = _geometry(geom, B)
            count = np.maximum((pixels >= 0).sum(axis=1), 1)[:, None]
            share = _mat(dout, len(pixels), geom[2]) / count.astype(_F)
            parts = np.broadcast_to(share[:, None], pixels.shape + (geom[2],))
            _scatter(dx, geom, B, pixels, parts)

    def pad_fwd(out, x, B, H, W, C, OH, OW, top, left):
        check.pad_fwd(out, x, B, H, W, C, OH, OW, top, left)
        if len(out):
            _vec(out)[:] = 0.0
        if len(x):
            grid = _vec(out).reshape(B, OH, OW, C)
            grid[:, top : top + H, left : left + W] = _vec(x).reshape(B, H, W, C)

    def pad_bwd_dx(dx, dout, B, H, W, C, OH, OW, top, left):
        check.pad_bwd_dx(dx, dout, B, H, W, C, OH, OW, top, left)
        if len(dx):
            padded = _vec(dout).reshape(B, OH, OW, C)
            _vec(dx)[:] = padded[:, top : top + H, left : left + W].ravel()

    def tanh_fwd(out, x):
        if check.tanh_fwd(out, x):
            _vec(out)[:] = np.tanh(_vec(x).astype(np.float64))

    def adam_step(p, m, v, g, hyper):
        n = check.adam_step(p, m, v, g, hyper)
        lr, beta1, beta2, epsilon, decay, c1, c2 = hyper
        if n:
            grad = _vec(g) + decay * _vec(p)
            _vec(m)[:] = beta1 * _vec(m) + (1.0 - beta1) * grad
            _vec(v)[:] = beta2 * _vec(v) + (1.0 - beta2) * (grad * grad)
            _vec(p)[:] -= lr * (_vec(m) / c1) / (np.sqrt(_vec(v) / c2) + epsilon)

    def rfft(out, x, table, N):
        check.rfft(out, x, table, N)
        _vec(out)[:] = np.fft.rfft(_vec(x).astype(np.float64)).view(np.float64)

    def quantize_s8(out, x, qp):
        (scale, zero_point), n = check.quantize_s8(out, x, qp)
        if n:
            with np.errstate(invalid="ignore", over="ignore"):
                y = np.clip(_vec(x) / np.float32(scale), -256.0, 256.0)
            y = np.where(np.isnan(y), np.float32(0.0), y)
            whole = np.trunc(y)
            rest = y - whole
            q = whole + (rest >= 0.5) - (rest <= -0.5) + zero_point
            _s8(out)[:] = np.clip(q, -128, 127)

    def dequantize_s8(out, x, qp):
        (scale, zero_point), n = check.dequantize_s8(out, x, qp)
        if n:
            _vec(out)[:] = scale * (_s8(x).astype(np.float64) - zero_point)

    def u8_to_s8(out, x):
        if check.u8_to_s8(out, x):
            _s8(out)[:] = _s8(x) ^ -128

    def _wrap(v):
        return ((v + 2**31) & 0xFFFFFFFF) - 2**31

    def _twice(acc, mult, shift):
        left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
        high = (_wrap(acc << left) * mult + (1 << 30)) >> 31
        mask = (1 << right) - 1
        return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))

    def _once(acc, mult, shift):
        return _wrap((acc * mult + (1 << 30 - shift)) >> 31 - shift)

    def _finish_s8(acc, mult, shift, q, scaled=_twice):
        """Accumulators (positions, channels) to int8, as python does one of them."""
        y = scaled(_wrap(acc), _int(mult), _int(shift)) + q[1]
        return np.clip(y, q[2], q[3]).ravel()

    def _product(a, b):
        """a @ b of small integers: exact in float64, where the product is fast."""
        return np.dot(a.astype(np.float64), b.astype(np.float64)).astype(np.int64)

    def conv2d_s8(out, x, w, bias, mult, shift, geom, q, B):
        bias, mult, shift, geom, q = check.conv2d_s8(out, x, w, bias, mult, shift, geom, q, B)
        if B:
            C, K = geom[2:4]
            rows = _columns(_s8(x).astype(np.int64) - q[0], _geometry(geom, B), C)
            acc = _product(rows, _s8(w).reshape(K, -1).T) + _int(bias)
            _s8(out)[:] = _finish_s8(acc, mult, shift, q)

    def conv2d_t_s8(out, x, w, bias, mult, shift, geom, q, B):
        bias, mult, shift, geom, q = check.conv2d_t_s8(out, x, w, bias, mult, shift, geom, q, B)
        if B:
            C, K, R, S = geom[2:6]
            pixels = _geometry(geom, B)
            rows = _s8(x).reshape(-1, K).astype(np.int64) - q[0]
            parts = _product(rows, _s8(w).reshape(C, -1, K).transpose(2, 1, 0).reshape(K, -1))
            acc = np.zeros((B * geom[0] * geom[1] + 1, C), np.int64)  # the last row is the padding
            np.add.at(acc, pixels, parts.reshape(*pixels.shape, C))
            _s8(out)[:] = _finish_s8(acc[:-1] + _int(bias), mult, shift, q)

    def depthwise_s8(out, x, w, bias, mult, shift, geom, q, B):
        bias, mult, shift, geom, q = check.depthwise_s8(out, x, w, bias, mult, shift, geom, q, B)
        if B:
            C = geom[2]
            pixels = _geometry(geom, B)
            rows = _columns(_s8(x).astype(np.int64) - q[0], pixels, C)
            acc = (rows.reshape(*pixels.shape, C) * _s8(w).reshape(-1, C)).sum(axis=1)
            _s8(out)[:] = _finish_s8(acc + _int(bias), mult, shift, q)

    def dense_s8(out, x, w, bias, mult, shift, q, B, N, M):
        bias, mult, shift, entries = check.dense_s8(out, x, w, bias, mult, shift, q, B, N, M)
        if B * N * M == 0:
            return _py.dense_s8(out, x, w, bias, mult, shift, q, B, N, M)
        rows = _s8(x).reshape(B, N).astype(np.int64) - entries[0]
        acc = _product(rows, _s8(w).reshape(M, N).T) + _int(bias)
        _s8(out)[:] = _finish_s8(acc, mult, shift, entries, _once)

    def avgpool_s8(out, x, geom, q, B):
        geom, q = check.avgpool_s8(out, x, geom, q, B)
        if B:
            C = geom[2]
            pixels = _geometry(geom, B)
            rows = _columns(_s8(x).astype(np.int64), pixels, C).reshape(*pixels.shape, C)
            total = rows.sum(axis=1)
            count = (pixels >= 0).sum(axis=1)[:, None]
            mean = (np.abs(total) + count // 2) // np.maximum(count, 1)
            _s8(out)[:] = np.clip(np.where(total < 0, -mean, mean), q[2], q[3]).ravel()

    def lookup_s8(out, x, table):
        if check.lookup_s8(out, x, table):
            _s8(out)[:] = _s8(table)[_s8(x).astype(np.int64) + 128]

    def copy_s8(out, x):
        if check.copy_s8(out, x):
            _s8(out)[:] = _s8(x)

    def copy_channels_s8(out, x, P, M, N, to, at, C):
        check.copy_channels_s8(out, x, P, M, N, to, at, C)
        if P * C:
            _s8(out).reshape(P, M)[:, to : to + C] = _s8(x).reshape(P, N)[:, at : at + C]

    def pad_s8(out, x, value, B, H, W, C, OH, OW, top, left):
        check.pad_s8(out, x, value, B, H, W, C, OH, OW, top, left)
        if len(out):
            _s8(out)[:] = _s8(value)
        if len(x):
            padded = _s8(out).reshape(B, OH, OW, C)
            padded[:, top : top + H, left : left + W] = _s8(x).reshape(B, H, W, C)

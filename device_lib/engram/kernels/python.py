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
overwrite, `_dw` adds. Of these only check_finite returns something of meaning; what lies beyond
the first layers is in one file per family: layers, train, vae, some, int8, replay, audio.
"""

import math
from array import array

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check

from .audio import *  # noqa: F403
from .int8 import *  # noqa: F403
from .layers import *  # noqa: F403
from .parts import NO_LABEL, add_rows, clamp, finish_s8, requantize_once, s8, store_s8, windows
from .q8 import *  # noqa: F403
from .replay import *  # noqa: F403
from .some import *  # noqa: F403
from .tape import bind, put, run  # noqa: F401
from .train import *  # noqa: F403
from .vae import *  # noqa: F403

# ---- dense ---------------------------------------------------------------------------------


def dense_fwd(out, x, w, b, B, N, M):
    """out (B, M) = x (B, N) @ w (M, N).T + b (M) or None"""
    check.dense_fwd(out, x, w, b, B, N, M)
    for i in range(B):
        for m in range(M):
            acc = 0.0
            for n in range(N):
                acc += x[i * N + n] * w[m * N + n]
            out[i * M + m] = acc if b is None else acc + b[m]


def dense_bwd_dx(dx, dout, w, B, N, M):
    """dx (B, N) = dout (B, M) @ w (M, N)"""
    check.dense_bwd_dx(dx, dout, w, B, N, M)
    for i in range(B):
        for n in range(N):
            acc = 0.0
            for m in range(M):
                acc += dout[i * M + m] * w[m * N + n]
            dx[i * N + n] = acc


def dense_bwd_dw(dw, db, dout, x, B, N, M):
    """dw (M, N) += dout (B, M).T @ x (B, N); db (M) += dout.sum(0)"""
    check.dense_bwd_dw(dw, db, dout, x, B, N, M)
    for m in range(M):
        for n in range(N):
            acc = 0.0
            for i in range(B):
                acc += dout[i * M + m] * x[i * N + n]
            dw[m * N + n] += acc
    add_rows(db, dout, B, M)


# ---- convolution ---------------------------------------------------------------------------


def conv2d_fwd(out, x, w, b, geom, B):
    """out (B, OH, OW, K) = x (B, H, W, C) conv w (K, R, S, C) + b (K) or None; geom (14)"""
    geom = check.conv2d_fwd(out, x, w, b, geom, B)
    _, _, C, K, R, S = geom[:6]
    for at, window in windows(geom, B):
        for k in range(K):
            acc = 0.0
            for pixel, tap in window:
                for c in range(C):
                    acc += x[pixel * C + c] * w[(k * R * S + tap) * C + c]
            out[at * K + k] = acc if b is None else acc + b[k]


def conv2d_bwd_dx(dx, dout, w, geom, B):
    """dx (B, H, W, C) = gradient of conv2d_fwd at dout (B, OH, OW, K), w (K, R, S, C);
    geom (14)
    """
    geom = check.conv2d_bwd_dx(dx, dout, w, geom, B)
    _, _, C, K, R, S = geom[:6]
    for i in range(len(dx)):
        dx[i] = 0.0
    for at, window in windows(geom, B):
        for k in range(K):
            d = dout[at * K + k]
            for pixel, tap in window:
                for c in range(C):
                    dx[pixel * C + c] += d * w[(k * R * S + tap) * C + c]


def conv2d_bwd_dw(dw, db, dout, x, geom, B):
    """dw (K, R, S, C) += dout (B, OH, OW, K) corr x (B, H, W, C); db (K) += dout.sum(0, 1, 2);
    geom (14)
    """
    geom = check.conv2d_bwd_dw(dw, db, dout, x, geom, B)
    _, _, C, K, R, S = geom[:6]
    for at, window in windows(geom, B):
        for k in range(K):
            d = dout[at * K + k]
            for pixel, tap in window:
                for c in range(C):
                    dw[(k * R * S + tap) * C + c] += d * x[pixel * C + c]
    add_rows(db, dout, B * geom[12] * geom[13], K)


# ---- activations, pooling, loss ------------------------------------------------------------


def relu_fwd(out, x):
    """out (n) = max(x (n), 0), NaN stays NaN; out may be x"""
    n = check.relu_fwd(out, x)
    for i in range(n):
        out[i] = 0.0 if x[i] <= 0.0 else x[i]


def relu_bwd_dx(dx, dout, out):
    """dx (n) = dout (n) where out (n) > 0, else 0; dx may be dout"""
    n = check.relu_bwd_dx(dx, dout, out)
    for i in range(n):
        dx[i] = dout[i] if out[i] > 0.0 else 0.0


def global_avgpool_fwd(out, x, B, P, C):
    """out (B, C) = mean over P of x (B, P, C)"""
    check.global_avgpool_fwd(out, x, B, P, C)
    for i in range(B):
        for c in range(C):
            acc = 0.0
            for p in range(P):
                acc += x[(i * P + p) * C + c]
            out[i * C + c] = acc / P


def global_avgpool_bwd_dx(dx, dout, B, P, C):
    """dx (B, P, C) = dout (B, C) / P"""
    check.global_avgpool_bwd_dx(dx, dout, B, P, C)
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
    """dlogits (B, K) = (softmax(logits (B, K)) - onehot(labels (B) uint8)) / B; stats (2) = sum of
    losses, number correct; rows of the label 254, none, are 0 and count nothing; dlogits may be
    logits
    """
    classes = check.softmax_xent(dlogits, stats, logits, labels, B, K)
    loss = 0.0
    correct = 0
    for i in range(B):
        row = [logits[i * K + k] for k in range(K)]
        label = classes[i]
        if label == NO_LABEL:
            for k in range(K):
                dlogits[i * K + k] = 0.0
            continue
        best, e, total = _softmax(row)
        loss += math.log(total) + row[best] - row[label]
        correct += best == label
        for k in range(K):
            dlogits[i * K + k] = (e[k] / total - (k == label)) / B
    stats[0] = loss
    stats[1] = correct


def softmax_fwd(out, x, B, K):
    """out (B, K) = softmax(x (B, K)) over K; out may be x"""
    check.softmax_fwd(out, x, B, K)
    for i in range(B):
        _, e, total = _softmax([x[i * K + k] for k in range(K)])
        for k in range(K):
            out[i * K + k] = e[k] / total


# ---- update and upkeep ---------------------------------------------------------------------


def sgd_step(p, v, g, hyper):
    """v (n) = momentum * v + g (n) + weight_decay * p (n); p -= lr * v; hyper (3) = lr, momentum,
    weight_decay
    """
    n = check.sgd_step(p, v, g, hyper)
    lr, momentum, weight_decay = hyper
    for i in range(n):
        step = momentum * v[i] + g[i] + weight_decay * p[i]
        v[i] = step
        p[i] -= lr * step


def sgd_plain(p, g, hyper):
    """p (n) -= lr * (g (n) + weight_decay * p): SGD without momentum, and so without a buffer for
    it; hyper (2) = lr, weight_decay
    """
    n = check.sgd_plain(p, g, hyper)
    lr, weight_decay = hyper
    for i in range(n):
        p[i] -= lr * (g[i] + weight_decay * p[i])


def zero_f32(out):
    """out (n) = 0"""
    for i in range(check.zero_f32(out)):
        out[i] = 0.0


def copy_f32(out, x):
    """out (n) = x (n); out may be x"""
    for i in range(check.copy_f32(out, x)):
        out[i] = x[i]


def check_finite(x):
    """returns how many of x (n) are NaN or infinite"""
    bad = 0
    for i in range(check.check_finite(x)):
        bad += x[i] - x[i] != 0
    return bad


# ---- between float32, uint8 and int8 -------------------------------------------------------


def quantize_s8(out, x, qp):
    """out (n) = clamp(round_half_away(x (n) / scale) + zero_point, -128, 127), NaN gives
    zero_point; qp (2) = scale, zero_point
    """
    (scale, zero_point), n = check.quantize_s8(out, x, qp)
    y = array("f", (0.0,))
    for i in range(n):
        v = x[i] / scale
        y[0] = clamp(v, -256.0, 256.0) if v == v else 0.0  # rounded to float32 as in C
        v = int(y[0])
        rest = y[0] - v
        v += (rest >= 0.5) - (rest <= -0.5)
        store_s8(out, i, clamp(v + zero_point, -128, 127))


def dequantize_s8(out, x, qp):
    """out (n) = scale * (x (n) - zero_point); qp (2) = scale, zero_point"""
    (scale, zero_point), n = check.dequantize_s8(out, x, qp)
    for i in range(n):
        out[i] = scale * (s8(x[i]) - zero_point)


def u8_to_s8(out, x):
    """out (n) = x (n) ^ 0x80; out may be x"""
    n = check.u8_to_s8(out, x)
    for i in range(n):
        store_s8(out, i, s8(x[i] ^ 128))


# ---- int8, TensorFlow Lite's integer semantics ---------------------------------------------


def conv2d_s8(out, x, w, bias, mult, shift, geom, q, B):
    """out (B, OH, OW, K) = requantize(x (B, H, W, C) conv w (K, R, S, C) + bias (K));
    mult (K), shift (K), geom (14), q (4)
    """
    bias, mult, shift, geom, q = check.conv2d_s8(out, x, w, bias, mult, shift, geom, q, B)
    _, _, C, K, R, S = geom[:6]
    for at, window in windows(geom, B):
        for k in range(K):
            acc = bias[k]
            for pixel, tap in window:
                for c in range(C):
                    acc += (s8(x[pixel * C + c]) - q[0]) * s8(w[(k * R * S + tap) * C + c])
            finish_s8(out, at * K + k, acc, mult[k], shift[k], q)


def depthwise_s8(out, x, w, bias, mult, shift, geom, q, B):
    """out (B, OH, OW, C) = requantize(x (B, H, W, C) conv w (R, S, C) channel by channel
    + bias (C)); mult (C), shift (C), geom (14) with K = C, q (4)
    """
    bias, mult, shift, geom, q = check.depthwise_s8(out, x, w, bias, mult, shift, geom, q, B)
    C = geom[2]
    for at, window in windows(geom, B):
        for c in range(C):
            acc = bias[c]
            for pixel, tap in window:
                acc += (s8(x[pixel * C + c]) - q[0]) * s8(w[tap * C + c])
            finish_s8(out, at * C + c, acc, mult[c], shift[c], q)


def dense_s8(out, x, w, bias, mult, shift, q, B, N, M):
    """out (B, M) = requantize(x (B, N) @ w (M, N).T + bias (M)), rounded once, halves upwards;
    mult (M), shift (M), q (4)
    """
    bias, mult, shift, q = check.dense_s8(out, x, w, bias, mult, shift, q, B, N, M)
    for i in range(B):
        for m in range(M):
            acc = bias[m]
            for n in range(N):
                acc += (s8(x[i * N + n]) - q[0]) * s8(w[m * N + n])
            finish_s8(out, i * M + m, acc, mult[m], shift[m], q, requantize_once)


def avgpool_s8(out, x, geom, q, B):
    """out (B, OH, OW, C) = mean of x (B, H, W, C) over each window, half away from zero, padding
    not counted, clamped; geom (14) with K = C, q (4)
    """
    geom, q = check.avgpool_s8(out, x, geom, q, B)
    C = geom[2]
    for at, window in windows(geom, B):
        count = len(window)
        for c in range(C):
            acc = 0
            for pixel, _ in window:
                acc += s8(x[pixel * C + c])
            mean = (abs(acc) + count // 2) // count if count else 0
            store_s8(out, at * C + c, clamp(-mean if acc < 0 else mean, q[2], q[3]))


def spent():
    """Counter units spent inside C kernels: there are none here."""
    return 0

"""The definition of the float32 layers beyond dense and conv2d; python has the conventions.

Windows are those of conv2d. A pool counts only what lies inside the input; a window that meets
no input at all (dilation can step over it) gives 0 and takes no gradient.
"""

import math

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check

from .parts import add_rows, framed, windows

# ---- depthwise and transposed convolution ---------------------------------------------------


def depthwise_fwd(out, x, w, b, geom, B):
    """out (B, OH, OW, C) = x (B, H, W, C) conv w (R, S, C) channel by channel + b (C) or None;
    geom (14) with K = C
    """
    geom = check.depthwise_fwd(out, x, w, b, geom, B)
    C = geom[2]
    for at, window in windows(geom, B):
        for c in range(C):
            acc = 0.0
            for pixel, tap in window:
                acc += x[pixel * C + c] * w[tap * C + c]
            out[at * C + c] = acc if b is None else acc + b[c]


def depthwise_bwd_dx(dx, dout, w, geom, B):
    """dx (B, H, W, C) = gradient of depthwise_fwd at dout (B, OH, OW, C), w (R, S, C); geom (14)
    with K = C
    """
    geom = check.depthwise_bwd_dx(dx, dout, w, geom, B)
    C = geom[2]
    _zero(dx)
    for at, window in windows(geom, B):
        for pixel, tap in window:
            for c in range(C):
                dx[pixel * C + c] += dout[at * C + c] * w[tap * C + c]


def depthwise_bwd_dw(dw, db, dout, x, geom, B):
    """dw (R, S, C) += dout (B, OH, OW, C) corr x (B, H, W, C) channel by channel; db (C) +=
    dout.sum(0, 1, 2); geom (14) with K = C
    """
    geom = check.depthwise_bwd_dw(dw, db, dout, x, geom, B)
    C = geom[2]
    for at, window in windows(geom, B):
        for pixel, tap in window:
            for c in range(C):
                dw[tap * C + c] += dout[at * C + c] * x[pixel * C + c]
    add_rows(db, dout, B * geom[12] * geom[13], C)


def conv2d_t_fwd(out, x, w, b, geom, B):
    """out (B, H, W, C) = transposed convolution of x (B, OH, OW, K) by w (K, R, S, C) + b (C) or
    None; geom (14) of the convolution from out to x
    """
    geom = check.conv2d_t_fwd(out, x, w, b, geom, B)
    _, _, C, K, R, S = geom[:6]
    _zero(out)
    for at, window in windows(geom, B):
        for k in range(K):
            for pixel, tap in window:
                for c in range(C):
                    out[pixel * C + c] += x[at * K + k] * w[(k * R * S + tap) * C + c]
    if b is not None:
        for i in range(len(out)):
            out[i] += b[i % C]


def conv2d_t_bwd_dx(dx, dout, w, geom, B):
    """dx (B, OH, OW, K) = gradient of conv2d_t_fwd at dout (B, H, W, C), w (K, R, S, C); geom (14)
    of the convolution from dout to dx
    """
    geom = check.conv2d_t_bwd_dx(dx, dout, w, geom, B)
    _, _, C, K, R, S = geom[:6]
    for at, window in windows(geom, B):
        for k in range(K):
            acc = 0.0
            for pixel, tap in window:
                for c in range(C):
                    acc += dout[pixel * C + c] * w[(k * R * S + tap) * C + c]
            dx[at * K + k] = acc


def conv2d_t_bwd_dw(dw, db, dout, x, geom, B):
    """dw (K, R, S, C) += x (B, OH, OW, K) corr dout (B, H, W, C); db (C) += dout.sum(0, 1, 2);
    geom (14) of the convolution from dout to x
    """
    geom = check.conv2d_t_bwd_dw(dw, db, dout, x, geom, B)
    _, _, C, K, R, S = geom[:6]
    for at, window in windows(geom, B):
        for k in range(K):
            for pixel, tap in window:
                for c in range(C):
                    dw[(k * R * S + tap) * C + c] += x[at * K + k] * dout[pixel * C + c]
    add_rows(db, dout, B * geom[0] * geom[1], C)


def _zero(buf):
    for i in range(len(buf)):
        buf[i] = 0.0


# ---- pools ----------------------------------------------------------------------------------


def _largest(x, window, C, c):
    """The pixel of the first largest value, or of the last NaN; None for an empty window."""
    best = None
    for pixel, _ in window:
        v = x[pixel * C + c]
        if best is None or v > x[best * C + c] or v != v:
            best = pixel
    return best


def maxpool_fwd(out, x, geom, B):
    """out (B, OH, OW, C) = largest of x (B, H, W, C) in each window, NaN if there is one; geom
    (14) with K = C
    """
    geom = check.maxpool_fwd(out, x, geom, B)
    C = geom[2]
    for at, window in windows(geom, B):
        for c in range(C):
            best = _largest(x, window, C, c)
            out[at * C + c] = 0.0 if best is None else x[best * C + c]


def maxpool_bwd_dx(dx, dout, x, geom, B):
    """dx (B, H, W, C) = dout (B, OH, OW, C) at the first largest of x (B, H, W, C) in each window,
    else 0; geom (14) with K = C
    """
    geom = check.maxpool_bwd_dx(dx, dout, x, geom, B)
    C = geom[2]
    _zero(dx)
    for at, window in windows(geom, B):
        for c in range(C):
            best = _largest(x, window, C, c)
            if best is not None:
                dx[best * C + c] += dout[at * C + c]


def avgpool_fwd(out, x, geom, B):
    """out (B, OH, OW, C) = mean of x (B, H, W, C) in each window, padding not counted; geom (14)
    with K = C
    """
    geom = check.avgpool_fwd(out, x, geom, B)
    C = geom[2]
    for at, window in windows(geom, B):
        for c in range(C):
            acc = 0.0
            for pixel, _ in window:
                acc += x[pixel * C + c]
            out[at * C + c] = acc / max(len(window), 1)


def avgpool_bwd_dx(dx, dout, geom, B):
    """dx (B, H, W, C) = gradient of avgpool_fwd at dout (B, OH, OW, C); geom (14) with K = C"""
    geom = check.avgpool_bwd_dx(dx, dout, geom, B)
    C = geom[2]
    _zero(dx)
    for at, window in windows(geom, B):
        for pixel, _ in window:
            for c in range(C):
                dx[pixel * C + c] += dout[at * C + c] / len(window)


# ---- activations ----------------------------------------------------------------------------


def relu6_fwd(out, x):
    """out (n) = min(max(x (n), 0), 6), NaN stays NaN; out may be x"""
    for i in range(check.relu6_fwd(out, x)):
        v = x[i]
        out[i] = 0.0 if v <= 0.0 else 6.0 if v >= 6.0 else v


def relu6_bwd_dx(dx, dout, out):
    """dx (n) = dout (n) where 0 < out (n) < 6, else 0; dx may be dout"""
    for i in range(check.relu6_bwd_dx(dx, dout, out)):
        dx[i] = dout[i] if 0.0 < out[i] < 6.0 else 0.0


def leaky_relu_fwd(out, x, slope):
    """out (n) = x (n) where it is positive, else slope (1) * x; out may be x"""
    n, slope = check.leaky_relu_fwd(out, x, slope), slope[0]
    for i in range(n):
        out[i] = x[i] if x[i] > 0.0 else slope * x[i]


def leaky_relu_bwd_dx(dx, dout, out, slope):
    """dx (n) = dout (n) where out (n) is positive, else slope (1) * dout; dx may be dout"""
    n, slope = check.leaky_relu_bwd_dx(dx, dout, out, slope), slope[0]
    for i in range(n):
        dx[i] = dout[i] if out[i] > 0.0 else slope * dout[i]


def hard_swish_fwd(out, x):
    """out (n) = x (n) * min(max(x + 3, 0), 6) / 6; out may be x"""
    for i in range(check.hard_swish_fwd(out, x)):
        v = x[i]
        out[i] = 0.0 if v <= -3.0 else v if v >= 3.0 else v * (v + 3.0) / 6.0


def hard_swish_bwd_dx(dx, dout, x):
    """dx (n) = dout (n) * (x (n) / 3 + 1 / 2), dout where x >= 3, 0 where x <= -3; dx may be
    dout
    """
    for i in range(check.hard_swish_bwd_dx(dx, dout, x)):
        v, d = x[i], dout[i]
        dx[i] = 0.0 if v <= -3.0 else d if v >= 3.0 else d * (v / 3.0 + 0.5)


def sigmoid_fwd(out, x):
    """out (n) = 1 / (1 + exp(-x (n))) within 2.5 ulp, 0 below -87.33; out may be x"""
    for i in range(check.sigmoid_fwd(out, x)):
        v = x[i]
        if v < -87.33654:
            out[i] = 0.0
        else:
            e = math.exp(-abs(v))
            out[i] = (e if v < 0 else 1.0) / (1.0 + e)


def sigmoid_bwd_dx(dx, dout, out):
    """dx (n) = dout (n) * out (n) * (1 - out); dx may be dout"""
    for i in range(check.sigmoid_bwd_dx(dx, dout, out)):
        dx[i] = dout[i] * (out[i] * (1.0 - out[i]))


def tanh_fwd(out, x):
    """out (n) = tanh(x (n)) within 1.5 ulp; out may be x"""
    for i in range(check.tanh_fwd(out, x)):
        out[i] = math.tanh(x[i])


def tanh_bwd_dx(dx, dout, out):
    """dx (n) = dout (n) * (1 - out (n) * out); dx may be dout"""
    for i in range(check.tanh_bwd_dx(dx, dout, out)):
        dx[i] = dout[i] * (1.0 - out[i] * out[i])


def softmax_bwd_dx(dx, dout, out, B, K):
    """dx (B, K) = out (B, K) * (dout (B, K) - sum over K of dout * out): gradient of softmax_fwd;
    dx may be dout
    """
    check.softmax_bwd_dx(dx, dout, out, B, K)
    for row in range(0, B * K, K):
        acc = 0.0
        for k in range(row, row + K):
            acc += dout[k] * out[k]
        for k in range(row, row + K):
            dx[k] = out[k] * (dout[k] - acc)


# ---- element by element, channel by channel ---------------------------------------------------


def add_f32(out, a, b):
    """out (n) = a (n) + b (n): the residual connection, and sums of gradients; out may be a"""
    for i in range(check.add_f32(out, a, b)):
        out[i] = a[i] + b[i]


def mul_f32(out, a, b):
    """out (n) = a (n) * b (n); out may be a"""
    for i in range(check.mul_f32(out, a, b)):
        out[i] = a[i] * b[i]


def scale_shift_fwd(out, x, scale, shift, P, C):
    """out (P, C) = x (P, C) * scale (C) + shift (C); out may be x"""
    check.scale_shift_fwd(out, x, scale, shift, P, C)
    for i in range(P * C):
        out[i] = x[i] * scale[i % C] + shift[i % C]


def scale_shift_bwd_dx(dx, dout, scale, P, C):
    """dx (P, C) = dout (P, C) * scale (C); dx may be dout"""
    check.scale_shift_bwd_dx(dx, dout, scale, P, C)
    for i in range(P * C):
        dx[i] = dout[i] * scale[i % C]


def scale_shift_bwd_dw(dscale, dshift, dout, x, P, C):
    """dscale (C) += (dout (P, C) * x (P, C)).sum(0); dshift (C) += dout.sum(0)"""
    check.scale_shift_bwd_dw(dscale, dshift, dout, x, P, C)
    for c in range(C):
        acc = 0.0
        for p in range(P):
            acc += dout[p * C + c] * x[p * C + c]
        dscale[c] += acc
    add_rows(dshift, dout, P, C)


def copy_channels(out, x, P, M, N, to, at, C):
    """out (P, M)[:, to : to + C] = x (P, N)[:, at : at + C], the rest of out stays: concatenation,
    its gradient, and slices of channels
    """
    check.copy_channels(out, x, P, M, N, to, at, C)
    for p in range(P):
        for c in range(C):
            out[p * M + to + c] = x[p * N + at + c]


def pad_fwd(out, x, B, H, W, C, OH, OW, top, left):
    """out (B, OH, OW, C) = x (B, H, W, C) from row top and column left on, 0 around it"""
    check.pad_fwd(out, x, B, H, W, C, OH, OW, top, left)
    _zero(out)
    for inner, outer in framed(B, H, W, C, OH, OW, top, left):
        out[outer] = x[inner]


def pad_bwd_dx(dx, dout, B, H, W, C, OH, OW, top, left):
    """dx (B, H, W, C) = dout (B, OH, OW, C) from row top and column left on: gradient of pad_fwd,
    and a crop
    """
    check.pad_bwd_dx(dx, dout, B, H, W, C, OH, OW, top, left)
    for inner, outer in framed(B, H, W, C, OH, OW, top, left):
        dx[inner] = dout[outer]

"""The definition of losses, optimisers, elementary functions and random numbers; float32.

The float32 kernels' own exp, log, tanh, sigmoid and square root are bounded in units of the last
place (ulp) of the true value; the tests sweep them.
"""

import math

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check


# ---- loss and update ------------------------------------------------------------------------


def mse(dpred, stats, pred, target, B, N):
    """dpred (B, N) = 2 (pred (B, N) - target (B, N)) / (B N); stats (1) = sum over the batch of
    each sample's mean squared difference; dpred may be pred
    """
    check.mse(dpred, stats, pred, target, B, N)
    total = 0.0
    for i in range(B * N):
        d = pred[i] - target[i]
        total += d * d
        dpred[i] = d * 2.0 / (B * N)
    stats[0] = total / N


def adam_step(p, m, v, g, hyper):
    """g' = g (n) + weight_decay * p (n); m (n) = beta1 * m + (1 - beta1) * g'; v (n) = beta2 * v +
    (1 - beta2) * g'**2; p -= lr * (m / c1) / (sqrt(v / c2) + epsilon); hyper (7) = lr, beta1,
    beta2, epsilon, weight_decay, c1 = 1 - beta1**t, c2 = 1 - beta2**t at step t = 1, 2, ...
    """
    n = check.adam_step(p, m, v, g, hyper)
    lr, beta1, beta2, epsilon, decay, c1, c2 = hyper
    for i in range(n):
        grad = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + (1.0 - beta1) * grad
        v[i] = beta2 * v[i] + (1.0 - beta2) * (grad * grad)
        p[i] -= lr * (m[i] / c1) / (math.sqrt(v[i] / c2) + epsilon)


def axpy_f32(y, x, a):
    """y (n) += a (1) * x (n): accumulates gradients"""
    n = check.axpy_f32(y, x, a)
    for i in range(n):
        y[i] += a[0] * x[i]


def scale_f32(out, x, a):
    """out (n) = a (1) * x (n); out may be x"""
    n = check.scale_f32(out, x, a)
    for i in range(n):
        out[i] = a[0] * x[i]


def sum_squares(total, x):
    """total (1) += sum of x (n) squared: call it once a gradient buffer, then clip_norm on each"""
    acc = 0.0
    for i in range(check.sum_squares(total, x)):
        acc += x[i] * x[i]
    total[0] += acc


def clip_norm(g, total, limit):
    """g (n) *= limit (1) / sqrt(total (1)) where sqrt(total) > limit, else g stays"""
    n = check.clip_norm(g, total, limit)
    norm = _sqrt(total[0])
    if norm > limit[0]:
        for i in range(n):
            g[i] *= limit[0] / norm


# ---- elementary functions -------------------------------------------------------------------

_NAN = float("nan")
_INF = float("inf")


def _exp(v):
    if v != v:
        return v
    return 0.0 if v <= -87.33654 else _INF if v > 88.72283 else math.exp(v)


def _log(v):
    if v != v or v == _INF:
        return v
    return math.log(v) if v >= 1.17549435e-38 else _NAN if v < 0 else -_INF


def _sqrt(v):
    return math.sqrt(v) if v >= 0 else _NAN


def _over(function, n, out, x):
    for i in range(n):
        out[i] = function(x[i])


def exp_f32(out, x):
    """out (n) = exp(x (n)) within 1.1 ulp, 0 below -87.33, infinite above 88.72; out may be x"""
    _over(_exp, check.exp_f32(out, x), out, x)


def log_f32(out, x):
    """out (n) = log(x (n)) within 1 ulp; of 0 and subnormals -infinity, of less NaN; out may be
    x
    """
    _over(_log, check.log_f32(out, x), out, x)


def sqrt_f32(out, x):
    """out (n) = sqrt(x (n)), correctly rounded; of less than 0 NaN; out may be x"""
    _over(_sqrt, check.sqrt_f32(out, x), out, x)


# ---- random numbers -------------------------------------------------------------------------


def _mix(v):
    """A bijection of 32 bits in which every bit of v changes each result bit half the time."""
    v = ((v ^ v >> 16) * 0x7FEB352D) & 0xFFFFFFFF
    v = ((v ^ v >> 15) * 0x846CA68B) & 0xFFFFFFFF
    return v ^ v >> 16


def _random24(seed, counter):
    """24 random bits that only these two numbers decide."""
    return _mix((_mix(counter & 0xFFFFFFFF) + _mix(seed ^ 0x9E3779B9)) & 0xFFFFFFFF) >> 8


def uniform_f32(out, seed, at):
    """out (n) = k / 2**24 with k of 24 random bits: numbers at, at + 1, ... of the stream seed"""
    for i in range(check.uniform_f32(out, seed, at)):
        out[i] = _random24(seed, at + i) / 16777216


# The standard normal quantile of (1 + u) / 2 is u * p(w), w = -log(1 - u**2): minimax polynomials
# in w - 2.5 where w < 5 and in sqrt(w) - 3 beyond, highest power first.
_CENTRE = (4.0354279917664826e-08, 4.861034881287196e-07, -4.990561137674376e-06)
_CENTRE += (-6.217987902346067e-06, 0.00030915020033717155, -0.0017730101244524121)
_CENTRE += (-0.005908171180635691, 0.3488026559352875, 2.1233136653900146)
_TAIL = (-0.00025048834504559636, 0.00013131579908076674, 0.001862028962932527)
_TAIL += (-0.005185503512620926, 0.008137675933539867, -0.010781479068100452)
_TAIL += (0.013345621526241302, 1.416581153869629, 4.006434440612793)


def gaussian_f32(out, seed, at):
    """out (n) = standard normal numbers at, at + 1, ... of the stream seed: the quantile, within
    1e-6 of its size, at the middle of one of 2**24 equal steps; none is beyond +-5.42
    """
    n = check.gaussian_f32(out, seed, at)
    for i in range(n):
        u = (2 * _random24(seed, at + i) + 1 - 16777216) / 16777216
        w = -math.log((1.0 - u) * (1.0 + u))
        w, row = (w - 2.5, _CENTRE) if w < 5.0 else (math.sqrt(w) - 3.0, _TAIL)
        p = 0.0
        for c in row:
            p = p * w + c
        out[i] = p * u

"""The definition of the kernels of variational auto-encoders: a sampled code, its divergence from
the standard normal distribution, and the reconstruction of values from 0 to 1.

Kingma and Welling, "Auto-Encoding Variational Bayes" (ICLR 2014). A unit of the code is a normal
distribution, given by its mean and `spread`, the logarithm of its variance.
"""

import math

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check

from .train import _exp, gaussian_f32

_TURN = 0x3FFFFFFF  # the last number of a stream, after which it begins again


def sample_code(out, noise, stream, mean, spread):
    """out (n) = mean (n) + exp(spread (n) / 2) * noise (n); stream (3) = seed, at, which: 1, noise
    is the next numbers of gaussian_f32's stream, and at goes on; 0, noise becomes 0; 2, it stays
    as it is
    """
    stream, n = check.sample_code(out, noise, stream, mean, spread)
    at, which = stream[1], stream[2]
    if which == 1:
        gaussian_f32(noise, stream[0], at)
        stream[1] = (at + n) & _TURN
    for i in range(n):
        if which == 0:
            noise[i] = 0.0
        out[i] = mean[i] + _exp(0.5 * spread[i]) * noise[i]


def sample_code_bwd_dx(dspread, dout, spread, noise):
    """dspread (n) = dout (n) * noise (n) * exp(spread (n) / 2) / 2; the gradient by the mean is
    dout; dspread may be dout
    """
    n = check.sample_code_bwd_dx(dspread, dout, spread, noise)
    for i in range(n):
        dspread[i] = 0.5 * dout[i] * noise[i] * _exp(0.5 * spread[i])


def kl_mean(dmean, stats, mean, B, Z):
    """dmean (B, Z) = mean (B, Z) / B; stats (1 + Z) = the sum of all, then of each unit, of
    mean**2 / 2: the part of the means in the divergence from standard normal
    """
    check.kl_mean(dmean, stats, mean, B, Z)
    for z in range(1 + Z):
        stats[z] = 0.0
    for i in range(B * Z):
        stats[1 + i % Z] += 0.5 * mean[i] * mean[i]
        dmean[i] = mean[i] / B
    for z in range(Z):
        stats[0] += stats[1 + z]


def kl_spread(dspread, stats, spread, B, Z):
    """dspread (B, Z) = (exp(spread (B, Z)) - 1) / (2 B); stats (1 + Z) = the sum of all, then of
    each unit, of (exp(spread) - 1 - spread) / 2: the part of the variances in the divergence from
    standard normal
    """
    check.kl_spread(dspread, stats, spread, B, Z)
    for z in range(1 + Z):
        stats[z] = 0.0
    for i in range(B * Z):
        more = _exp(spread[i]) - 1.0
        stats[1 + i % Z] += 0.5 * (more - spread[i])
        dspread[i] = 0.5 * more / B
    for z in range(Z):
        stats[0] += stats[1 + z]


def logistic_xent(dlogits, stats, logits, target, B, N):
    """dlogits (B, N) = (sigmoid(logits (B, N)) - target (B, N)) / (B N); stats (1) = sum over the
    batch of each sample's mean of log(1 + exp(logit)) - target * logit, the cross-entropy of
    values from 0 to 1; dlogits may be logits
    """
    check.logistic_xent(dlogits, stats, logits, target, B, N)
    total = 0.0
    for i in range(B * N):
        v = logits[i]
        total += max(v, 0.0) + math.log(1.0 + _exp(-abs(v))) - target[i] * v
        dlogits[i] = (1.0 / (1.0 + _exp(-v)) - target[i]) / (B * N)
    stats[0] = total / N

"""Random layers, and their outputs as real numbers before any rounding, in float64.

The sums are of integers and exact: below 2**53, and onnxruntime's float32 of them below 2**24.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def integers(rng, *shape, low=-128, high=127):
    return rng.integers(low, high + 1, shape).astype(np.int8)


def scale(rng, low=0.002, high=0.2):
    """A float32 scale, by its logarithm; as float64."""
    return float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))


def channel_scales(rng, channels):
    """Scales of weights whose channels differ by a factor of up to 10."""
    return np.array([scale(rng, 0.001, 0.01) for _ in range(channels)])


def zero_point(rng):
    return int(rng.integers(-128, 128))


def axis(rng, dilations):
    """Size, kernel, stride, padding before and after, dilation and output size of one axis."""
    while True:
        size, taps, stride = (int(rng.integers(1, top)) for top in (13, 6, 4))
        dilation = int(rng.choice(dilations))
        before, after = (int(v) for v in rng.integers(0, taps, 2))
        room = size + before + after - ((taps - 1) * dilation + 1)
        # a pool of padding alone has no mean and no largest element
        if room >= 0 and size > (dilation - 1) * (taps > 1):
            return size, taps, stride, before, after, dilation, room // stride + 1


def geometry(rng, channelwise=False, dilations=(1, 2)):
    """geom (14) as the kernels have it, and pads (top left bottom right)."""
    H, R, sh, top, bottom, dh, OH = axis(rng, dilations)
    W, S, sw, left, right, dw, OW = axis(rng, dilations)
    C, K = (int(v) for v in rng.integers(1, 10, 2))
    geom = H, W, C, C if channelwise else K, R, S, sh, sw, top, left, dh, dw, OH, OW
    return geom, [top, left, bottom, right]


def windows(x, geom, pads, fill):
    """x (B, H, W, C) as (B, OH, OW, C, R, S), float64, ``fill`` where the padding is."""
    _, _, _, _, R, S, sh, sw, _, _, dh, dw, OH, OW = geom
    top, left, bottom, right = pads
    edges = ((0, 0), (top, bottom), (left, right), (0, 0))
    x = np.pad(x.astype(np.float64), edges, constant_values=fill)
    spread = sliding_window_view(x, ((R - 1) * dh + 1, (S - 1) * dw + 1), axis=(1, 2))
    return spread[:, ::sh, ::sw, :, ::dh, ::dw][:, :OH, :OW]


def output_quantization(rng, real):
    """(scale, zero point) whose int8 range takes most of the real numbers, and their steps."""
    step = float(np.float32(max(np.abs(real).max(), 1e-6) / rng.uniform(60, 200)))
    return step, int(rng.integers(-64, 65))


def activation(rng, zero_point):
    """act_min, act_max: none, a ReLU or a ReLU with an upper end."""
    return ((-128, 127), (zero_point, 127), (zero_point, min(127, zero_point + 90)))[
        int(rng.integers(3))
    ]

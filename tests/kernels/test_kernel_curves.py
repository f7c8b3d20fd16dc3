"""tanh, sigmoid, square root, tables of cosines and random numbers, within what is promised.

The C kernels are swept densely, against float64; the other backends at a few places of each.
"""

import math
from array import array
from statistics import NormalDist

import numpy as np
import pytest

from kernels.common import BACKENDS, C

# What the shape lines promise, in units of the last place of the true value.
EXP_ULP, LOG_ULP, TANH_ULP, SIGMOID_ULP = 1.1, 1.0, 1.5, 2.5
TURN_ERROR, HANN_ERROR, DCT_ERROR, GAUSSIAN_ERROR = 2e-7, 1e-6, 3e-7, 1e-6


def over(kernels, name, x):
    x = np.ascontiguousarray(x, np.float32)
    out = np.empty_like(x)
    getattr(kernels, name)(out, x)
    return out


def ulps(values, target):
    """Distance in units of the last place of the true value, which is float64."""
    place = np.spacing(np.abs(target.astype(np.float32))).astype(np.float64)
    return np.max(np.abs(values.astype(np.float64) - target) / place)


def every(low, high, step):
    """Every step-th float32 from low to high, both positive, by their bits."""
    first, last = np.float32([low, high]).view(np.uint32)
    return np.arange(first, last, step, dtype=np.uint32).view(np.float32)


def sigmoid(x):
    x = x.astype(np.float64)
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


CURVES = {  # kernel: truth, bound, where
    "exp_f32": (np.exp, EXP_ULP, (1e-30, 87.3), True),
    "log_f32": (np.log, LOG_ULP, (1.18e-38, 3.4e38), False),
    "tanh_fwd": (np.tanh, TANH_ULP, (1e-37, 200), True),
    "sigmoid_fwd": (sigmoid, SIGMOID_ULP, (1e-30, 87.3), True),
}


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("name", CURVES)
def test_a_curve_is_as_close_as_it_says(kernels, name):
    truth, bound, (low, high), both = CURVES[name]
    step = 997 if kernels.__name__ == "_engram" else 499979
    x = every(low, high, step)
    x = np.concatenate([x, np.linspace(low, min(high, 20), len(x)).astype(np.float32)])
    for side in (x, -x) if both else (x,):
        assert ulps(over(kernels, name, side), truth(side.astype(np.float64))) <= bound


@pytest.mark.parametrize("kernels", BACKENDS)
def test_the_square_root_is_correctly_rounded(kernels):
    step = 1009 if kernels.__name__ == "_engram" else 900001
    x = every(1.18e-38, 3.4e38, step)
    x = np.concatenate([x, every(1, 4, step // 9), every(1e-45, 1.1e-38, step), [0.0, -0.0]])
    x = np.concatenate([x, np.arange(3000.0) ** 2]).astype(np.float32)
    np.testing.assert_array_equal(over(kernels, "sqrt_f32", x), np.sqrt(x))


@pytest.mark.parametrize("kernels", BACKENDS)
def test_edges(kernels):
    inf, nan = np.inf, np.nan
    assert over(kernels, "tanh_fwd", [0, inf, -inf, 1e30, -1e30]).tolist() == [0, 1, -1, 1, -1]
    assert over(kernels, "sigmoid_fwd", [0, inf, -inf, 100, -90]).tolist() == [0.5, 1, 0, 1, 0]
    assert over(kernels, "exp_f32", [0, inf, -inf, 88.8, -87.5]).tolist() == [1, inf, 0, inf, 0]
    assert over(kernels, "log_f32", [1, 0, inf, 1e-40]).tolist() == [0, -inf, inf, -inf]
    assert over(kernels, "sqrt_f32", [inf, 0]).tolist() == [inf, 0]
    assert over(kernels, "hard_swish_fwd", [inf, -inf, 3, -3]).tolist() == [inf, 0, 3, 0]
    assert np.isnan(over(kernels, "sqrt_f32", [-1, -inf, nan])).all()
    assert np.isnan(over(kernels, "log_f32", [-1, -inf, nan])).all()
    for name in ("tanh_fwd", "sigmoid_fwd", "exp_f32", "relu6_fwd", "hard_swish_fwd"):
        assert np.isnan(over(kernels, name, [nan, -nan])).all(), name


# ---- tables -----------------------------------------------------------------------------------


def table(kernels, name, n, *args):
    out = array("f", bytes(4 * n))
    getattr(kernels, name)(out, *args)
    return np.array(out, np.float64)


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize("N", [4, 8, 64, 1024, 32768])
def test_tables_of_an_fft(kernels, N):
    angle = 2 * np.pi * np.arange(N // 2) / N
    target = np.stack([np.cos(angle), np.sin(angle)], 1).ravel()
    assert np.abs(table(kernels, "rfft_table", N, N) - target).max() <= TURN_ERROR


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize("n", [1, 2, 3, 25, 400, 480, 32767])
def test_windows(kernels, n):
    target = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    assert np.abs(table(kernels, "hann_window", n) - target).max() <= HANN_ERROR


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize("M", [1, 2, 13, 40, 80])
def test_cosine_transform(kernels, M):
    result = table(kernels, "dct_matrix", M * M, M, M).reshape(M, M)
    k, m = np.arange(M)[:, None], np.arange(M)
    target = np.sqrt(2 / M) * np.cos(np.pi * k * (2 * m + 1) / (2 * M))
    target[0] = np.sqrt(1 / M)
    assert np.abs(result - target).max() <= DCT_ERROR
    np.testing.assert_allclose(result @ result.T, np.eye(M), atol=M * DCT_ERROR)  # orthonormal


# ---- random numbers ---------------------------------------------------------------------------


def stream(kernels, name, n, seed, at=0):
    return table(kernels, name, n, seed, at)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("name", ["uniform_f32", "gaussian_f32"])
def test_a_stream_is_its_seed_and_position(kernels, name):
    whole = stream(kernels, name, 50, 3)
    assert (stream(kernels, name, 20, 3, 30) == whole[30:]).all()
    assert (stream(kernels, name, 50, 3) == whole).all()
    assert (stream(kernels, name, 50, 4) != whole).all()


@pytest.mark.parametrize("kernels", [C])
def test_gaussian_is_the_quantile_of_the_uniform_stream(kernels):
    n = 200_000
    middle = stream(kernels, "uniform_f32", n, 9) + 2.0**-25
    result = stream(kernels, "gaussian_f32", n, 9)
    target = np.array([NormalDist().inv_cdf(p) for p in middle])
    assert (np.abs(result - target) <= GAUSSIAN_ERROR * np.abs(target)).all()
    assert np.abs(result).max() < 5.42


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize("seed", [0, 1, 2, 12345, 2**30 - 1])
def test_distributions(kernels, seed):
    """Moments, the largest distance of the distribution functions (Kolmogorov, Smirnov), and no
    memory of the number before. Bounds are of four standard deviations and more.
    """
    n = 100_000
    root = math.sqrt(n)
    u, z = stream(kernels, "uniform_f32", n, seed), stream(kernels, "gaussian_f32", n, seed, n)
    assert 0 <= u.min() and u.max() < 1
    assert abs(u.mean() - 0.5) < 4 * math.sqrt(1 / 12) / root
    assert abs(z.mean()) < 4 / root and abs(z.var() - 1) < 4 * math.sqrt(2) / root
    assert abs((z**3).mean()) < 4 * math.sqrt(15) / root
    assert abs((z**4).mean() - 3) < 4 * math.sqrt(96) / root
    phi = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in np.sort(z)])
    for cdf in (np.sort(u), phi):
        steps = np.arange(n + 1) / n
        distance = max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max())
        assert distance * root < 2.2  # P = 1.3e-4
    for lag in (1, 2, 64):
        assert abs(np.corrcoef(z[:-lag], z[lag:])[0, 1]) < 4 / root
    other = stream(kernels, "gaussian_f32", n, seed ^ 1, n)
    assert abs(np.corrcoef(z, other)[0, 1]) < 4 / root

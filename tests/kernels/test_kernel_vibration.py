"""The front-end of vibration against numpy."""

from array import array
from itertools import combinations

import numpy as np
import pytest

from kernels.common import BACKENDS

FLOOR = 1e-3


def features(kernels, window, floor=FLOOR):
    N, C = window.shape
    out = array("f", bytes(4 * (6 * C + C * (C - 1) // 2)))
    kernels.vibration_features(out, array("f", window.ravel()), array("f", [floor]), N, C)
    return np.array(out)


def formula(window, floor=FLOOR):
    """The features as they are told, in float64."""
    v = window.astype(np.float64)
    v = v - v.mean(0)
    noisy = v.var(0) + floor**2
    sizes = [v.std(0)] + [np.abs(np.diff(v, k, axis=0)).mean(0) for k in (1, 2)]
    axes = [np.log1p(size / floor) - 5 for size in sizes]
    axes += [(v[:-k] * v[k:]).sum(0) / len(v) / noisy for k in (1, 2, 3)]
    pairs = [
        (v[:, a] * v[:, b]).mean() / np.sqrt(noisy[a] * noisy[b])
        for a, b in combinations(range(v.shape[1]), 2)
    ]
    return np.concatenate([np.array(axes).T.ravel(), pairs])


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(("N", "C"), [(8, 1), (9, 2), (64, 3), (100, 6)])
def test_features_are_the_formula(kernels, N, C):
    """1 g of gravity in each axis, movement of 2 mg to 2 g, axes that share a part of it."""
    rng = np.random.default_rng(N)
    for size in (2e-3, 0.1, 2):
        own, common = rng.normal(0, size, (N, C)), rng.normal(0, size, (N, 1))
        window = (1 + own + common).astype(np.float32)
        np.testing.assert_allclose(features(kernels, window), formula(window), atol=1e-4)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("level", [0, 1, -9.81])
def test_a_constant_window_has_no_movement_and_no_correlation(kernels, level):
    result = features(kernels, np.full((64, 3), level, np.float32))
    target = [-5, -5, -5, 0, 0, 0] * 3 + [0] * 3
    np.testing.assert_allclose(result, target, atol=1e-2)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_unit_changes_nothing_where_the_floor_changes_with_it(kernels):
    """Steps of a sensor, or g: the same features."""
    steps = np.random.default_rng(2).integers(-900, 900, (32, 2))
    raw = features(kernels, steps.astype(np.float32), 1.0)
    scaled = features(kernels, (steps / 1024).astype(np.float32), 1 / 1024)
    np.testing.assert_allclose(raw, scaled, atol=1e-5)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_what_is_not_a_number_is_not_hidden(kernels):
    window = np.ones((16, 2), np.float32)
    window[3, 1] = np.nan
    result = features(kernels, window)
    assert np.isfinite(result[:6]).all() and np.isnan(result[6:]).all()

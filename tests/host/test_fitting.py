"""Weights and biases that are fitted to the samples of a calibration, and what that saves."""

import numpy as np
import pytest

from engram_host.convert import rounding
from engram_host.convert.int8_ops import INT8
from engram_host.convert.quantize import Scale, quantize_layer
from engram_host.convert.rounding import nearest, rounded, seen

CONV = {"kernel": [3, 3], "stride": [1, 1], "pad": [1, 1, 1, 1]}
SOURCE, TARGET = Scale(0.1, -128), Scale(0.5, 0)


def together(count, taps, seed):
    """int8 values that go together, all positive, as pixels beside each other: far from zero."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 25, (count, 1)) + rng.normal(0, 6, (count, taps))
    return np.clip(np.rint(common), -128, 127).astype(np.int8)


def inputs_of(op, q):
    return seen(INT8[op].taps, CONV, SOURCE.dequantize(q), q, SOURCE.zero_point)


def test_sums_over_inputs_that_go_together_stay():
    """On values that were not seen: the spread of the error is a third and less."""
    w = np.random.default_rng(1).normal(0, 30, (8, 64))
    new = together(500, 64, seed=3).astype(np.float64)
    fitted = rounded(w, inputs_of("dense", together(500, 64, seed=2)))
    assert np.array_equal(fitted, np.rint(fitted)) and np.abs(fitted - w).max() < 20
    errors = [np.std(new @ (w - q).T) for q in (fitted, nearest(w))]
    assert errors[0] < errors[1] / 3


def test_the_mean_of_an_output_stays():
    """Inputs far from zero: the errors of the weights add up, and the bias takes them back."""
    q = together(400, 64, seed=2)
    x = SOURCE.dequantize(q)
    w = np.random.default_rng(1).normal(0, 0.2, (8, 64)).astype(np.float32)
    b = np.ones(8, np.float32)
    gaps = []
    for inputs in (inputs_of("dense", q), None):
        layer = quantize_layer("x", w, b, 0, SOURCE, TARGET, inputs)
        sums = (q.astype(np.int64) + 128) @ layer.w.T.astype(np.int64) + layer.bias
        scales = layer.mult * 2.0 ** (layer.shift - 31) * TARGET.scale
        gaps.append(np.abs((sums * scales).mean(axis=0) - (x @ w.T + b).mean(axis=0)).max())
    assert gaps[0] < 1e-3 < 0.01 < gaps[1]


def test_a_bias_makes_up_for_values_that_are_cut_off():
    q = together(400, 4, seed=2)
    wanted = SOURCE.dequantize(q) + np.float32(0.7)  # what the layers before have lost
    w, b = np.ones((1, 4), np.float32), np.zeros(1, np.float32)
    inputs = seen(INT8["dense"].taps, {}, wanted, q, SOURCE.zero_point)
    layer = quantize_layer("x", w, b, 0, SOURCE, TARGET, inputs)
    assert layer.bias[0] * SOURCE.scale / 127 == pytest.approx(4 * 0.7, abs=1e-3)


@pytest.mark.parametrize("op", ["conv2d", "depthwise"])
def test_padding_and_each_channel_are_in_the_covariance(op):
    """By definition: over every window, with its padding of zeros."""
    q = np.random.default_rng(0).integers(-128, 128, (20, 4, 5, 2)).astype(np.int8)
    inputs = inputs_of(op, q)
    padded = np.pad(q.astype(float) + 128, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [padded[:, i : i + 3, j : j + 3] for i in range(4) for j in range(5)]
    rows = np.concatenate(places).reshape(20 * 20, 9, 2)
    groups = [rows.reshape(400, 18)] if op == "conv2d" else [rows[:, :, 0], rows[:, :, 1]]
    np.testing.assert_allclose(inputs.mean, [group.mean(axis=0) for group in groups])
    np.testing.assert_allclose(inputs.wanted, inputs.mean * SOURCE.scale, rtol=1e-5)
    covariance = [np.cov(group.T, bias=True) for group in groups]
    np.testing.assert_allclose(inputs.covariance, covariance, rtol=1e-9, atol=1e-6)


def test_channels_with_inputs_of_their_own_are_rounded_apart():
    q = together(300, 9 * 3, seed=4).reshape(-1, 3, 3, 3)
    inputs = inputs_of("depthwise", q)
    w = np.random.default_rng(5).normal(0, 20, (3, 9))
    whole = rounded(w, inputs)
    for channel in range(3):
        own = rounding.Inputs(*(part[channel : channel + 1] for part in inputs))
        np.testing.assert_array_equal(rounded(w[channel : channel + 1], own)[0], whole[channel])


def test_inputs_that_never_vary_leave_each_weight_its_nearest_integer():
    w = np.random.default_rng(1).normal(0, 30, (8, 6))
    dead = np.full((50, 6), -128, np.int8)
    np.testing.assert_array_equal(rounded(w, inputs_of("dense", dead)), nearest(w))


def test_too_many_taps_leave_each_weight_its_nearest_integer(monkeypatch):
    monkeypatch.setattr(rounding, "_MOST_TAPS", 8)
    inputs = inputs_of("dense", together(50, 9, seed=2))
    assert inputs.covariance is None and inputs.mean.shape == (1, 9)
    w = np.random.default_rng(1).normal(0, 30, (4, 9))
    np.testing.assert_array_equal(rounded(w, inputs), nearest(w))


def test_fitted_weights_stay_in_int8():
    w = np.random.default_rng(1).normal(0, 60, (8, 64)).clip(-127, 127)
    fitted = rounded(w, inputs_of("dense", together(500, 64, seed=2)))
    assert np.abs(fitted).max() == 127

"""The threshold of a watch: false alarms on scores that nobody has seen."""

from array import array

import numpy as np
import pytest

from engram.errors import DataError
from engram.watch.threshold import Threshold, rate_of, window_means

RUNS = 25


def normal(rng, n):
    """Scores as distances of 16 values have them: chi-squared."""
    return rng.chisquare(16, n)


def heavy(rng, n):
    """Scores whose tail is exponential."""
    return rng.exponential(1, n)


def over(draw, n, rate, window):
    """(share of new windows over the threshold, mean of RUNS; how)"""
    shares = []
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        scores = array("f", draw(rng, n))
        threshold = Threshold(window_means(scores, window), rate)
        sums = np.cumsum(draw(rng, 30000))
        fresh = (sums[window:] - sums[:-window]) / window
        shares.append((fresh > threshold.value).mean())
    return np.mean(shares), threshold


@pytest.mark.parametrize("draw", [normal, heavy])
@pytest.mark.parametrize("window", [1, 8])
def test_false_alarms_come_as_often_as_said_where_the_scores_suffice(draw, window):
    share, threshold = over(draw, 1000, 0.02, window)
    assert threshold.how == "quantile" and not threshold.extrapolated
    assert 0.02 / 1.5 < share < 0.02 * 1.5


@pytest.mark.parametrize("draw", [normal, heavy])
@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("rate", [0.003, 0.0003])
def test_extrapolated_false_alarms_are_within_a_factor(draw, window, rate):
    """Of 4, in the mean over many watches that had 500 scores; that of one watch scatters more."""
    share, threshold = over(draw, 500, rate, window)
    assert threshold.how == "tail"
    assert rate / 4 < share < 4 * rate


def test_it_says_what_is_beyond_what_was_seen():
    means = array("f", np.random.default_rng(0).normal(0, 1, 300))
    assert not Threshold(means, 0.05).extrapolated
    far = Threshold(means, 1e-6)
    assert far.extrapolated and far.value > max(means) and far.how == "tail"
    assert far.lower == pytest.approx((far.value + np.median(means)) / 2)


def test_quantiles_are_those_of_numpy():
    values = np.random.default_rng(3).normal(0, 1, 777).astype(np.float32)
    threshold = Threshold(array("f", values), 0.2)
    assert threshold.value == pytest.approx(np.quantile(values, 0.8))
    assert threshold.lower == pytest.approx(np.quantile(values, [0.5, 0.8]).mean())


def test_means_that_are_all_the_same():
    threshold = Threshold(array("f", [3] * 30), 0.001)
    assert threshold.value == threshold.lower == 3


def test_window_means():
    means = window_means(array("f", [1, 2, 3, 4, 8]), 3)
    assert list(means) == [2, 3, 5]
    assert not window_means(array("f", [1]), 3)


def test_rates():
    assert rate_of(0.01) == 0.01
    assert rate_of("1/day", 86.4) == pytest.approx(0.001)
    assert rate_of("2 / hour", 36) == pytest.approx(0.02)


def test_scores_that_are_no_numbers_are_refused():
    means = array("f", [1] * 29 + [float("nan")])
    with pytest.raises(DataError, match="expected finite scores"):
        Threshold(means, 0.01)

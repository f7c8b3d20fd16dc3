"""Protocol P8 on the real fan: weights that moved are found among windows of 1.3 seconds.

Clusters of the front end's features, as int8 has them, in plain numpy: what the features are
worth, whatever a board makes of them.
"""

import os

import numpy as np
import pytest

from engram.vibration import Vibration
from engram_host.datasets import DataUnavailable, fan_vibration

CLUSTERS, STARTS = 17, 10
STEP = 1 / 32
# Measured (host): AUC 0.969 and 0.961 of configurations 2 and 3, the mean of ten seeds; the worst
# seeds have 0.965 and 0.945, these three 0.967 and 0.965.
SEEDS = range(3)


@pytest.fixture(scope="module")
def parts():
    if "ENGRAM_DATA" not in os.environ:
        pytest.skip("ENGRAM_DATA is unset; it names the folder that holds fan_vibration/")
    try:
        return fan_vibration().parts()
    except DataUnavailable as e:
        pytest.skip(str(e))


def features(windows):
    """(n, 64, 3) g -> (n, 21) float64: what int8 with a step of 1/32 keeps."""
    front = Vibration(samples=64, axes=3)
    rows = np.array([list(front.features(window)) for window in windows])
    assert np.abs(rows).max() < 127 * STEP  # int8 holds all of them
    return np.rint(rows / STEP).clip(-128, 127) * STEP


def clusters(x, seed):
    """(means, variances), (17, 21) each, of the best of some runs of Lloyd's algorithm."""
    rng, best = np.random.default_rng(seed), None
    for _ in range(STARTS):
        means = x[rng.choice(len(x), CLUSTERS, replace=False)]
        for _ in range(30):
            distance = ((x[:, None] - means) ** 2).sum(2)
            nearest = distance.argmin(1)
            counts = np.bincount(nearest, minlength=CLUSTERS)
            sums = np.zeros_like(means)
            np.add.at(sums, nearest, x)
            means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], means)
        cost = distance.min(1).sum()
        if best is None or cost < best[0]:
            best = cost, means, nearest, counts
    _, means, nearest, counts = best
    squares = np.zeros_like(means)
    np.add.at(squares, nearest, (x - means[nearest]) ** 2)
    return means, squares / np.maximum(counts, 1)[:, None] + STEP**2


def scores(x, model):
    """How unlike each row is to the cluster that is most like it: a Gaussian's -2 log p."""
    means, variances = model
    return ((x[:, None] - means) ** 2 / variances + np.log(variances)).sum(2).min(1)


def area(usual, unlike):
    """The probability that a window of `unlike` has the higher score (AUC)."""
    return (unlike[:, None] > usual).mean() + 0.5 * (unlike[:, None] == usual).mean()


@pytest.mark.slow
def test_clusters_of_features_find_the_weights_that_moved(parts):
    fit, usual = features(parts.fit), features(parts.usual)
    areas = {2: [], 3: []}
    for seed in SEEDS:
        model = clusters(fit, seed)
        for other, windows in parts.unlike.items():
            areas[other].append(area(scores(usual, model), scores(features(windows), model)))
    assert np.mean(areas[2]) > 0.96 and np.mean(areas[3]) > 0.95, areas

"""The policy that drops whole erase units: still a fair sample of each class, and hardly moves."""

import random

import numpy as np
import pytest

from engram.continual.policies.flash_balanced import FlashBalanced, share
from engram.continual.rng import Rng
from engram.store import RamFlash, ReplayStore

SEEDS, STREAM, BINS = 400, 1200, 8
# Critical values of chi-square at p = 0.001, by degrees of freedom
CHI2 = {2: 13.816, 7: 24.322}
POSITION = 4  # a record's latent is its place in the stream of its class


class Oldest:
    """An Rng for draws of a unit that is not fair: always the first in use."""

    def __init__(self, seed):
        self._rng = Rng(seed)

    def below(self, n):
        return 0 if n < 100 else self._rng.below(n)


def lived(seed, rates, random_picks=Rng, stream=STREAM, admit_all=False):
    """Positions in the stream of its class, of each class's records that are left."""
    store = ReplayStore(RamFlash(12, 256, 1), 1, 1, POSITION, reserve=2)
    policy = FlashBalanced(store, len(rates), random_picks(seed), units=8)
    labels = random.Random(seed)
    seen = [0] * len(rates)
    for label in labels.choices(range(len(rates)), rates, k=stream):
        if policy.admit(label) or admit_all:
            store.append(seen[label].to_bytes(POSITION, "little"), label, 0)
        seen[label] += 1
    left = [[] for _ in rates]
    buffer = bytearray(POSITION)
    for slot, label in enumerate(store.labels):
        if label != 255:
            store.read_into(slot, buffer)
            left[label].append(int.from_bytes(buffer, "little") / seen[label])
    return left


def unevenness(rows):
    """Hotelling's T squared of rows (seeds, cells) against equal means: chi-square with cells - 1
    degrees of freedom for many seeds, however the cells of one row hang together."""
    rows = np.asarray(rows, float)
    contrast = rows[:, 1:] - rows[:, :1]
    mean, covariance = contrast.mean(0), np.cov(contrast, rowvar=False)
    covariance += 1e-6 * np.eye(len(mean))  # a cell that is always empty is no division by zero
    return float(len(rows) * mean @ np.linalg.solve(covariance, mean))


def positions(lives, label):
    return [np.histogram(left[label], BINS, (0, 1))[0] for left in lives]


@pytest.fixture(scope="module")
def lives():
    return [lived(seed, (1, 1, 1)) for seed in range(1, SEEDS + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("label", range(3))
def test_each_place_in_the_stream_is_as_likely_to_stay(lives, label):
    assert unevenness(positions(lives, label)) < CHI2[BINS - 1]


@pytest.mark.slow
def test_classes_have_equal_shares(lives):
    assert unevenness([[len(records) for records in left] for left in lives]) < CHI2[2]


@pytest.mark.slow
def test_a_class_that_comes_more_often_gets_no_more():
    lives = [lived(seed, (8, 2, 2), stream=2400) for seed in range(1, 101)]
    counts = np.mean([[len(records) for records in left] for left in lives], axis=0)
    assert counts.max() < 1.15 * counts.min(), counts
    assert unevenness(positions(lives, 0)) < CHI2[BINS - 1]


@pytest.mark.slow
@pytest.mark.parametrize("mistake", [dict(random_picks=Oldest), dict(admit_all=True)])
def test_the_test_sees_what_is_not_fair(mistake):
    """The oldest unit instead of a random one; every record admitted."""
    lives = [lived(seed, (1, 1, 1), **mistake) for seed in range(1, 101)]
    assert unevenness(positions(lives, 0)) > 2 * CHI2[BINS - 1]


def test_a_rare_class_is_kept_whole():
    for seed in range(1, 6):
        left = lived(seed, (200, 1))
        store_slots = 8 * 12
        assert len(left[0]) > store_slots // 2 and 0 < len(left[1]) < store_slots // 4
        seen = random.Random(seed).choices(range(2), (200, 1), k=STREAM).count(1)
        assert len(left[1]) == seen


def test_shares_are_max_min_fair():
    assert share([10, 10, 10], 0.5) == 5
    assert share([1, 10, 10], 15 / 21) == pytest.approx(7)
    assert share([3, 1], 0.5) == 1


def test_hardly_anything_moves_and_wear_is_even():
    """Replacements at 80 % fill, of classes that come equally often."""
    store = ReplayStore(RamFlash(64, 1024, 1), 1, 1, 20)
    policy = FlashBalanced(store, 4, Rng(1), units=51)
    # The stream is skipped to the next record that is admitted: 1 / p of its class.
    policy.keep, policy.seen = [1.0] * 4, [0.0] * 4
    labels = random.Random(1)
    widest = 0
    for n in range(15000):
        label = labels.randrange(4)
        policy.seen[label] += 1 / policy.keep[label]
        store.append(bytes(20), label, 0)
        if n % 100 == 0:
            info = store.info()
            widest = max(widest, info["wear_max"] - info["wear_min"])
    info = store.info()
    assert widest <= 2 < info["wear_min"]
    assert (info["appended"] + info["moved"]) / info["appended"] < 1.2
    assert info["live"] > 0.75 * info["slots"]

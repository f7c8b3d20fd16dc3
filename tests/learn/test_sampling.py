"""Batch composition, random picks and metrics."""

from array import array

import pytest

from engram.continual.metrics import average_accuracy, forgetting
from engram.continual.rng import Rng
from engram.continual.sampling import Sampler

DEAD = 255


def test_rng_is_uniform_and_the_same_for_a_seed():
    a, b = Rng(5), Rng(5)
    assert [a.below(1000) for _ in range(50)] == [b.below(1000) for _ in range(50)]
    rng = Rng(1)
    counts = [0] * 10
    for _ in range(20000):
        counts[rng.below(10)] += 1
    chi2 = sum((c - 2000) ** 2 / 2000 for c in counts)
    assert chi2 < 27.9  # 9 degrees of freedom, p = 0.001


@pytest.mark.parametrize("n", [1, 2, 7, 32361, 32362, 100000, 1 << 24])
def test_rng_stays_below(n):
    rng = Rng(n)
    values = [rng.below(n) for _ in range(3000)]
    assert 0 <= min(values) and max(values) < n
    assert n < 7 or max(values) > 0.9 * n - 1 and min(values) < 0.1 * n


def test_rng_fits_small_ints():
    rng = Rng(123456)
    for _ in range(5000):
        rng.raw()
        assert max(rng.state) * 157 < 1 << 30


def test_rng_state_is_restored():
    rng = Rng(9)
    state = bytes(rng.state)
    picks = [rng.below(99) for _ in range(5)]
    rng.state = array("i", state)
    assert picks == [rng.below(99) for _ in range(5)]


def make_sampler(new, old_by_class, batch, replay=True, composition="balanced"):
    labels = [9] * new
    experiences = [3] * new
    for label, n in old_by_class.items():
        labels += [label] * n
        experiences += [label % 3] * n
    labels += [DEAD] * 5
    experiences += [3] * 5
    sampler = Sampler(len(labels), 10, Rng(2), composition)
    sampler.begin(labels, experiences, 3, batch, replay)
    return sampler, labels


@pytest.mark.parametrize("composition", ["balanced", "ar1"])
def test_records_without_a_class_are_a_class_of_their_own(composition):
    """The last: beside classes 0 and 1, and where there is no other."""
    none = 254
    for labels, classes in (([0, 1, none] * 8, 3), ([none] * 24, 1)):
        sampler = Sampler(24, classes, Rng(2), composition)
        sampler.begin(labels, [0] * 12 + [3] * 12, 3, 6, True)
        assert (sampler.new, sampler.old) == (12, 12)
        slots, served = array("i", range(6)), [0] * 255
        for _ in range(300):
            sampler.draw(slots)
            assert all(slot >= 12 for slot in slots[: sampler.new_per_batch])
            for slot in slots[sampler.new_per_batch :]:
                assert slot < 12
                served[labels[slot]] += 1
        kinds = len(set(labels))
        assert all(served[label] > sum(served) / kinds * 0.8 for label in set(labels))


def test_the_share_of_new_records_is_that_of_ar1():
    sampler, labels = make_sampler(300, {0: 1000, 1: 500}, 128, composition="ar1")
    assert (sampler.new_per_batch, sampler.steps_per_epoch) == (21, 15)
    slots, served = array("i", range(128)), [0] * 10
    for _ in range(200):
        sampler.draw(slots)
        for slot in slots[21:]:
            served[labels[slot]] += 1
    assert sum(served[:2]) == 200 * 107  # each record as likely: twice as many of class 0
    assert 1.9 < served[0] / served[1] < 2.1


@pytest.mark.parametrize(("old", "share"), [({0: 50}, 8), ({0: 9, 1: 200, 2: 1}, 4), ({9: 5}, 13)])
def test_a_balanced_batch_gives_every_class_the_same(old, share):
    """Class 9 is the new one; of a class that has old records too, 20 to 5 here, each counts."""
    sampler, _ = make_sampler(20, old, 16)
    assert sampler.new_per_batch == share


def test_every_new_record_comes_once_an_epoch():
    sampler, _ = make_sampler(20, {0: 50}, 16)
    assert sampler.new_per_batch == 8
    slots, picks = array("i", range(16)), []
    for _ in range(5):
        sampler.draw(slots)
        picks += slots[:8]
    assert sorted(picks[:20]) == sorted(picks[20:]) == list(range(20))
    assert picks[:20] != picks[20:]


def test_old_records_are_balanced_by_class():
    sampler, labels = make_sampler(10, {0: 100, 1: 10, 2: 40}, 16)
    slots, served = array("i", range(16)), [0] * len(labels)
    old = 16 - sampler.new_per_batch
    for _ in range(2000):
        sampler.draw(slots)
        picks = [labels[slot] for slot in slots[-old:]]
        assert max(picks.count(c) for c in range(3)) - min(picks.count(c) for c in range(3)) <= 1
        for slot in slots[-old:]:
            served[slot] += 1
    for c in range(3):  # within a class every record is as likely
        counts = [n for n, label in zip(served, labels) if label == c]
        expected = sum(counts) / len(counts)
        chi2 = sum((n - expected) ** 2 / expected for n in counts)
        assert chi2 < {100: 148.2, 10: 27.9, 40: 72.1}[len(counts)]  # p = 0.001


def test_a_row_is_drawn_again_from_its_own_kind():
    sampler, labels = make_sampler(10, {0: 100, 1: 10, 2: 40}, 16)
    slots = array("i", range(16))
    sampler.draw(slots)
    for row in range(16):
        before = slots[:]
        sampler.draw_again(slots, row)
        assert (labels[slots[row]] == 9) == (row < sampler.new_per_batch)
        assert slots[:row] == before[:row] and slots[row + 1 :] == before[row + 1 :]


@pytest.mark.parametrize("n", [32361, 40000])
def test_the_kernel_draws_what_rng_draws(n):
    """They share one state: a policy goes on where a batch ended."""
    sampler, _ = make_sampler(0, {0: n}, 16)
    slots, rng = array("i", range(16)), Rng(2)
    sampler.new_per_batch = 0
    rng.below(1)  # begin() drew the class that comes first
    sampler.draw(slots)
    assert list(slots) == [rng.below(n) for _ in range(16)]
    assert sampler.rng.state == rng.state


def test_without_replay_a_batch_is_all_new():
    sampler, _ = make_sampler(20, {0: 50}, 16, replay=False)
    assert (sampler.new_per_batch, sampler.steps_per_epoch, sampler.old) == (16, 2, 0)


def test_fewer_records_than_a_batch():
    sampler, _ = make_sampler(3, {}, 16)
    assert sampler.new_per_batch == 16 and sampler.steps_per_epoch == 1
    slots = array("i", range(16))
    sampler.draw(slots)
    assert set(slots) == {0, 1, 2}


def test_metrics_by_hand():
    matrix = [[0.9, None, None], [0.7, 0.8, None], [0.5, 0.6, 1.0]]
    assert average_accuracy(matrix) == pytest.approx(0.7)
    assert forgetting(matrix) == pytest.approx((0.4 + 0.2) / 2)

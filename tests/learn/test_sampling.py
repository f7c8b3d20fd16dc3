"""Batch composition, random picks and metrics."""

from array import array

import pytest

from engram.continual.composition import of_goal
from engram.continual.metrics import average_accuracy, forgetting
from engram.continual.rng import Rng
from engram.continual.sampling import Sampler
from engram.errors import DataError

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


def make_sampler(
    new, old_by_class, batch, replay=True, composition="balanced", new_share=None, brought=None
):
    labels = [9] * new
    sessions = [3] * new
    for label, n in old_by_class.items():
        labels += [label] * n
        sessions += [label % 3] * n
    labels += [DEAD] * 5
    sessions += [3] * 5
    sampler = Sampler(len(labels), 10, Rng(2), composition, new_share)
    sampler.begin(labels, sessions, 3, batch, replay, brought)
    return sampler, labels


def served_of(sampler, labels, batch, batches=400):
    """How often each class was drawn from old records."""
    slots, counts = array("i", range(batch)), [0] * 10
    for _ in range(batches):
        sampler.draw(slots)
        for slot in slots[sampler.new_per_batch :]:
            counts[labels[slot]] += 1
    return counts


@pytest.mark.parametrize("composition", ["balanced", "ar1", "as_stored", "as_seen"])
def test_records_without_a_class_are_a_class_of_their_own(composition):
    """The last: beside classes 0 and 1, and where there is no other."""
    none = 254
    for labels, classes in (([0, 1, none] * 8, 3), ([none] * 24, 1)):
        sampler = Sampler(24, classes, Rng(2), composition)
        sampler.begin(labels, [0] * 12 + [3] * 12, 3, 6, True)
        assert (sampler.new, sampler.old) == (12, 12)
        slots, counts = array("i", range(6)), [0] * 255
        for _ in range(300):
            sampler.draw(slots)
            assert all(slot >= 12 for slot in slots[: sampler.new_per_batch])
            for slot in slots[sampler.new_per_batch :]:
                assert slot < 12
                counts[labels[slot]] += 1
        kinds = len(set(labels))
        assert all(counts[label] > sum(counts) / kinds * 0.8 for label in set(labels))


def test_the_share_of_new_records_is_that_of_ar1():
    sampler, labels = make_sampler(300, {0: 1000, 1: 500}, 128, composition="ar1")
    assert (sampler.new_per_batch, sampler.steps_per_epoch) == (21, 15)
    slots, counts = array("i", range(128)), [0] * 10
    for _ in range(200):
        sampler.draw(slots)
        for slot in slots[21:]:
            counts[labels[slot]] += 1
    assert sum(counts[:2]) == 200 * 107  # each record as likely: twice as many of class 0
    assert 1.9 < counts[0] / counts[1] < 2.1


@pytest.mark.parametrize(("old", "share"), [
    ({0: 50}, 8), ({0: 9, 1: 200, 2: 1}, 4), ({9: 5}, 11), ({9: 500}, 11), ({0: 50, 9: 5}, 5),
])  # fmt: skip
def test_a_balanced_batch_gives_every_class_the_same(old, share):
    """Class 9 comes, with 20 records: all its share, two thirds where it has old ones too."""
    sampler, _ = make_sampler(20, old, 16)
    assert sampler.new_per_batch == share


def test_as_stored_draws_every_record_alike():
    sampler, labels = make_sampler(100, {0: 270, 1: 30}, 16, composition="as_stored")
    assert sampler.new_per_batch == 4
    counts = served_of(sampler, labels, 16)
    assert counts[0] / sum(counts) == pytest.approx(0.9, abs=0.02)


def test_as_seen_draws_classes_as_the_stream_brought_them():
    """Class 0 came nine times as often as class 1; as many records of both are stored."""
    brought = [900, 100] + [0] * 8
    sampler, labels = make_sampler(250, {0: 20, 1: 20}, 16, composition="as_seen", brought=brought)
    assert sampler.new_per_batch == 3  # 250 of 1,250
    counts = served_of(sampler, labels, 16)
    assert counts[0] / sum(counts) == pytest.approx(0.9, abs=0.02)
    assert counts[1] > 0


def test_as_seen_serves_more_classes_than_it_has_turns():
    labels = list(range(200)) * 2 + [200]
    sampler = Sampler(len(labels), 201, Rng(2), "as_seen")
    sampler.begin(labels, [1] * 400 + [3], 3, 8, True, [2] * 201)
    slots, classes = array("i", range(8)), set()
    for _ in range(60):
        sampler.draw(slots)
        classes |= {labels[slot] for slot in slots[sampler.new_per_batch :]}
    assert classes == set(range(200))


@pytest.mark.parametrize(("share", "new"), [(0.5, 8), (0.75, 12), (1, 16), (0.01, 1)])
@pytest.mark.parametrize("composition", ["balanced", "as_stored", "as_seen"])
def test_the_share_of_new_records_may_be_told(composition, share, new):
    sampler, _ = make_sampler(20, {0: 50}, 16, composition=composition, new_share=share)
    assert sampler.new_per_batch == new


def test_a_goal_is_a_composition_and_a_share():
    assert of_goal(None, None, None) == (None, None)
    assert of_goal("classes", None, None) == ("balanced", None)
    assert of_goal("domain", None, None) == ("balanced", 0.5)
    assert of_goal("user", None, None) == ("as_stored", 0.75)
    assert of_goal("user", "as_seen", 0.6) == ("as_seen", 0.6)


@pytest.mark.parametrize(("arguments", "words"), [
    (("fun", None, None), "expected a goal of classes, domain, user, got fun"),
    ((None, "mixed", None), "expected a composition of balanced or .*, got mixed"),
    ((None, None, 0), "expected a share of new samples above 0, up to 1, got 0"),
    ((None, None, 1.5), "expected a share of new samples .*, got 1.5"),
])  # fmt: skip
def test_what_a_batch_cannot_be_made_of_is_refused(arguments, words):
    with pytest.raises(DataError, match=words):
        of_goal(*arguments)


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
    slots, tally = array("i", range(16)), [0] * len(labels)
    old = 16 - sampler.new_per_batch
    for _ in range(2000):
        sampler.draw(slots)
        picks = [labels[slot] for slot in slots[-old:]]
        assert max(picks.count(c) for c in range(3)) - min(picks.count(c) for c in range(3)) <= 1
        for slot in slots[-old:]:
            tally[slot] += 1
    for c in range(3):  # within a class every record is as likely
        counts = [n for n, label in zip(tally, labels) if label == c]
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

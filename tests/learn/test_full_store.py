"""A store that is full while a session is under way: policies make room, and stay fair."""

from collections import Counter

import pytest
import tiny_model
from learner_check import open_learner
from test_policies import FakeLearner

from engram.continual.numbers import group_of
from engram.continual.policies import NAMES, TRIMMING, policy_class, room_in
from engram.errors import StoreError
from engram.store import RamFlash

SLOTS = 48


class Streamed(FakeLearner):
    """A learner with a small store, which takes sessions a sample at a time as a real one."""

    def __init__(self, name, budget, seed=1, slots=SLOTS):
        super().__init__(budget, seed, slots)
        self.store.capacity = slots
        self.policy = policy_class(name)(self.store, 10, self.rng, budget)
        self.rooms = 0

    def current_slots(self):
        store = self.store
        return [
            slot
            for slot in range(len(store.labels))
            if store.labels[slot] != 255 and store.sessions[slot] == self.session
        ]

    def take(self, stream):
        for n, label in enumerate(stream):
            if len(self.store) >= self.store.capacity:
                self.policy.make_room(self)
                self.rooms += 1
                assert len(self.store) <= room_in(self.store)
                self._forget()
            if self.policy.admit(label):
                slot = self.store.append(label, self.session)
                self.origin[slot] = (self.session, label, n)
        self.stored = len(self.store)
        self.policy.end(self)
        self._forget()
        self.session += 1

    def _forget(self):
        for slot in list(self.origin):
            if self.store.labels[slot] == 255:
                del self.origin[slot]


@pytest.mark.parametrize("name", TRIMMING)
def test_any_number_of_samples_goes_in(name):
    learner = Streamed(name, 24)
    for stream in ([0] * 30 + [1] * 30, [2, 3] * 150, [4] * 400):
        learner.take(stream)
        assert len(learner.store) == len(learner.origin) == 24
    assert learner.rooms > 4
    assert sum(learner.brought) == 760 and learner.brought[4] == 400
    assert learner.stored >= room_in(learner.store)  # what learning has is not the budget alone


@pytest.mark.parametrize("name", ["balanced", "ecbrs", "herding"])
def test_classes_share_alike_when_the_store_was_full(name):
    learner = Streamed(name, 24)
    learner.take([0] * 100 + [1] * 40 + [2] * 4)
    assert learner.kept(1) == {0: 10, 1: 10, 2: 4}
    learner.take([3] * 200)
    counts = learner.kept(1)
    assert counts[2] == 4 and all(6 <= counts[c] <= 7 for c in (0, 1, 3))


@pytest.mark.parametrize("name", ["balanced", "ecbrs", "random", "reservoir"])
def test_early_and_late_samples_of_a_session_are_as_likely_to_stay(name):
    """Of one class in four times the room: quarters of it, over many streams."""
    quarters, streams, length = Counter(), 300, 4 * SLOTS
    for seed in range(1, streams + 1):
        learner = Streamed(name, 24, seed)
        learner.take([1] * length)
        assert len(learner.origin) == 24
        quarters.update(4 * n // length for _, _, n in learner.origin.values())
    expected = 24 * streams / 4
    deviation = (24 * streams * (1 / 4) * (3 / 4)) ** 0.5  # of draws with return: the larger one
    assert all(abs(quarters[q] - expected) < 4 * deviation for q in range(4)), quarters


@pytest.mark.parametrize("name", ["balanced", "ecbrs", "reservoir"])
def test_old_and_new_samples_are_as_likely_to_stay(name):
    """Of one class: 60 samples before, 240 now, of which a fifth each."""
    old, streams = 0, 300
    for seed in range(1, streams + 1):
        learner = Streamed(name, 24, seed)
        learner.take([1] * 60)
        learner.take([1] * 240)
        assert len(learner.origin) == 24
        old += learner.kept(0)[0]
    share = old / (24 * streams)
    if name == "balanced":  # old records count for what they are, not for what they stand for
        assert share < 0.3
    else:
        assert abs(share - 1 / 5) < 4 * (0.2 * 0.8 / (24 * streams)) ** 0.5, share


def test_the_share_of_a_new_session_is_that_of_ar1_when_the_store_was_full():
    learner = Streamed("random", 24)
    learner.take([0] * 100)
    learner.take([1] * 200)
    assert learner.kept(0) == {0: 12, 1: 12}
    learner.take([2] * 200)
    assert learner.kept(0)[2] == 8 and len(learner.origin) == 24


@pytest.mark.parametrize("name", TRIMMING)
def test_a_budget_of_the_whole_store_leaves_room_for_new_samples(name):
    learner = Streamed(name, SLOTS)
    learner.take([0] * 100)
    learner.take([1] * 100)
    assert learner.kept(1)[1] >= SLOTS // 4
    assert len(learner.origin) >= room_in(learner.store)


@pytest.mark.parametrize("name", TRIMMING)
def test_records_without_a_class_are_thinned_as_one_class(name):
    learner = Streamed(name, 24)
    learner.take([254] * 100 + [0] * 100)
    assert len(learner.origin) == 24 and learner.brought[group_of(254, 10)] == 100


@pytest.mark.parametrize("name", NAMES)
def test_a_learner_takes_more_samples_than_its_flash_holds(name):
    """On the real store, whose flash is collected all along; then it learns and saves."""
    if name == "flash_balanced":
        pytest.skip("its budget is in erase units: tests/learn/test_flash_balanced.py")
    learner = open_learner(RamFlash(8, 1024, 16), policy=name)
    count = 4 * learner.store.capacity
    for i in range(count):
        learner.observe(tiny_model.sample(i % 4, i), i % 4)
    assert learner.stored + learner.skipped == count and learner.skipped > 0
    assert room_in(learner.store) <= len(learner.store) <= learner.store.capacity
    assert learner.learn()["steps"] > 0
    assert len(learner.store) <= learner.budget and learner.seen == count
    learner.save()
    counts = Counter(label for label in learner.store.labels if label != 255)
    if name in ("balanced", "ecbrs", "herding"):
        assert max(counts.values()) - min(counts.values()) <= 1


def test_the_samples_of_a_session_can_be_taken_back():
    learner = open_learner(RamFlash(8, 1024, 16))
    learner.observe(tiny_model.sample(0, 0), 0)
    learner.learn()
    for i in range(5):
        learner.observe(tiny_model.sample(1, i), 1)
    assert learner.forget_current() == 5 and len(learner.store) == 1
    assert learner.forget_current() == 0


def test_a_store_that_cannot_be_thinned_still_says_that_it_is_full():
    learner = open_learner(RamFlash(8, 1024, 16))
    learner.policy.make_room = lambda learner: None
    with pytest.raises(StoreError, match="the store is full"):
        for i in range(learner.store.capacity + 1):
            learner.observe(tiny_model.sample(0, i), 0)

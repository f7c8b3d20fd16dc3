"""What a policy keeps: its share, its probability, its choice; on many random streams."""

from array import array
from collections import Counter

import numpy as np
import pytest
from strategies_reference import Life

from engram import DataError
from engram.continual.numbers import group_of, number_of
from engram.continual.policies import TRIMMING, policy_class
from engram.continual.policies.records import new_and_old
from engram.continual.rng import Rng

DEAD = 255


class FakeStore:
    def __init__(self, slots):
        self.labels = bytearray([DEAD] * slots)
        self.sessions = array("H", bytes(2 * slots))

    def __len__(self):
        return sum(label != DEAD for label in self.labels)

    def append(self, label, session):
        slot = self.labels.index(DEAD)
        self.labels[slot], self.sessions[slot] = label, number_of(session)
        return slot

    def delete(self, slot):
        assert self.labels[slot] != DEAD, "deleted twice"
        self.labels[slot] = DEAD

    def count(self, label):
        return self.labels.count(label)


class FakeLearner:
    """The part of a learner that a policy reads, over a stream of sessions.

    .origin     {slot: (session, label, number in it)} of the records that are left
    """

    feature_elems = 3

    def __init__(self, budget, seed=1, slots=600):
        self.store, self.rng, self.budget = FakeStore(slots), Rng(seed), budget
        self.session = 0
        self.brought = [0] * 10
        self.origin = {}
        self.vectors = np.random.default_rng(seed).random((slots, 3)).astype(np.float32)

    def features(self, slot):
        return memoryview(self.vectors[slot])

    def take(self, name, stream):
        """Ends one session with records of these labels."""
        for n, label in enumerate(stream):
            self.origin[self.store.append(label, self.session)] = (self.session, label, n)
        store = self.store
        policy_class(name)(store, 10, self.rng, self.budget).trim(self)
        for label in stream:
            self.brought[group_of(label, 10)] += 1
        for slot in list(self.origin):
            if self.store.labels[slot] == DEAD:
                del self.origin[slot]
        self.session += 1

    def kept(self, part):
        """How many records are left of each label (1), session (0)."""
        return Counter(origin[part] for origin in self.origin.values())


@pytest.mark.parametrize("name", TRIMMING)
def test_the_budget_is_kept_and_filled(name):
    learner = FakeLearner(40)
    for stream in ([0] * 20, [1] * 15 + [0] * 15, [2] * 5, [3] * 60):
        total = len(learner.store) + len(stream)
        learner.take(name, stream)
        assert len(learner.store) == len(learner.origin) == min(40, total)
    learner.budget = 7
    learner.take(name, [])
    assert len(learner.store) == 7
    learner.budget = 0
    learner.take(name, [0, 1, 2])
    assert len(learner.store) == 0


@pytest.mark.parametrize("name", TRIMMING)
def test_records_without_a_class_count_as_one_class(name):
    """The last of .brought: here the tenth, beside classes 0 and 1."""
    learner = FakeLearner(30)
    for stream in ([0] * 20, [254] * 30, [254] * 5 + [1] * 25):
        learner.take(name, stream)
        assert len(learner.store) == min(30, len(learner.origin))
    counts = learner.kept(1)
    if name in ("balanced", "ecbrs", "herding"):
        assert counts == {0: 10, 1: 10, 254: 10}
    policy = policy_class(name)(learner.store, 10, learner.rng, learner.budget)
    learner.current_slots = lambda: new_and_old(learner)[0]
    learner.session -= 1
    before, new = list(learner.brought), Counter(labels_of(learner))
    policy.end(learner)
    assert learner.brought[9] == before[9] + new[254] and learner.brought[1] == before[1] + new[1]


def labels_of(learner):
    return [learner.store.labels[slot] for slot in new_and_old(learner)[0]]


@pytest.mark.parametrize("name", ["balanced", "ecbrs", "herding"])
def test_every_class_has_an_equal_share(name):
    learner = FakeLearner(60)
    learner.take(name, [0] * 50 + [1] * 30 + [2] * 8)
    assert learner.kept(1) == {0: 26, 1: 26, 2: 8}
    learner.take(name, [3] * 40)
    counts = learner.kept(1)
    assert counts[2] == 8 and all(17 <= counts[c] <= 18 for c in (0, 1, 3))


def uniform(counts, expected, variance):
    """Whether counts differ from what is expected by chance: chi-squared, p = 0.001 or more."""
    freedom = len(counts) - 1
    chi2 = sum((n - expected) ** 2 for n in counts) / variance
    # Wilson and Hilferty's quantile of chi-squared
    return chi2 < freedom * (1 - 2 / (9 * freedom) + 3.09 * (2 / (9 * freedom)) ** 0.5) ** 3


RUNS = 400


@pytest.mark.parametrize(
    "name, classes", [("reservoir", [0, 1, 2]), ("ecbrs", [0, 0, 0])]
)
def test_every_record_of_the_stream_is_as_likely_to_stay(name, classes):
    """reservoir: over all classes; ecbrs: within one, whenever it came."""
    tally = Counter()
    for seed in range(RUNS):
        learner = FakeLearner(20, seed)
        for label in classes:
            learner.take(name, [label] * 20)
        tally.update((origin[0], origin[2]) for origin in learner.origin.values())
    counts = [tally[e, n] for e in range(3) for n in range(20)]
    assert sum(counts) == 20 * RUNS
    assert uniform(counts, RUNS / 3, RUNS / 3 * (1 - 1 / 3))


def test_balanced_forgets_the_past_of_a_class_and_ecbrs_does_not():
    """After 20 + 20 + 20 records of one class, 20 kept: the last session's part of them."""
    parts = {}
    for name in ("balanced", "ecbrs"):
        last = 0
        for seed in range(100):
            learner = FakeLearner(20, seed)
            for _ in range(3):
                learner.take(name, [0] * 20)
            last += learner.kept(0)[2]
        parts[name] = last / 2000
    assert parts["balanced"] == pytest.approx(1 / 2, abs=0.05)
    assert parts["ecbrs"] == pytest.approx(1 / 3, abs=0.05)


def test_ecbrs_takes_from_the_class_that_the_stream_brought_most_of():
    """Classes 0 and 1 keep as many, but 0 came ten times as often."""
    learner = FakeLearner(40)
    learner.take("ecbrs", [0] * 200)
    learner.take("ecbrs", [1] * 20)
    assert learner.kept(1) == {0: 20, 1: 20}
    learner.take("ecbrs", [2])
    assert learner.kept(1) == {0: 19, 1: 20, 2: 1}
    learner.take("ecbrs", [2] * 3)
    assert learner.kept(1) == {0: 18, 1: 18, 2: 4}


@pytest.mark.parametrize("session", [1, 2, 5, 300])
def test_random_replaces_as_many_as_ar1(session):
    learner = FakeLearner(60)
    learner.take("random", [0] * 100)
    assert learner.kept(0) == {0: 60}
    learner.session = session
    learner.take("random", [1] * 50)
    share = min(60 // (session + 1), 50)
    assert learner.kept(1) == Counter({0: 60 - share, 1: share})


def test_random_picks_uniformly():
    tally = Counter()
    for seed in range(RUNS):
        learner = FakeLearner(30, seed)
        learner.take("random", [0] * 30)
        learner.take("random", [1] * 30)
        tally.update((origin[0], origin[2]) for origin in learner.origin.values())
    for session in (0, 1):
        counts = [tally[session, n] for n in range(30)]
        assert sum(counts) == 15 * RUNS
        assert uniform(counts, RUNS / 2, RUNS / 4)


def herded(vectors, keep):
    """Indices that iCaRL's algorithm 4 picks from vectors (n, features)."""
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    mean = unit.mean(axis=0)
    rows = []
    for k in range(1, keep + 1):
        centres = (unit[rows].sum(axis=0) + unit) / k
        distance = np.linalg.norm(centres - mean, axis=1)
        distance[rows] = np.inf
        rows.append(int(distance.argmin()))
    return rows


@pytest.mark.parametrize("free", [1 << 30, 100])  # features kept in memory; read again
def test_herding_keeps_what_icarl_keeps(monkeypatch, free):
    import engram.continual.herd as herd

    monkeypatch.setattr(herd, "heap_free", lambda: free)
    learner = FakeLearner(24)
    learner.take("herding", [0] * 30 + [1] * 10)
    zeros = herded(learner.vectors[:30].astype(float), 14)
    slots = {slot for slot in range(600) if learner.store.labels[slot] == 0}
    assert slots == set(zeros)


@pytest.mark.parametrize("free", [1 << 30, 100])
def test_herding_leaves_out_where_fewer_go_than_stay(monkeypatch, free):
    """The record goes whose loss leaves the mean of the rest closest to that of all."""
    import engram.continual.herd as herd

    monkeypatch.setattr(herd, "heap_free", lambda: free)
    learner = FakeLearner(24)
    learner.take("herding", [0] * 24 + [1] * 6)
    unit = learner.vectors[:24].astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    mean, left = unit.mean(axis=0), list(range(24))
    while len(left) > 18:
        sums = {i: unit[[k for k in left if k != i]].sum(axis=0) for i in left}
        left.remove(min(left, key=lambda i: np.linalg.norm(sums[i] - (len(left) - 1) * mean)))
    slots = {slot for slot in range(600) if learner.store.labels[slot] == 0}
    assert slots == set(left)


def test_herding_without_a_head_keeps_random_records():
    learner = FakeLearner(6)
    learner.feature_elems = 0
    learner.take("herding", [0] * 10)
    assert learner.kept(1) == {0: 6}


def test_herding_looks_at_the_inputs_of_the_head():
    life = Life("replay", policy="herding", capacity=60)
    life.learner.budget = 12
    for label in (0, 1):
        life.add(label, 20)
    features = life.net().features(life.x[:40])
    for slot in (0, 3):
        np.testing.assert_allclose(life.learner.features(slot), features[slot], 1e-4, 1e-5)
    life.learner.end_session()
    slots = {slot for slot in range(60) if life.store.labels[slot] != DEAD}
    expected = set(herded(features[:20] + 1e-30, 6))
    expected |= {20 + i for i in herded(features[20:] + 1e-30, 6)}
    assert slots == expected


@pytest.mark.parametrize("free", [1 << 30, 100])
def test_a_damaged_record_goes_first(monkeypatch, free):
    import engram.continual.herd as herd

    monkeypatch.setattr(herd, "heap_free", lambda: free)
    life = Life("replay", policy="herding", capacity=60)
    life.learner.budget = 5
    life.add(0, 8)
    life.store._slots[2, 20] ^= 1
    assert life.learner.features(2) is None
    life.learner.end_session()
    assert life.store.labels[2] == DEAD and len(life.store) == 5


def test_the_learner_counts_what_the_stream_brought():
    life = Life("head", policy="random")
    life.learner.budget = 10
    for labels in ((0, 1), (1,)):
        for label in labels:
            life.add(label, 15)
        life.learner.end_session()
    assert list(life.learner.brought) == [15, 30, 0, 0, 0] and life.learner.seen == 45


def test_unknown_policies_and_two_budgets_are_refused():
    with pytest.raises(DataError, match="expected a policy of balanced or .*, got newest"):
        policy_class("newest")
    with pytest.raises(DataError, match="got both"):
        Life("head", budget_bytes=1000)

"""The policy that drops whole erase units: still a fair sample of each class, and hardly moves."""

import io
import random

import numpy as np
import pytest
import tiny_model
from nor import NorFlash

from engram import DataError, Learner, ModelSpec, StoreError
from engram.continual.config import saved_bytes
from engram.continual.policies.flash_balanced import ONE, Policy, share
from engram.continual.rng import Rng
from engram.store import Checkpoints, RamFlash, ReplayStore, regions
from engram_host.learning.latent_store import LatentStore

SEEDS, STREAM, BINS = 400, 1200, 8
# Critical values of chi-square at p = 0.001, by degrees of freedom
CHI2 = {2: 13.816, 7: 24.322}
POSITION = 4  # a record's latent is its place in the stream of its class
SLOTS = 13  # of such records in an erase unit


class Oldest:
    """An Rng for draws of a unit that is not fair: always the first in use."""

    def __init__(self, seed):
        self._rng = Rng(seed)

    def below(self, n):
        return 0 if n < 100 else self._rng.below(n)


def open_store(flash):
    store = ReplayStore(flash, 1, 1, POSITION, reserve=2)
    assert store.info()["slots_per_block"] == SLOTS
    return store


def lived(seed, rates, random_picks=Rng, stream=STREAM, admit_all=False, block=0):
    """Positions in the stream of its class, of each class's records that are left.

    block: so many of a class come in a row, then of the next one; 0: all mixed.
    """
    store = open_store(RamFlash(12, 256, 1))
    policy = Policy(store, len(rates), random_picks(seed), 8 * SLOTS)
    labels = random.Random(seed)
    seen = [0] * len(rates)
    mixed = labels.choices(range(len(rates)), rates, k=stream)
    for label in [n // block % len(rates) for n in range(stream)] if block else mixed:
        if policy.admit(label) or admit_all:
            store.append(seen[label].to_bytes(POSITION, "little"), label, 0)
        seen[label] += 1
    return left_of(store, seen)


def left_of(store, seen):
    left = [[] for _ in seen]
    buffer = bytearray(POSITION)
    for slot, label in enumerate(store.labels):
        if label != 255:
            store.read_into(slot, buffer)
            left[label].append(int.from_bytes(buffer, "little") / seen[label])
    return left


def lived_with_cuts(seed, classes, stream=STREAM, forget=False):
    """The same, saved and cut in turns: from each second place on the state is the saved one.

    forget: what happened between the save and the cut is not worked out.
    """
    flash = RamFlash(12, 256, 1)
    labels, places = random.Random(seed), (150, 330, 480, 700, 820, 1050)
    seen, saved, rng = [0] * classes, None, Rng(seed)

    def opened():
        policy = Policy(open_store(flash), classes, rng, 8 * SLOTS)
        if saved:
            policy.saved[0][:] = saved
        policy.loaded()
        if forget and saved:
            policy._behind = False
        return policy

    policy = opened()
    for n in range(stream):
        if n in places[0::2]:
            policy.saving()
            saved = policy.saved[0][:]
        if n in places[1::2]:
            policy = opened()
        label = labels.randrange(classes)
        if policy.admit(label):
            policy._store.append(seen[label].to_bytes(POSITION, "little"), label, 0)
        seen[label] += 1
    return left_of(policy._store, seen), policy, seen


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


@pytest.fixture(scope="module")
def lives_in_blocks():
    """Classes that come one after the other, each twice."""
    return [lived(seed, (1, 1, 1), block=200) for seed in range(1, SEEDS + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("label", range(3))
def test_so_it_is_where_classes_come_one_after_the_other(lives_in_blocks, label):
    assert unevenness(positions(lives_in_blocks, label)) < CHI2[BINS - 1]


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


@pytest.fixture(scope="module")
def cut_lives():
    return [lived_with_cuts(seed, 3) for seed in range(1, SEEDS + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("label", range(3))
def test_power_cuts_between_saves_leave_the_sample_fair(cut_lives, label):
    assert unevenness(positions([left for left, _, _ in cut_lives], label)) < CHI2[BINS - 1]


@pytest.mark.slow
def test_what_a_cut_loses_is_estimated(cut_lives):
    """The seen numbers after three cuts against the stream's, what is to be expected in the store
    against what is there."""
    seen = np.array([policy.seen for _, policy, _ in cut_lives], float)
    real = np.array([seen for _, _, seen in cut_lives], float)
    assert abs(seen.mean() / real.mean() - 1) < 0.1
    expected = np.array([policy.keep for _, policy, _ in cut_lives], float) * seen / ONE
    there = [[len(records) for records in left] for left, _, _ in cut_lives]
    off = (expected - there).sum(axis=1)
    assert abs(off.mean()) < 4 * off.std() / len(off) ** 0.5


@pytest.mark.slow
def test_the_test_sees_a_state_that_is_not_brought_up_to_date():
    lives = [lived_with_cuts(seed, 3, forget=True)[0] for seed in range(1, 101)]
    assert unevenness(positions(lives, 0)) > CHI2[BINS - 1]


def test_a_state_that_was_saved_last_is_as_it_was():
    """Nothing happened since: nothing changes."""
    _, policy, _ = lived_with_cuts(1, 3, stream=900)
    policy.saving()
    before = policy.saved[0][:]
    policy.loaded()
    policy.saving()
    assert policy.saved[0] == before and 0 < min(policy.keep) and max(policy.keep) < ONE


def test_a_store_that_was_formatted_starts_afresh():
    _, policy, _ = lived_with_cuts(1, 3, stream=900)
    policy.saving()
    other = Policy(open_store(RamFlash(12, 256, 1)), 3, Rng(1), 8 * SLOTS)
    other.saved[0][:] = policy.saved[0]
    other.loaded()
    assert other.admit(1) and list(other.seen) == [0, 1, 0] and set(other.keep) == {ONE}


def test_records_of_another_policy_count_as_the_stream():
    store = open_store(RamFlash(12, 256, 1))
    for label in (0, 0, 2):
        store.append(bytes(POSITION), label, 0)
    policy = Policy(store, 3, Rng(1), 8 * SLOTS)
    assert policy.admit(1) and list(policy.seen) == [2, 1, 1]


def test_what_it_cannot_work_with_is_refused():
    store = open_store(RamFlash(12, 256, 1))
    with pytest.raises(DataError, match="at least 26 latents, two erase units"):
        Policy(store, 3, Rng(1), 25)
    small = ReplayStore(RamFlash(3, 256, 1), 1, 1, POSITION)
    with pytest.raises(StoreError, match="fill 2 erase units, got 0 of 3; make the region larger"):
        Policy(small, 3, Rng(1), 26)
    with pytest.raises(StoreError, match="store in flash"):
        Policy(LatentStore(100, POSITION), 3, Rng(1), 50)


def test_a_full_budget_never_fills_the_store():
    """The store has a unit more than the policy uses, so append() is never refused."""
    store = open_store(RamFlash(12, 256, 1))
    policy = Policy(store, 1, Rng(1), store.capacity)
    for n in range(3000):
        if policy.admit(0):
            store.append(n.to_bytes(POSITION, "little"), 0, 0)
    assert len(store) > 0.7 * store.capacity


def test_units_that_wear_out_are_not_missed():
    """Bad units leave fewer than the budget fills: the policy drops earlier."""
    flash = NorFlash(12, 256, 1)
    flash.endurance = [9, 99, 99, 12, 99, 99, 15] + [99] * 5
    store = open_store(flash)
    policy = Policy(store, 2, Rng(1), 10 * SLOTS)
    for n in range(4000):
        skip_to_admitted(policy, n % 2)
        store.append(n.to_bytes(POSITION, "little"), n % 2, 0)
    assert store.info()["bad_blocks"] == 3 and len(store) > 4 * SLOTS


def open_learner(flash, **options):
    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    size = 32 + 4 * spec.classes + saved_bytes(spec) + Policy.saved_bytes(spec.classes)
    store, checkpoints = regions(flash, size, 16)
    learner = Learner(
        spec,
        ReplayStore(store, 16, spec.latent_id, spec.latent_elems),
        Checkpoints(checkpoints, 16, spec.model_id),
        batch=8, policy="flash_balanced", **options,
    )  # fmt: skip
    learner.load()
    return learner


def observe(learner, samples):
    """Whether each sample was stored."""
    flags = []
    for n in samples:
        before = learner.stored
        assert learner.observe(tiny_model.sample(n % 3, n), n % 3) is None, "a REPL would echo it"
        flags.append(learner.stored == before + 1)
    return flags


def test_a_learner_counts_what_it_saw_and_what_it_stored():
    learner = open_learner(RamFlash(16, 1024, 16), budget=80)
    flags = observe(learner, range(300))
    facts = learner.store.info()
    assert 0 < flags.count(False) == learner.skipped == learner.info()["skipped"]
    assert learner.stored == flags.count(True)
    assert facts["appended"] == learner.stored == facts["live"] + facts["dropped"]
    learner.learn()
    assert learner.seen == learner.info()["seen"] == 300 and list(learner.brought)[:3] == [100] * 3


def test_a_learner_goes_on_where_it_was_saved():
    flash = RamFlash(16, 1024, 16)
    learner = open_learner(flash, budget=80)
    observe(learner, range(300))
    learner.learn()
    learner.save()
    other = open_learner(flash, budget=80)
    assert list(other.policy.keep) == list(learner.policy.keep)
    assert observe(other, range(300, 400)) != [True] * 100
    assert list(other.policy.seen)[:3] == [134, 133, 133]


def test_nothing_stored_is_nothing_to_learn():
    learner = open_learner(RamFlash(16, 1024, 16), budget=80)
    observe(learner, range(300))
    learner.learn()
    for label in range(3):
        learner.policy.keep[label] = 1
    observe(learner, range(9))
    with pytest.raises(DataError, match="expected new samples .* policy stored none"):
        learner.learn()


def test_another_policy_takes_the_parameters_and_not_its_state():
    flash = RamFlash(16, 1024, 16)
    first = open_learner(flash, budget=80)
    first.stage.params[0] = 0.125
    first.save()
    other = Learner(
        ModelSpec(io.BytesIO(tiny_model.model_bytes())),
        checkpoints=open_learner(flash, budget=80).checkpoints,
    )
    assert other.load() == 1 and other.stage.params[0] == 0.125
    assert not other.policy.saved


def test_a_rare_class_is_kept_whole():
    for seed in range(1, 6):
        left = lived(seed, (200, 1))
        store_slots = 8 * 12
        assert len(left[0]) > store_slots // 2 and 0 < len(left[1]) < store_slots // 4
        seen = random.Random(seed).choices(range(2), (200, 1), k=STREAM).count(1)
        assert len(left[1]) == seen


def test_shares_are_max_min_fair():
    assert share([10, 10, 10], 15) == 5
    assert share([1, 10, 10], 15) == 7
    assert share([3, 1], 2) == 1


def skip_to_admitted(policy, label):
    """The stream of a class goes on to the next record that is admitted: 1 / p records.

    Where that gets long, half of what was seen is left out, and p is twice as much.
    """
    policy._catch_up()
    policy.seen[label] += round(ONE / policy.keep[label])
    if policy.keep[label] < ONE >> 8:
        policy.keep[label] <<= 1
        policy.seen[label] >>= 1


def test_hardly_anything_moves_and_wear_is_even():
    """Replacements at 80 % fill, of classes that come equally often."""
    store = ReplayStore(RamFlash(64, 1024, 1), 1, 1, 20)
    policy = Policy(store, 4, Rng(1), 51 * store.info()["slots_per_block"])
    labels = random.Random(1)
    widest = 0
    for n in range(15000):
        label = labels.randrange(4)
        skip_to_admitted(policy, label)
        store.append(bytes(20), label, 0)
        if n % 100 == 0:
            info = store.info()
            widest = max(widest, info["wear_max"] - info["wear_min"])
    info = store.info()
    assert widest <= 2 < info["wear_min"]
    assert (info["appended"] + info["moved"]) / info["appended"] < 1.2
    assert info["live"] > 0.75 * info["slots"]


@pytest.mark.parametrize("classes", [1, 3])
def test_records_without_a_class_are_the_last_class(classes):
    """The same draws, the same records left and the same state, also after a cut."""
    rows = []
    for none in (classes - 1, 254):
        store, rng = open_store(RamFlash(12, 256, 1)), Rng(3)
        policy = Policy(store, classes, rng, 8 * SLOTS)
        for n in range(400):
            label = n % classes if n % classes < classes - 1 else none
            if policy.admit(label):
                store.append(n.to_bytes(POSITION, "little"), label, 0)
            if n == 250:
                policy.saving()
                content = bytes(policy.saved[0])
        again = Policy(store, classes, rng, 8 * SLOTS)
        memoryview(again.saved[0]).cast("B")[:] = content
        again.admit(none)
        left = [bytes(store._index.labels).count(none), store.info()["dropped"], len(store)]
        rows.append((left, content, bytes(policy.saved[0]), bytes(again.saved[0])))
    assert rows[0] == rows[1] and rows[0][0][1] > 20

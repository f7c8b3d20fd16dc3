"""Learner.watch(): scores against numpy, the threshold, alarms."""

import re
import sys
from array import array
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import engram
from engram.errors import DataError, FitError
from engram.watch import watch as watching
from engram.watch.clusters import Clusters
from engram.watch.engines import NAMES
from engram.watch.records import stored
from engram_host.make import vae
from engram_host.make.vae import Recipe

N = 12
PRIOR, ROUNDING = 3, 1 / 12  # as docs/unlabelled.md says


@pytest.fixture
def opened(tmp_path):
    """A learner whose latents are its inputs, of N bytes."""

    def open_(classes=0, **options):
        path = tmp_path / "model.safetensors"
        vae.write(path, Recipe([N], hidden=(8,), code=3, classes=classes))
        options = {"bits": 8, "optimiser": "adam", "lr": 0.01, "budget": 500, **options}
        return engram.open(path, folder=tmp_path / "state", fresh=True, **options)

    return open_


def states(n, seed=0, kinds=4):
    """Inputs of a machine with some states, and the number of the state of each."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).integers(40, 200, (kinds, N))
    of = rng.integers(0, kinds, n)
    x = centres[of] + rng.normal(0, 4, (n, N)) * (1 + of[:, None])
    return np.clip(x, 0, 255).astype(np.uint8), of


def floats(learner, x, bits=8):
    """Latents of inputs as a store of so many bits gives them back, in steps of int8."""
    zero_point = learner.latent_qp[1]
    codes = np.rint(x.astype(float) * (2**bits - 1) / 255)
    return codes * 255 / (2**bits - 1) - 128 - zero_point


def gaussians(x, of, step):
    """(means, variances) of the clusters that `of` says, shrunk to the pooled variance."""
    means = np.array([x[of == c].mean(0) for c in range(of.max() + 1)])
    squares = np.array([((x[of == c] - m) ** 2).sum(0) for c, m in enumerate(means)])
    pooled = squares.sum(0) / len(x) + ROUNDING * step**2
    counts = np.bincount(of)[:, None]
    return means, (squares + PRIOR * pooled) / (counts + PRIOR)


def least(x, means, variances):
    """The score of each x: the least over the clusters."""
    away = (x[:, None] - means) ** 2 / variances + np.log(variances)
    return away.sum(2).min(1)


def scores(watch, x):
    return [watch.feed(row).score for row in x]


@pytest.mark.parametrize("bits", [8, 4])
def test_a_cluster_per_class_scores_as_numpy_does(opened, bits):
    learner = opened(classes=4, bits=bits)
    x, of = states(150)
    for row, label in zip(x, of, strict=True):
        learner.observe(row, int(label))
    watch = learner.watch(engine="classes")
    step = 255 / (2**bits - 1)
    model = gaussians(floats(learner, x, bits), of, step)
    test, _ = states(40, seed=1)
    test[30:] = np.random.default_rng(2).integers(0, 256, (10, N))
    expected = least(floats(learner, test, bits), *model)
    assert scores(watch, test) == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert min(expected[30:]) > max(expected[:30])


def test_clusters_are_those_that_lloyd_ends_with(opened):
    """Every mean is that of the samples nearest to it, and the scores are those of numpy."""
    learner = opened()
    x, _ = states(160)
    for row in x:
        learner.observe(row)
    watch = learner.watch(clusters=6)
    x = floats(learner, x)
    means = np.array(watch.engine.means).reshape(6, N)
    of = ((x[:, None] - means) ** 2).sum(2).argmin(1)
    expected, variances = gaussians(x, of, 1)
    assert means == pytest.approx(expected, rel=1e-5)
    test, _ = states(40, seed=1)
    model = means, variances
    assert scores(watch, test) == pytest.approx(
        least(floats(learner, test), *model), rel=1e-4, abs=1e-3
    )


def lloyd(x, rng, count, passes=20):
    """The spread of clusters that begin with random samples."""
    means = x[rng.choice(len(x), count, replace=False)]
    for _ in range(passes):
        of = ((x[:, None] - means) ** 2).sum(2).argmin(1)
        means = [x[of == c].mean(0) if (of == c).any() else means[c] for c in range(count)]
    return spread(x, means)


def spread(x, means):
    return ((x[:, None] - means) ** 2).sum(2).min(1).sum()


def test_clusters_are_no_wider_than_those_of_numpy(opened):
    """In the mean over seeds: numpy's begin with random samples, these with k-means++."""
    learner = opened()
    x, _ = states(160, kinds=9)
    for row in x:
        learner.observe(row)
    x, found = floats(learner, x), []
    for seed in range(20):
        engine = Clusters(learner, clusters=9, seed=seed)
        for _ in engine.fitting(stored(learner.store, None)):
            pass
        found.append(spread(x, np.array(engine.means).reshape(9, N)))
    rng = np.random.default_rng(4)
    assert np.mean(found) < np.mean([lloyd(x, rng, 9) for _ in range(60)])


def test_the_seed_decides_the_clusters_and_nothing_else(opened):
    learner = opened()
    for row in states(160)[0]:
        learner.observe(row)
    test, _ = states(10, seed=1)
    first, again, other = [scores(learner.watch(clusters=6, seed=s), test) for s in (1, 1, 2)]
    assert first == again and first != other


def test_few_samples_have_few_clusters(opened):
    learner = opened()
    for row in states(40)[0]:
        learner.observe(row)
    assert len(learner.watch(window=4).engine.counts) == 40 // 8


def test_samples_that_are_all_the_same_have_one_cluster(opened):
    """The others are left out: an engine does not take their zeros for normal."""
    learner = opened()
    x = np.full(N, 100, np.uint8)
    for _ in range(64):
        learner.observe(x)
    watch = learner.watch()
    assert sorted(watch.engine.counts) == [0] * 7 + [64]
    normal, zeros = scores(watch, [x, np.zeros(N, np.uint8)])
    assert np.isfinite(zeros) and zeros > normal + 100


@pytest.mark.parametrize("bits", [8, 4])
def test_neighbours_are_the_nearest_stored_samples(opened, bits):
    learner = opened(bits=bits)
    x, _ = states(90)
    for row in x:
        learner.observe(row)
    test, _ = states(20, seed=1)
    away = floats(learner, test, bits)[:, None] - floats(learner, x, bits)
    nearest = np.sort(np.sqrt((away**2).sum(2)))
    for count in (1, 3):
        watch = learner.watch(engine="neighbours", neighbours=count)
        assert scores(watch, test) == pytest.approx(nearest[:, :count].mean(1), rel=1e-5)


def test_the_engine_loss_is_the_score_of_the_model(opened):
    learner = opened()
    x, _ = states(60)
    for row in x:
        learner.observe(row)
    learner.learn(steps=20)
    watch = learner.watch(engine="loss")
    assert watch.info()["held_out"] is False
    assert scores(watch, x[:5]) == [learner.score(row) for row in x[:5]]
    slots = stored(learner.store, None)
    assert [watch.engine.score_stored(slot) for slot in slots[:5]] == pytest.approx(
        [learner.score(row) for row in x[:5]]
    )


def test_records_come_in_the_order_in_which_they_were_observed(opened):
    learner = opened()
    x, _ = states(90)
    for row in x:
        learner.observe(row)
    learner.store.delete(5)
    slots = stored(learner.store, None)
    sequences = [learner.store.sequence(slot) for slot in slots]
    assert sequences == sorted(sequences) and len(sequences) == 89


def damage(learner, slot):
    """Clears bytes of a record in flash."""
    store = learner.store
    layout = store._layout
    at = layout.slot_at(slot % layout.slots) + layout.latent_at
    store._flash.program(slot // layout.slots, bytes(4), at)


def test_a_damaged_record_is_left_out(opened):
    learner = opened()
    x, _ = states(90)
    for row in x:
        learner.observe(row)
    watches = [
        learner.watch(engine=name, **options)
        for name, options in (("clusters", {"clusters": 1}), ("neighbours", {"neighbours": 1}))
    ]
    assert watches[1].feed(x[7]).score == 0
    damage(learner, stored(learner.store, None)[7])
    assert watches[1].feed(x[7]).score > 0
    again = learner.watch(clusters=1)
    expected = np.delete(floats(learner, x), 7, 0).mean(0)
    assert list(again.engine.means) == pytest.approx(list(expected), rel=1e-5)
    assert sum(again.engine.counts) == 89


def test_stored_samples_are_scored_by_an_engine_that_does_not_know_them(opened):
    """A sample far from all others is near to itself in an engine that was fitted to it."""
    learner = opened()
    x, _ = states(96)
    x[50] = 255 - x[50]
    for row in x:
        learner.observe(row)
    watch = learner.watch(engine="neighbours", neighbours=1)
    assert watch.feed(x[50]).score == 0 and watch.info()["held_out"]
    held_out = array("f", ())
    for _ in watch._score_stored(stored(learner.store, None), held_out):
        pass
    away = floats(learner, x)[:, None] - floats(learner, x)
    away = np.sqrt((away**2).sum(2))
    fold = np.arange(96) // watch.window % watching.FOLDS
    away[fold[:, None] == fold] = np.inf
    assert held_out == pytest.approx(away.min(1), rel=1e-5)
    assert held_out[50] > 3 * np.median(held_out)


def test_only_samples_of_normal_labels_count(opened):
    learner = opened(classes=2)
    x, _ = states(90)
    for i, row in enumerate(x):
        learner.observe(row if i % 3 else 255 - row, int(not i % 3))
    watch = learner.watch(engine="neighbours", neighbours=1, labels=(0,))
    normal, fault = scores(watch, [x[1], 255 - x[0]])
    assert normal == 0 and fault > 50
    with pytest.raises(DataError, match="expected stored samples of the labels"):
        learner.watch(labels=(3,))


def test_a_threshold_from_samples_that_are_given(opened):
    learner = opened()
    x, _ = states(200)
    for row in x[:100]:
        learner.observe(row)
    learner.learn(steps=20)
    watch = learner.watch(engine="loss", samples=x[100:])
    assert watch.info()["held_out"] and watch.info()["means"] == 93


class Given:
    """An engine whose score is the sample."""

    def __init__(self, learner):
        pass

    OPTIONS = ()

    def score(self, learner):
        return learner.x


@pytest.fixture
def alarms(monkeypatch):
    """A watch with a threshold of 10, a lower one of 6 and windows of 4, which is fed scores."""
    monkeypatch.setattr(watching, "engine_class", lambda name: Given)
    learner = SimpleNamespace(store=True)
    learner.infer = lambda x: setattr(learner, "x", x)
    watch = watching.Watch(learner, window=4)
    watch.threshold = SimpleNamespace(value=10, lower=6)
    return watch


def test_an_alarm_begins_over_the_threshold_and_ends_below_the_lower_one(alarms):
    fed = [alarms.feed(x) for x in [8, 8, 8, 8, 14, 11, 11, 7, 3, 3, 3, 20]]
    means = [8, 8, 8, 8, 9.5, 10.25, 11, 10.75, 8, 6, 4, 7.25]
    assert [reading.mean for reading in fed] == means
    assert [reading.alarm for reading in fed] == [False] * 5 + [True] * 5 + [False] * 2
    assert [i for i, reading in enumerate(fed) if reading.changed] == [3, 5, 10]
    assert [reading.state for reading in fed[2:6]] == ["filling", "normal", "normal", "alarm"]
    assert (alarms.alarms, alarms.samples) == (1, 12)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -1e31])
def test_a_score_that_is_no_number_is_told_and_leaves_the_alarm_as_it_is(alarms, score):
    for x in (20, 20, 20, 20):
        before = alarms.feed(x)
    assert before.alarm
    reading = alarms.feed(score)
    assert (reading.state, reading.alarm, reading.changed) == ("unknown", True, True)
    assert reading.mean == 20 and alarms.unknown == 1
    after = alarms.feed(0)
    assert (after.state, after.mean, after.changed) == ("alarm", 15, True)


def test_the_lines_of_the_documentation_run(opened):
    text = (Path(__file__).parents[2] / "docs" / "unlabelled.md").read_text()
    section = text.split("## Watching for anomalies")[1].split("\n## ")[0]
    lines = re.findall(r"^>>> (.*)", section, re.M)
    learner = opened()
    names = {"learner": learner, "pictures": states(200)[0]}
    for x in names["pictures"]:
        learner.observe(x)
    for line in lines:
        exec(line, names)
    assert names["watch"].rate == pytest.approx(10 / 86400)
    assert names["watch"].info()["extrapolated"] and names["reading"].state == "filling"
    assert repr(names["watch"]).startswith("<Watch: clusters, alarm where the mean of 8 scores")
    for name in NAMES:
        assert f"| `{name}` |" in section


def test_a_sample_that_is_no_input_does_not_count(opened):
    learner = opened()
    for row in states(60)[0]:
        learner.observe(row)
    watch = learner.watch()
    with pytest.raises(DataError, match="expected an input of 12 uint8"):
        watch.feed(bytes(3))
    assert watch.samples == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "nearest"}, "expected an engine of clusters, neighbours, classes, loss"),
        ({"window": 0}, "expected a window of 1 sample or more"),
        ({"neighbours": 3}, "expected options of engine clusters .*, got neighbours"),
        ({"false_alarms": "1/day"}, "expected the seconds from sample to sample"),
        ({"false_alarms": "one"}, "expected false alarms as a share"),
        ({"false_alarms": "1/month", "every": 1}, "expected false alarms as a share"),
        ({"false_alarms": 0}, "expected false alarms of more than 0"),
        ({"false_alarms": "9/minute", "every": 10}, "less than 0.5 of all samples"),
        ({"window": 60}, "expected 20 windows of normal samples or more, got 1"),
        ({"clusters": 0}, "expected clusters of 1 or more"),
        ({"engine": "neighbours", "neighbours": 0}, "expected neighbours of 1 or more"),
    ],
)
def test_what_it_refuses(opened, options, message):
    learner = opened()
    for row in states(60)[0]:
        learner.observe(row)
    with pytest.raises(DataError, match=message):
        learner.watch(**options)


def test_without_samples_it_says_what_to_do(opened):
    with pytest.raises(DataError, match="got none; observe.. some"):
        opened().watch()


def test_clusters_that_the_heap_lacks_room_for_are_refused(opened, monkeypatch):
    learner = opened()
    for row in states(60)[0]:
        learner.observe(row)
    monkeypatch.setattr("engram.compat.heap_free", lambda: 9000)
    with pytest.raises(FitError, match="take fewer clusters"):
        learner.watch(clusters=7)


def test_kernels_that_watch_nothing_are_told(opened, monkeypatch):
    """The smallest choice of `engram install` lacks some."""
    learner = opened()
    monkeypatch.setattr(watching, "kernels", SimpleNamespace(add_f32=None))
    with pytest.raises(DataError, match="with exp_f32 to watch, got .* `engram install --kernels"):
        learner.watch()


@pytest.mark.parametrize(
    ("module", "call", "words"),
    [
        ("neighbours", lambda learner: learner.watch(engine="neighbours"), "engine neighbours"),
        ("shift", lambda learner: learner.match([]), "matches samples"),
    ],
)
def test_a_module_that_a_short_library_lacks_is_told(opened, monkeypatch, module, call, words):
    learner = opened()
    monkeypatch.setitem(sys.modules, "engram.watch." + module, None)
    with pytest.raises(DataError, match=words + ", got one with a short library"):
        call(learner)


def test_what_a_short_library_lacks_is_there_and_asked_for_by_name():
    """device_lib/manifest.py: each module that it leaves out is one whose caller says so."""
    root = Path(engram.__file__).parent
    text = (root.parent / "manifest.py").read_text()
    short = re.search(r"^SHORT = \((.*?)\)$", text, re.M | re.S)[1]
    names = re.findall(r'"(\S+?)\.py"', short)
    assert names and all((root / (name + ".py")).exists() for name in names)
    told = ("adapting", "neighbours", "quarantine", "shift")
    assert set(names) == {"watch/" + name for name in told}

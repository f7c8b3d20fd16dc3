"""Learner.match(): the weights against numpy, another sensor, what is refused."""

import json

import numpy as np
import pytest

import engram
from engram.errors import DataError
from engram.watch.shift import LEAST
from engram_host.convert import model_file
from engram_host.datasets import digits, draw_per_class
from engram_host.make import features, vae
from engram_host.make.layers import Layers

N, HIDDEN, CLASSES = 12, 9, 3
SCALE, ZERO = 1 / 32, 10
CALM = 0.04  # as the module says


def dense_model(path):
    """A model of N float values, without a frozen stage: a hidden layer, and the classes."""
    layers = Layers([N], 3)
    value = layers.dense("hidden", "input", HIDDEN)
    value = layers.op("hidden_relu", "relu", value)
    layers.dense("classes", value, CLASSES)
    unit = {"scale": SCALE, "zero_point": ZERO}
    graph = {
        "name": "dense", "classes": CLASSES,
        "input": {"shape": [N], "dtype": "float32", **unit},
        "latent": {"node": "input", "shape": [N], **unit},
        "nodes": layers.nodes, "outputs": [{"node": "classes", "objective": "classify"}],
    }  # fmt: skip
    model_file.write(path, layers.tensors, {"engram_model": "2", "graph": json.dumps(graph)})
    return path


def samples(n, seed, gain=1.0, shift=0.0):
    """Values, of which the first never varies."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, N)) * np.linspace(0.2, 1, N) * gain + shift
    x[:, 0] = 0.5 + shift
    return x.astype(np.float32)


@pytest.fixture
def learner(tmp_path):
    path = dense_model(tmp_path / "dense.safetensors")
    made = engram.open(path, folder=tmp_path / "state", fresh=True, bits=8, budget=200)
    for i, x in enumerate(samples(60, 1)):
        made.observe(x, i % CLASSES)
    made.learn(epochs=1)
    return made


def steps_of(x):
    """Inputs in steps of int8 from the zero point, as the store keeps them."""
    return np.clip(np.rint(x / SCALE) + ZERO, -128, 127) - ZERO


def weights(learner):
    params = np.array(learner.stage.params).copy()
    return params[: HIDDEN * N].reshape(HIDDEN, N), params[HIDDEN * N : HIDDEN * N + HIDDEN]


def test_the_first_layer_is_what_numpy_says(learner):
    before, biases = weights(learner)
    new = samples(50, 2, gain=0.5, shift=0.4)
    told = learner.match(iter(new))
    old, new = steps_of(samples(60, 1)), steps_of(new)
    calm = CALM * old.var(axis=0).mean()
    gain = np.sqrt((old.var(axis=0) + calm) / (new.var(axis=0) + calm))
    shift = SCALE * (old.mean(axis=0) - gain * new.mean(axis=0))
    after, moved = weights(learner)
    assert np.allclose(after, before * gain, atol=1e-5)
    assert np.allclose(moved, biases + before @ shift, atol=1e-4)
    away = np.square(new.mean(axis=0) - old.mean(axis=0)).mean() / old.var(axis=0).mean()
    assert told == {"samples": 50, "stored": 60, "moved": pytest.approx(away**0.5, rel=1e-4)}


def test_the_same_sensor_changes_little(learner):
    before, biases = weights(learner)
    assert learner.match(samples(60, 1))["moved"] < 1e-6
    after, moved = weights(learner)
    assert np.allclose(after, before, atol=1e-5) and np.allclose(moved, biases, atol=1e-5)


def test_it_is_saved_undone_and_not_done_twice(learner):
    before = weights(learner)[0]
    first = learner.save()
    learner.match(samples(50, 2, 0.5))
    matched = weights(learner)[0]
    with pytest.raises(DataError, match="matched with 50 samples already"):
        learner.match(samples(50, 2, 0.5))
    second = learner.save()
    assert learner.load() == second and np.array_equal(weights(learner)[0], matched)
    with pytest.raises(DataError, match="matched with 50 samples already"):
        learner.match(samples(50, 2, 0.5))
    assert learner.rollback("previous") == first
    assert np.array_equal(weights(learner)[0], before) and learner.matched == 0
    learner.match(samples(50, 3, 2.0))


def test_too_few_samples_change_nothing(learner):
    before = weights(learner)[0]
    with pytest.raises(DataError, match=f"expected {LEAST} samples or more"):
        learner.match(samples(LEAST - 1, 2, 0.5))
    assert np.array_equal(weights(learner)[0], before) and learner.matched == 0


def opened(path, tmp_path, **options):
    return engram.open(path, folder=tmp_path / "other", fresh=True, bits=8, **options)


def test_models_that_cannot_be_matched_are_refused(tmp_path):
    path = tmp_path / "vae.safetensors"
    vae.write(path, vae.Recipe([4], hidden=(4,), code=2, classes=2))
    with pytest.raises(DataError, match="learns without answers: observe"):
        opened(path, tmp_path).match([])
    integers = opened(dense_model(tmp_path / "q8.safetensors"), tmp_path, format="q8")
    with pytest.raises(DataError, match="expected dense layers with float32 weights"):
        integers.match([])
    spec = dense_model(tmp_path / "path.safetensors")
    learner = opened(spec, tmp_path)
    learner.path = None
    with pytest.raises(DataError, match="expected a learner of a model file"):
        learner.match([])


@pytest.fixture(scope="module")
def dim(tmp_path_factory):
    """(model file of features of the digits, pictures of them, of a dim sensor with an offset)"""
    data = digits()
    path = tmp_path_factory.mktemp("match") / "features.safetensors"
    features.write(path, data.x_train, features.Recipe(10, kernel=3))
    other = [(x * 0.2 + 6).round().astype(np.uint8) for x in (data.x_train, data.x_test)]
    return path, data, other


@pytest.mark.parametrize("bits", [8, 4])
def test_a_dim_sensor_is_answered_for(dim, tmp_path, bits):
    path, data, (unlabelled, tests) = dim
    learner = engram.open(path, folder=tmp_path / "state", fresh=True, bits=bits, budget=500)
    for x, label in zip(*draw_per_class(data.x_train, data.y_train, range(10), 30, 1)):
        learner.observe(np.ascontiguousarray(x), int(label))
    learner.learn(epochs=20)

    def accuracy(pictures):
        pairs = [(np.ascontiguousarray(x), int(y)) for x, y in zip(pictures, data.y_test)]
        return learner.evaluate(pairs)["accuracy"]

    usual, before = accuracy(data.x_test), accuracy(tests)
    told = learner.match(np.ascontiguousarray(x) for x in unlabelled[:100])
    after = accuracy(tests)
    assert told["moved"] > 0.2 and before < usual - 0.05
    assert after > before + 0.5 * (usual - before), (usual, before, after)

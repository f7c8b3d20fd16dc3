"""The joint-training bound on a few digits."""

import numpy as np
import pytest

from engram.errors import DataError
from engram_host.boards import home
from engram_host.convert import convert
from engram_host.datasets import Dataset, digits, draw_per_class
from engram_host.demo.joint import joint_training
from engram_host.errors import InputError
from engram_host.learning.latent_store import LatentStore

GROUPS = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
CLASSES = list(range(10))


@pytest.fixture(scope="module")
def data():
    whole = digits()
    train = draw_per_class(whole.x_train, whole.y_train, CLASSES, 30, 1)
    return Dataset(*train, *draw_per_class(whole.x_test, whole.y_test, CLASSES, 10, 1))


@pytest.fixture(scope="module")
def model(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("joint") / "digits.safetensors"
    base = data.x_train[data.y_train < 5]
    convert(home() / "examples/digits/digits_float.safetensors", base, path)
    return path


def test_joint_training_learns_every_class(model, data):
    calls = []
    short = joint_training(model, data, GROUPS, epochs=1, lr=0.01)["accuracy"]
    accuracy = joint_training(
        model, data, GROUPS, epochs=6, lr=0.04, progress=lambda *counts: calls.append(counts)
    )["accuracy"]
    assert accuracy[0] > 0.95  # it knew these
    assert accuracy[1] > 0.8 > short[1]
    # 150 and 300 samples in batches of 16, six times
    assert calls[-1] == (6 * (10 + 19), 6 * (10 + 19)) and len(calls) == calls[-1][0]


def test_the_same_seed_gives_the_same_bound(model, data):
    settings = {"epochs": 1, "lr": 0.02}
    bounds = [
        joint_training(model, data, GROUPS, seed=seed, **settings)["accuracy"]
        for seed in (1, 1, 2)
    ]
    assert bounds[0] == bounds[1] != bounds[2]


def test_samples_of_another_kind_are_refused(model, data):
    floats = data._replace(x_train=data.x_train.astype(np.float32))
    with pytest.raises(DataError, match="expected samples of uint8, got float32"):
        joint_training(model, floats, GROUPS, epochs=1)
    small = data._replace(x_test=data.x_test[:, :4])
    with pytest.raises(DataError, match="expected an input of 64 uint8, got 32"):
        joint_training(model, small, GROUPS, epochs=1)


def test_the_store_in_memory_is_one_to_the_learner():
    latents = np.arange(-6, 6, dtype=np.int8).reshape(3, 2, 2)
    store = LatentStore.of(latents, np.array([4, 0, 9], np.uint8))
    assert (len(store), store.capacity, list(store.labels)) == (3, 3, [4, 0, 9])
    for buffer in (bytearray(4), memoryview(bytearray(4)), memoryview(bytearray(4)).cast("b")):
        store.read_into(1, buffer)
        assert bytes(buffer) == (latents[1].view(np.uint8) ^ 0x80).tobytes()
    store.delete(1)
    assert len(store) == 2 and store.labels[1] == 255
    with pytest.raises(InputError, match="expected at most 65535 latents, got 70000"):
        LatentStore(70_000, 1)
    store.append(bytes(4), 7, 1)
    assert store.labels[1] == 7 and len(store) == 3
    with pytest.raises(InputError, match="the store is full, 3 records"):
        store.append(bytes(4), 7, 1)

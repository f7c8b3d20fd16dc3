"""engram make features: filters learned from images without labels, a head for few labels."""

import json

import numpy as np
import pytest

import engram
from engram.errors import DataError
from engram_host import api
from engram_host.convert import DeviceModel
from engram_host.datasets import digits, draw_per_class
from engram_host.errors import InputError
from engram_host.make import features
from engram_host.make.features import Recipe
from engram_host.samples import Samples
from host.command import run

DIGITS = Recipe(10, kernel=3)  # of images of 8 x 8


@pytest.fixture(scope="module")
def data():
    return digits()


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A model of the digits' images, made without their labels."""
    path = tmp_path_factory.mktemp("features") / "m.safetensors"
    features.write(path, data.x_train, DIGITS)
    return path


@pytest.mark.parametrize("options", [{}, {"format": "q8"}])
def test_a_head_learns_from_ten_labels_a_class(data, made, tmp_path, options):
    x, y = draw_per_class(data.x_train, data.y_train, range(10), 10, 1)
    test = [(row.reshape(-1), int(label)) for row, label in zip(data.x_test, data.y_test)]
    learner = engram.open(made, folder=tmp_path / "state", fresh=True, bits=8, **options)
    for row, label in zip(x, y):
        learner.observe(row.reshape(-1), int(label))
    learner.learn(epochs=30)
    accuracy = learner.evaluate(test)["accuracy"]
    assert accuracy >= 0.9


def test_an_even_patch_has_no_response(data):
    w = features.filters(data.x_train.astype(np.float32), Recipe(10, filters=8))
    assert w.shape == (8, 5, 5, 1)
    assert np.abs(w.sum(axis=(1, 2, 3))).max() < 1e-4 * np.abs(w).max() * 25
    overlap = w.reshape(8, -1) / np.linalg.norm(w.reshape(8, -1), axis=1, keepdims=True)
    assert (np.abs(overlap @ overlap.T)[~np.eye(8, dtype=bool)] < 0.95).all()  # 8 that differ


def test_the_board_computes_the_means_of_the_filters_responses(data, made):
    """int8 against float32 of the same weights."""
    images = data.x_test[:40]
    graph, tensors = features.float_graph(data.x_train, DIGITS)
    device = DeviceModel(made)
    own = device.latent_scale.dequantize(device.latents(images)).reshape(40, -1)
    padded = np.pad(images[..., 0] / 255, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    w = tensors["filters.w"][..., 0]
    seen = np.tanh(np.maximum(np.einsum("nhwrs,krs->nhwk", windows, w), 0))
    means = seen.reshape(40, 4, 2, 4, 2, -1).mean(axis=(2, 4)).reshape(40, -1)
    assert graph["latent"] == "means" and own.shape == means.shape
    unit = (own * means).sum() / np.square(means).sum()  # of the latent: for the default rate
    assert np.square(own / unit - means).sum() < 0.001 * np.square(means).sum()  # 30 dB
    assert own.var(axis=0).sum() == pytest.approx(features.SPREAD, rel=0.25)


def test_the_same_images_give_the_same_file(data, made, tmp_path):
    again = tmp_path / "again.safetensors"
    features.write(again, data.x_train, DIGITS)
    assert again.read_bytes() == made.read_bytes()


def test_colours_and_floats(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.normal(size=(60, 9, 11, 3)).astype(np.float32)
    report = api.make_features(
        tmp_path / "m", Samples(images, None), 3, filters=4, kernel=3, grid=4
    )
    assert report["features"] == 3 * 3 * 4 and report["parameters"] == 3 * 37
    assert DeviceModel(tmp_path / "m").predict(images[:5]).shape == (5,)


@pytest.mark.parametrize(
    ("images", "recipe", "words"),
    [
        (np.zeros((50, 9), np.uint8), Recipe(2), "expected images .* got an array of shape 50x9"),
        (np.zeros((50, 9, 9), np.uint8), Recipe(2, kernel=4), "odd size of at most 9, got 4"),
        (np.zeros((50, 9, 9), np.uint8), Recipe(2, kernel=11), "odd size of at most 9, got 11"),
        (np.full((50, 9, 9), 7, np.uint8), Recipe(2), "images with edges, got 0 patches"),
    ],
)
def test_images_that_teach_nothing_are_refused(tmp_path, images, recipe, words):
    with pytest.raises((InputError, DataError), match=words):
        features.write(tmp_path / "m", images, recipe)
    assert not (tmp_path / "m").exists()


def test_the_command(data, tmp_path):
    images, out = tmp_path / "images.npz", tmp_path / "m.safetensors"
    np.savez(images, x=data.x_train[:300])
    result = run("make", "features", "--data", images, "--classes", "10", "-o", out, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["features"] == 512 and report["bytes"] == out.stat().st_size
    text = run("make", "features", "--data", images, "--classes", "3", "-o", out).stdout
    assert "learn DATA --model" in text and "1539 parameters" in text
    assert run("make", "features", "--data", images, "-o", out).exit_code == 2

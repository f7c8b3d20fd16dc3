"""A frozen stage of another runtime: a function makes the inputs of a head, which learns."""

import numpy as np
import pytest

import engram
from engram.errors import DataError
from engram_host import api
from engram_host.errors import InputError
from engram_host.samples import Samples


def latents(image):
    """Another runtime's frozen network: 6 values of an image of 4 x 4 bytes."""
    x = np.asarray(image, np.float32).reshape(4, 4) / 255
    return np.concatenate([x.mean(axis=0), x[0, :2]]).astype(np.float32)


@pytest.fixture
def images():
    """Images and labels: which column is bright."""
    random = np.random.default_rng(4)
    labels = random.integers(0, 4, 80)
    x = random.integers(0, 100, (80, 4, 4))
    x[np.arange(80), :, labels] += 120
    return x.astype(np.uint8), labels


@pytest.fixture
def head(images, tmp_path):
    values = np.stack([latents(image) for image in images[0]])
    out = tmp_path / "head.safetensors"
    report = api.make_head(out, Samples(values, None), classes=4)
    assert report["inputs"] == 6 and 0 <= report["low"] < report["high"] <= 1
    return str(out)


def test_it_learns_from_what_the_function_makes(head, images):
    learner = engram.open(head, features=latents, batch=8, lr=0.5, bits=8)
    x, y = images
    for image, label in zip(x[:60], y[:60]):
        learner.observe(image, int(label))
    learner.learn(epochs=60)
    right = [learner.predict(image)[0] == label for image, label in zip(x[60:], y[60:])]
    assert np.mean(right) >= 0.9


def test_what_is_stored_is_what_the_function_made(head, images):
    learner = engram.open(head, features=latents)
    scale, zero_point = learner.inputs.quantization
    stored = (np.frombuffer(learner.latent(images[0][0]), np.int8) - zero_point) * scale
    np.testing.assert_allclose(stored, latents(images[0][0]), atol=scale)


def test_a_function_of_another_size_is_told(head):
    learner = engram.open(head, features=lambda image: np.zeros(5, np.float32))
    with pytest.raises(DataError, match="expected an input of 6 float32, got 5"):
        learner.predict(bytes(16))


def test_a_head_needs_the_range_of_its_values(tmp_path):
    with pytest.raises(InputError, match="expected --data or --inputs, .*, got neither"):
        api.make_head(tmp_path / "head", inputs=6, classes=4)
    with pytest.raises(InputError, match="expected a range from low to high, got 1 to 1"):
        api.make_head(tmp_path / "head", inputs=6, low=1, high=1, classes=4)


def test_hidden_layers_learn_too(tmp_path):
    out = tmp_path / "head.safetensors"
    api.make_head(out, inputs=6, low=-1, high=1, classes=4, hidden=[5])
    learner = engram.open(str(out))
    assert learner.info()["parameters"] == 6 * 5 + 5 + 5 * 4 + 4

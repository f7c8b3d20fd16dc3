"""Samples of a user: what becomes of their numbers, and what is said of those that cannot be."""

import warnings

import numpy as np
import pytest

from engram_host import api, samples
from engram_host.errors import EngramWarning, InputError
from host import regression_model

X = np.zeros((3, 4), np.uint8)


# ---- numbers that are none ----------------------------------------------------------------------

NAN = np.ones((5, 4))
NAN[[2, 4], 1] = np.nan
REFUSED = {
    "expected labels from 0 to 254, got -1 at sample 1; number the": (X, [0, -1, 2]),
    "expected labels from 0 to 254, got 300 at sample 2": (X, [0, 1, 300]),
    "expected labels as integers from 0 to 254, got <U3": (X, ["cat", "dog", "cow"]),
    r"expected labels of shape \(3,\), one per sample, got \(2,\)": (X, [0, 1]),
    "expected inputs as an array of numbers, got Python objects or rows that differ": (
        [[1, 2], [3], [4, 5]],
        None,
    ),
    "expected inputs as an array of numbers, got Python objects": (
        np.array([[None, 1], [2, 3]], object),
        None,
    ),
    "expected inputs of integers or floats, got complex128": (np.ones((2, 2), complex), None),
    "expected finite inputs, got NaN or infinity in sample 2 and 1 more; leave such": (NAN, None),
    "expected finite inputs, got NaN or infinity in sample 2; leave such": (NAN[:4], None),
    r"expected integer inputs from 0 to 255, got int64 from -3 to 7": ([[1, -3], [7, 2]], None),
    r"expected inputs of shape \(n, \.\.\.\), got \(3,\); give a row": ([1, 2, 3], None),
    "expected finite targets, got NaN or infinity at sample 1": (X, [0.5, np.inf, 1]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_numbers_that_are_none_are_refused(message):
    with pytest.raises(InputError, match=message):
        samples.make(*REFUSED[message])


def test_numbers_become_those_a_board_takes():
    assert samples.make(np.ones((2, 3), np.int64)).x.dtype == np.uint8
    assert samples.make(np.ones((2, 3), bool)).x.dtype == np.uint8
    result = samples.make(np.full((2, 3), 0.5))
    assert result.x.dtype == np.float32 and result.dtype == "float64"
    assert result.part(0, 1).dtype == "float64"


def test_integers_go_to_a_model_of_floats_and_back():
    pixels = samples.make([[0, 255], [7, 8]])
    floats = pixels.taken_as("float32")
    assert floats.x.dtype == np.float32 and floats.dtype == "int64"
    assert np.array_equal(floats.taken_as("uint8").x, pixels.x)
    for values in ([[0.5, 1.0]], [[-1.0, 0.0]], [[256.0, 1.0]]):
        result = samples.make(values)
        assert result.taken_as("uint8") is result


# ---- the range of a model -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.float32([[0, 1], [0.2, 0.6]]), None),
        (np.float32([[-0.5, 0.4]]), r"within 0 to 1, .* got 50% of .* outside .*-0.5 to 0.4"),
        (np.float32([[0, 200]]), "got 50% of the values outside it .* clamped; scale them"),
        (np.float32([[0.5, 0.501]]), "got values from 0.5 to 0.501 alone, .* hardly tells apart"),
        (np.uint8([[0, 255]]), None),
        (np.uint8([[0, 1]]), "expected inputs from 0 to 255, got none above 1; .* multiply them"),
        (np.zeros((0, 4), np.float32), None),
    ],
)
def test_a_remark_on_inputs_that_can_hardly_be_meant(x, words):
    text = samples.remark(x, 1 / 255, -128)
    if words is None:
        assert text is None
    else:
        with pytest.raises(InputError, match=words):
            raise InputError(text)


def test_one_value_in_a_hundred_may_lie_outside():
    x = np.linspace(0, 1, 1000, dtype=np.float32)[:, np.newaxis]
    x[:9] = 2
    assert samples.remark(x, 1 / 255, -128) is None
    x[:11] = 2
    assert "1% of the values outside" in samples.remark(x, 1 / 255, -128)


@pytest.fixture
def floats(device, tmp_path):
    """A board with a model of float inputs from 0 to 1, three classes."""
    api.push_model(device, regression_model.write(tmp_path / "m.safetensors", "classes"))
    return device


def test_data_that_cannot_be_in_the_models_range_are_told_at_push(floats):
    large = samples.make(np.random.default_rng(0).random((9, 4)) * 255, [0, 1, 2] * 3)
    with pytest.warns(EngramWarning, match=r"within 0 to 1, .* 1?[0-9]+% of the values outside"):
        api.push_data(floats, large)
    with pytest.warns(EngramWarning, match="expected samples of 4 float32, .* got samples of 9"):
        api.push_data(floats, samples.make(np.random.default_rng(0).random((3, 9)), [0, 1, 2]))
    for verb in (api.learn, api.predict, api.eval):
        with pytest.warns(EngramWarning, match="% of the values outside"):
            verb(floats, large)


def test_data_in_the_models_range_are_not_told_of(floats):
    good = regression_model.some(9, "classes")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        api.push_data(floats, good)
        api.learn(floats, good)
        api.eval(floats, good)


def test_integers_are_taken_by_a_model_of_floats(floats):
    ones = samples.make([[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 0]], [1, 0, 2])
    same = samples.make(ones.x.astype(np.float64), ones.y)
    assert api.learn(floats, ones).summary["samples"] == 3
    assert api.predict(floats, ones) == api.predict(floats, same)
    by_stream = api.eval(floats, ones, stream=True)
    assert by_stream == api.eval(floats, ones)  # from files on the board

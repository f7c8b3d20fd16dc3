"""The .npy reader against numpy's own writer."""

import io

import numpy as np
import pytest

from engram.errors import DataError
from engram.npy import NpyReader, Samples


def npy(a):
    stream = io.BytesIO()
    np.save(stream, a)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_rows_come_back(dtype):
    a = (np.arange(5 * 3 * 2).reshape(5, 3, 2) * 7 % 251).astype(dtype)
    reader = NpyReader(npy(a))
    buf = reader.row_buffer()
    assert (reader.rows, reader.row_elems) == (5, 6)
    for row in a:
        reader.read_row(buf)
        assert list(buf) == row.ravel().tolist()


@pytest.mark.parametrize(
    "a",
    [
        np.zeros((2, 2), "int64"),
        np.zeros((2, 2), "float64"),
        np.asfortranarray(np.zeros((2, 3), "uint8")),
        np.uint8(3),
    ],
)
def test_other_arrays_are_refused(a):
    with pytest.raises(DataError, match="expected"):
        NpyReader(npy(a))


def test_every_truncation_is_refused():
    data = npy(np.zeros((4, 3), "uint8")).read()
    for cut in range(len(data)):
        with pytest.raises(DataError):
            NpyReader(io.BytesIO(data[:cut]))


def test_samples_pair_inputs_with_labels():
    x = np.arange(12, dtype="uint8").reshape(4, 3)
    samples = Samples(npy(x), npy(np.array([3, 1, 0, 2], "uint8")))
    for _ in range(2):
        assert [(list(a), b) for a, b in samples] == list(zip(x.tolist(), [3, 1, 0, 2]))


@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_samples_pair_inputs_with_targets(shape):
    x = np.arange(12, dtype="uint8").reshape(4, 3)
    y = np.linspace(-1, 1, int(np.prod(shape)), dtype="float32").reshape(shape)
    result = [list(b) for _, b in Samples(npy(x), npy(y))]
    assert result == y.reshape(4, -1).tolist()


def test_samples_may_have_labels_and_targets():
    x = np.arange(12, dtype="uint8").reshape(4, 3)
    targets = np.arange(8, dtype="float32").reshape(4, 2)
    samples = Samples(npy(x), npy(np.array([3, 1, 0, 2], "uint8")), npy(targets))
    for _ in range(2):
        result = [(label, list(values)) for _, (label, values) in samples]
        assert result == list(zip([3, 1, 0, 2], targets.tolist()))


def test_samples_refuse_targets_of_another_type():
    x, y = np.zeros((4, 3), "uint8"), np.zeros(4, "uint8")
    pattern = "labels: expected uint8 of shape .4,. or float32 of 4 rows"
    with pytest.raises(DataError, match=pattern):
        Samples(npy(x), npy(np.zeros((4, 2), "uint8")))
    with pytest.raises(DataError, match=r"targets: expected float32 of 4 rows, got \|u1"):
        Samples(npy(x), npy(y), npy(y))
    with pytest.raises(DataError, match="labels: expected uint8 of shape"):
        Samples(npy(x), npy(np.zeros(4, "float32")), npy(np.zeros(4, "float32")))


def test_samples_refuse_another_number_of_labels():
    with pytest.raises(DataError, match="labels"):
        Samples(npy(np.zeros((4, 3), "uint8")), npy(np.zeros(3, "uint8")))

"""A learner on a PC: state in a folder, arrays of numpy, labels of any integer type."""

import gc
import io
import os
import subprocess
import sys
from array import array

import numpy as np
import pytest
import tiny_model

import engram
from engram.pc import board as pc_board
from engram.pc.board import FolderBoard

X = np.frombuffer(tiny_model.sample(1, 1), np.uint8)
ELEMS = len(X)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "digits.safetensors"
    path.write_bytes(tiny_model.model_bytes())
    return path


@pytest.fixture
def floats(tmp_path):
    path = tmp_path / "floats.safetensors"
    path.write_bytes(tiny_model.model_bytes("float32"))
    return engram.load(path)


def observe(learner, count=12):
    for i in range(count):
        learner.observe(tiny_model.sample(i % 3, i), i % 3)


# ---------------------------------------------------------------- the folder


def test_the_state_lies_beside_the_model_and_comes_back(model):
    learner = engram.open(str(model))
    observe(learner)
    learner.learn(epochs=2)
    assert learner.save() == 1
    parameters = bytes(learner.stage.params)
    del learner
    assert sorted(p.name for p in model.parent.iterdir()) == [model.stem + ".engram", model.name]
    again = engram.open(model)
    assert (again.session, len(again.store)) == (1, 12)
    assert bytes(again.stage.params) == parameters


def test_the_state_lies_where_it_is_told(model, tmp_path):
    observe(engram.load(model, folder=tmp_path / "a" / "b"), 5)
    assert (tmp_path / "a" / "b" / "flash.bin").exists()
    assert not (tmp_path / (model.stem + ".engram")).exists()
    assert len(engram.load(model, folder=tmp_path / "a" / "b").store) == 5
    assert len(engram.load(model).store) == 0


def test_the_size_of_the_flash_is_chosen_once(model):
    learner = engram.load(model, store_bytes=300_000)
    assert (model.parent / "digits.engram" / "flash.bin").stat().st_size == 303_104
    del learner
    assert len(engram.load(model).store) == 0  # the size that is there
    with pytest.raises(engram.StoreError, match=r"flash of 303104 bytes .*, got store_bytes=8192"):
        engram.load(model, store_bytes=8192)


def test_a_flash_without_room_is_refused(model):
    with pytest.raises(engram.StoreError, match="make the region larger"):
        engram.load(model, store_bytes=4096)


def test_a_missing_model_is_named_and_makes_no_folder(tmp_path):
    with pytest.raises(engram.ModelError, match=r"expected a file .*nix\.safetensors, got none .*"
                       r"the current folder is .*; give its path"):
        engram.load(tmp_path / "nix.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_went_is_made_again(model, tmp_path):
    learner = engram.load(model)
    observe(learner)
    for path in (tmp_path / "digits.engram").iterdir():
        path.unlink()
    assert len(engram.load(model).store) == 0


def test_of_two_learners_with_one_state_the_later_one_writes(model):
    """Both would write into the same places."""
    first = engram.load(model)
    observe(first, 3)
    second = engram.load(model)
    assert len(second.store) == 3
    for act in (lambda: observe(first, 1), first.save):
        with pytest.raises(engram.StoreError):
            act()
    assert repr(first).startswith("Learner, closed")
    observe(second, 4)
    first = None
    gc.collect()
    assert run(model, "").returncode, "the state is still in use"
    assert len(engram.load(model).store) == 7


def test_learners_of_two_models_are_open_together(model, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(model.read_bytes())
    learners = [engram.load(model), engram.load(other)]
    for count, learner in enumerate(learners, 2):
        observe(learner, count)
    assert [len(learner.store) for learner in learners] == [2, 3]


CHILD = """
import os, sys
import tiny_model, engram
learner = engram.load(sys.argv[1])
for i in range(7):
    learner.observe(tiny_model.sample(i % 3, i), i % 3)
"""


def run(model, more):
    return subprocess.run(
        [sys.executable, "-c", CHILD + more, str(model)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )


def test_a_process_that_dies_leaves_what_it_observed(model):
    assert run(model, "os._exit(3)").returncode == 3
    assert len(engram.load(model).store) == 7


@pytest.mark.skipif(pc_board.fcntl is None, reason="this system has no fcntl")
def test_a_second_process_is_refused_in_words(model):
    learner = engram.load(model)
    end = run(model, "")
    assert end.returncode and "StoreError: expected a state that no other process" in end.stderr
    observe(learner, 3)
    assert len(learner.store) == 3
    del learner
    gc.collect()  # its parts know one another
    assert run(model, "").returncode == 0


def test_what_is_acknowledged_is_on_the_disk(model, tmp_path, monkeypatch):
    """A power cut of a PC takes what its system has not written yet: it is asked to each time."""
    board = FolderBoard(tmp_path / "state")
    learner, device = engram.load(model, board), board.store_device()
    pending, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (pending.append(fd), real(fd))[1])
    for act in (lambda: observe(learner, 1), learner.save):
        before = len(pending)
        act()
        assert len(pending) > before and not device.changed
    device.sync = False
    before = len(pending)
    observe(learner, 1)
    assert len(pending) == before


def test_a_board_of_ones_own_is_taken(model, tmp_path):
    board = FolderBoard(tmp_path / "state", 200_000, sync=False)
    learner = engram.load(model, board)
    assert board.store_device().blocks == 49 and learner.counter == board.counter


def test_a_store_has_as_many_slots_as_there_are_numbers(model, tmp_path):
    """Small latents in much flash: 16 MB have room for more."""
    learner = engram.load(model, folder=tmp_path / "state", store_bytes=1 << 24, sync=False)
    assert 50_000 < len(learner.store.labels) <= 65_536
    observe(learner, 3)
    learner.save()
    del learner
    again = engram.load(model, folder=tmp_path / "state", sync=False)
    assert len(again.store) == 3 and len(again.store.labels) > 50_000


# ---------------------------------------------------------------- inputs


SAME = {
    "shape": X.reshape(2, -1),
    "deep": X.reshape(2, 2, -1, 1),
    "fortran": np.asfortranarray(X.reshape(2, -1)),
    "strided": np.repeat(X, 2)[::2],
    "int64": X.astype(np.int64),
    "int16": X.astype(np.int16).reshape(2, -1),
    "memoryview": memoryview(X.reshape(2, -1)),
    "bytes": X.tobytes(),
    "read only": np.frombuffer(X.tobytes(), np.uint8),
}


@pytest.mark.parametrize("name", SAME)
def test_arrays_of_any_shape_are_inputs(name, model):
    learner = engram.load(model, sync=False)
    expected = learner.predict(bytearray(X))
    assert learner.predict(SAME[name]) == expected
    learner.observe(SAME[name], 1)
    assert learner.stored == 1
    assert learner.evaluate([(SAME[name], expected[0])])["correct"] == 1


class Tensor:
    """What torch and images have: no buffer, but an array."""

    def __init__(self, x):
        self._x = x

    def __array__(self, dtype=None, copy=None):
        return self._x


def test_what_has_an_array_is_an_input(model):
    learner = engram.load(model, sync=False)
    assert learner.predict(Tensor(X.reshape(2, -1))) == learner.predict(bytearray(X))


@pytest.mark.parametrize("dtype", ["float64", "float16", "float32", ">f4"])
def test_floats_become_float32(floats, dtype):
    values = (X / 256).astype(dtype)  # exact in each of them
    expected = floats.predict(array("f", (X / 256).tolist()))
    assert floats.predict(values.reshape(2, -1)) == expected


WRONG = {
    "float64": (X.astype(float).reshape(2, 2, -1), f"got 2x2x{ELEMS // 4} float64"),
    "float32": (X.astype(np.float32), f"got {ELEMS} float32"),
    "int8": ((X // 2).view(np.int8) - np.int8(1), f"got {ELEMS} int8"),
    "too large": (X.astype(int) + 200, f"got {ELEMS} int64"),
    "short": (X[:-1], f"got {ELEMS - 1} uint8"),
    "number": (np.float64(1), "got one float64"),
    "text": (np.array(["a"]), "got 1 <U1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_input_is_told_with_shape_and_dtype(name, model):
    x, words = WRONG[name]
    learner = engram.load(model, sync=False)
    words = f"expected an input of {ELEMS} uint8, {words};"
    for act in (learner.predict, lambda x: learner.observe(x, 1)):
        with pytest.raises(engram.DataError, match=words):
            act(x)
    assert learner.stored == 0


def test_an_array_with_nan_is_refused(floats):
    values = X / 256
    values[3] = np.nan
    with pytest.raises(engram.DataError, match="got one with NaN"):
        floats.predict(values)


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("label", [np.int64(2), np.uint8(2), np.array(2), True + True], ids=repr)
def test_a_label_is_any_integer(label, model):
    learner = engram.load(model, sync=False)
    learner.observe(X, label)
    assert list(learner.store.labels)[0] == 2 and learner.evaluate([(X, label)])["n"] == 1


@pytest.mark.parametrize("label", [np.float64(1), 1.0, "1", None, np.int64(-1), np.array([1, 2])])
def test_anything_else_is_no_label(label, model):
    learner = engram.load(model, sync=False)
    with pytest.raises(engram.DataError, match="expected a label from 0 to 3, got"):
        learner.observe(X, label)


def test_a_late_class_is_told_how_it_comes_in(model):
    """And the model keeps what it has learned when it is opened so."""
    learner = engram.load(model, sync=False)
    observe(learner)
    learner.learn(epochs=2)
    learner.save()
    with pytest.raises(engram.DataError, match="got 4; open the model with classes=5 for a new"):
        learner.observe(X, 4)
    learner = engram.load(model, sync=False, classes=5)
    assert learner.session == 1 and len(learner.store) == 12
    learner.observe(X, 4)
    assert learner.learn(epochs=1)["steps"] == 1 and learner.info()["known"] == 5


# ---------------------------------------------------------------- data


def test_samples_are_read_from_an_npz(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("base.npz", x=np.stack([X, X]).reshape(2, 2, -1), y=np.array([1, 3]))
    for name in ("base", "base.npz", tmp_path / "base.npz"):
        samples = engram.samples(name)
        assert len(samples) == 2 and samples.x.shape == (2, 2, ELEMS // 2)
        assert [(bytes(x), y) for x, y in samples] == [(bytes(X), 1), (bytes(X), 3)]


def test_samples_of_a_regression_are_read_from_an_npz(tmp_path):
    np.savez(tmp_path / "a.npz", x=X[None] / 256, y=[1], targets=[[0.5, 0.25]])
    ((x, (label, target)),) = list(engram.samples(tmp_path / "a.npz"))
    assert x[1] == X[1] / 256 and label == 1 and list(target) == [0.5, 0.25]


def test_samples_are_read_as_a_board_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, rows in (("x", np.stack([X])), ("y", np.array([2], np.uint8))):
        out = io.BytesIO()
        np.save(out, rows)
        (tmp_path / f"one.{name}.npy").write_bytes(out.getvalue())
    assert [(bytes(x), y) for x, y in engram.samples("one")] == [(bytes(X), 2)]


def test_an_npz_without_labels_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X)
    with pytest.raises(engram.DataError, match="expected arrays x and y, got x_train"):
        engram.samples(tmp_path / "a")


def test_missing_samples_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(engram.DataError, match=r"expected a file base\.x\.npy, got none"):
        engram.samples("base")
    (tmp_path / "base.x.npy").touch()
    with pytest.raises(engram.DataError, match=r"expected a file base\.y\.npy, got none"):
        engram.samples("base")

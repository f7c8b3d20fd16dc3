"""Raw signals as inputs of models with the front end vibration, from files to a learner."""

import json
import re

import numpy as np
import pytest

import engram
from engram.vibration import Vibration, of
from engram_host import api, samples
from engram_host.errors import InputError
from engram_host.samples import Input, vibration
from host.command import run

NAME = "vibration:8x3:0.001"
MODEL = Input(21, "float32", NAME)


@pytest.fixture
def windows():
    """(20, 8, 3) float32: 1 g along the last axis, movement of 0.3 g."""
    movement = np.random.default_rng(1).normal(0, 0.3, (20, 8, 3))
    return (movement + [0, 0, 1]).astype(np.float32)


@pytest.fixture
def features(windows):
    """What a board makes of them, bit for bit."""
    front = Vibration(samples=8, axes=3)
    return np.array([list(front.features(window)) for window in windows], np.float32)


def table(path, rows, head=None):
    lines = [] if head is None else [head]
    lines += [",".join(str(value) for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_windows_of_every_kind_of_file_are_what_a_board_makes(tmp_path, windows, features):
    labels = np.arange(20) % 3
    np.save(tmp_path / "windows.npy", windows)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "rows.npy", windows.reshape(20, 24))
    np.save(
        tmp_path / "recording.npy", windows.reshape(160, 3)[:-1]
    )  # the last one has a row less
    np.save(tmp_path / "features.npy", features)
    np.savez(tmp_path / "windows.npz", x=windows.astype(np.float64), y=labels)
    table(tmp_path / "rows.csv", windows.reshape(20, 24).tolist())
    table(tmp_path / "recording.csv", windows.reshape(160, 3).tolist(), "x,y,z")
    for file in sorted(tmp_path.iterdir()):
        if file.name != "labels.npy":
            content = samples.load(file, model=MODEL)
            assert np.array_equal(content.x, features[: len(content)]), file.name
            assert len(content) == 20 - (file.name == "recording.npy")
    assert samples.load(tmp_path / "windows.npz", model=MODEL).y.tolist() == labels.tolist()
    content = samples.load(tmp_path / "windows.npy", tmp_path / "labels.npy", MODEL)
    assert content.y.tolist() == labels.tolist() and np.array_equal(content.x, features)


def test_windows_of_a_recording_that_changes_its_label_are_dropped(tmp_path, windows, features):
    names = ["still"] * 20 + ["loose"] * 140
    rows = [[*row, name] for row, name in zip(windows.reshape(160, 3).tolist(), names)]
    content = samples.load(table(tmp_path / "r.csv", rows, "x,y,z,class"), model=MODEL)
    assert content.class_names == ("loose", "still")
    assert content.y.tolist() == [1, 1] + [0] * 17  # the third has 4 rows of each
    assert np.array_equal(content.x, np.delete(features, 2, axis=0))


def test_signals_in_steps_of_the_sensor_are_those_of_another_floor(tmp_path, windows):
    steps = np.rint(windows * 1000).astype(np.int16)
    np.savez(tmp_path / "steps.npz", x=steps)
    np.savez(tmp_path / "g.npz", x=steps / 1000)
    raw = samples.load(tmp_path / "steps.npz", model=MODEL._replace(front_end="vibration:8x3:1"))
    assert raw.x == pytest.approx(samples.load(tmp_path / "g.npz", model=MODEL).x, abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "model", "message"),
    [
        ((20, 9, 3), MODEL, "windows of 8 samples x 3 axes, .* 21 features, got inputs of 9x3"),
        ((7, 3), MODEL, "a recording of at least 8 rows, a window, got 7"),
        ((20, 8, 3), Input(21, "uint8", NAME), "a model of 21 float32 inputs, .* got 21 uint8"),
        (
            (20, 8, 3),
            Input(13, "float32", NAME),
            "a model of 21 float32 inputs, .* got 13 float32",
        ),
        ((20, 8, 3), Input(21, "float32", "vibration:8x3"), "as vibration:64x3:0.001 .*, got"),
        ((20, 8, 3), Input(21, "float32", "vibration:8x9:1"), "8 to 32768 samples of 1 to 6 axes"),
    ],
)
def test_signals_that_a_model_cannot_take_are_refused(tmp_path, shape, model, message):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    with pytest.raises(InputError, match=message):
        samples.load(tmp_path / "x.npy", model=model)


def test_signals_that_are_no_numbers_are_refused(tmp_path, windows):
    windows[4, 1, 0] = np.nan
    np.save(tmp_path / "x.npy", windows)
    with pytest.raises(InputError, match="finite inputs, got NaN or infinity in sample 4"):
        samples.load(tmp_path / "x.npy", model=MODEL)
    np.savez(tmp_path / "y.npz", x=np.ones((16, 3)), y=[1, 2])
    with pytest.raises(InputError, match="an answer for each of the 16 rows .*, got 2"):
        samples.load(tmp_path / "y.npz", model=MODEL)


def made(tmp_path, *words):
    path = tmp_path / "model.safetensors"
    result = run("make", "vae", "--out", path, "--json", *words)
    return path, result


def test_make_takes_the_size_of_windows_and_names_the_front_end(tmp_path, windows):
    np.save(tmp_path / "windows.npy", windows)
    words = "--input", "8x3", "--front-end", "vibration", "--code", "4", "--hidden", "16"
    path, result = made(tmp_path, *words, "--data", tmp_path / "windows.npy")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["parameters"] == 925
    learner = engram.open(path, folder=tmp_path / "s", optimiser="adam", lr=0.01, bits=8)
    assert (learner.front_end, learner.input_elems) == (NAME, 21)
    front = of(learner.front_end)
    content = samples.load(tmp_path / "windows.npy", model=MODEL)
    assert np.array_equal(np.array(front.features(windows[0]), np.float32), content.x[0])
    for window in windows:
        learner.observe(front.features(window))
    learner.learn(steps=150)
    usual = max(learner.score(front.features(window)) for window in windows)
    assert learner.score(front.features(windows[0] * 4)) > 2 * usual


def test_a_step_of_the_input_is_a_32nd(tmp_path):
    path, result = made(tmp_path, "--input", "64x3", "--front-end", "vibration", "--floor", "2")
    assert result.exit_code == 0, result.stderr
    spec = engram.ModelSpec(path.open("rb"))
    assert list(spec.quantization("input")) == [1 / 32, 0]
    assert spec.front_end == "vibration:64x3:2" and spec.graph["input"]["dtype"] == "float32"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input", "64", "--front-end", "vibration"), "samples x axes, as 64x3, .* got 64"),
        (("--input", "64x9", "--front-end", "vibration"), "1 to 6 axes, got 64 of 9"),
        (("--input", "64x3", "--floor", "1"), "--floor belongs to --front-end vibration"),
    ],
)
def test_make_refuses_what_is_no_window(tmp_path, words, message):
    path, result = made(tmp_path, *words)
    assert result.exit_code != 0 and not path.exists()
    assert re.search(message, " ".join(result.stderr.split()))


def test_convert_refuses_a_front_end_that_nobody_has(tmp_path):
    from engram_host import boards

    source = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    for name, message in (
        ("bark", "of mfcc or vibration:64x3"),
        ("vibration:9", "got vibration:9"),
    ):
        with pytest.raises(InputError, match=message):
            api.convert(source, np.zeros((1, 8, 8, 1)), tmp_path / "d", front_end=name)


def test_a_name_is_that_of_its_front_end():
    assert vibration.named(8, 3, 0.001) == NAME == Vibration(8, 3).name
    assert vibration.input_of(NAME) == MODEL


def test_kernels_without_a_front_end_are_told(monkeypatch):
    """The smallest choice of `engram install` has none."""
    monkeypatch.setattr("engram.vibration.kernels", object())
    with pytest.raises(engram.DataError, match="got some without it; `engram install --kernels"):
        Vibration()

"""engram score --adapt: a board that learns what is new where it comes and goes."""

import json

import numpy as np
import pytest

import engram
from engram.watch.adapting import BLOCK, Adaptation
from engram_host import api
from engram_host.device import Device
from engram_host.errors import DeviceError, InputError
from engram_host.line.link import Link
from engram_host.make import vae
from engram_host.make.vae import Recipe
from host.command import run
from host.conftest import QUICK
from host.test_score import N, machine


def week(seed=1):
    """A new state of the machine comes and goes between known ones: (inputs, labels), a label of
    1 for the new."""
    rng = np.random.default_rng(seed)
    is_new = np.zeros(90, bool)
    is_new[20:] = rng.random(70) < 0.35
    y = np.repeat(is_new, BLOCK).astype(np.uint8)
    shift = np.round(15 * np.sin(np.arange(N)))
    return np.clip(machine(len(y), seed) + y[:, None] * shift, 0, 255).astype(np.uint8), y


@pytest.fixture
def files(tmp_path):
    """(model file, 160 stored samples, a week of them)"""
    vae.write(tmp_path / "vae.safetensors", Recipe([N], hidden=(8,), code=3))
    np.savez(tmp_path / "usual.npz", x=machine(160))
    x, y = week()
    np.savez(tmp_path / "week.npz", x=x, y=y)
    return [tmp_path / name for name in ("vae.safetensors", "usual.npz", "week.npz")]


@pytest.fixture
def watched(device, files):
    """A board that has learned 160 samples of a machine."""
    learn(device, files)
    return device


def learn(device, files):
    api.push_model(device, files[0], optimiser="adam", lr=0.01, bits=8, budget=400)
    api.learn(device, files[1], unlabelled=True, steps=10)


def test_what_is_new_is_learned_told_and_logged(watched, files, tmp_path):
    told, log = [], tmp_path / "watch.jsonl"
    result = api.score(
        watched, files[2], false_alarms=1e-3, adapt=True, steps=20, log=log,
        on_adapted=lambda *each: told.append(each),
    )  # fmt: skip
    first = result["adapted"][0]
    assert first["blocks"] == 8 and first["steps"] == 20 * first["rounds"] > 0
    assert first["after"] < first["before"]
    _, y = week()
    assert y[first["samples"]].sum() >= 6  # the block after a new one may look new, too
    assert all(at % BLOCK == 0 for at in first["samples"])
    assert first["samples"] == sorted(first["samples"]) and first["sample"] > first["samples"][-1]
    before = watched.store_info()["checkpoints"]
    assert before and first["generation"] == 2
    assert [each for each, _ in told] == result["adapted"]
    assert told[0][1]["threshold"] == first["threshold"] != result["watch"]["threshold"]
    assert result["adopted"] == 8 * len(result["adapted"]) + result["taken"]
    assert result["refused"] + result["waiting"] + result["adopted"] <= y.sum() // BLOCK + 2
    records = [json.loads(line) for line in log.read_text().splitlines()]
    kinds = [record["kind"] for record in records]
    assert kinds.count("adapted") == len(result["adapted"]) and kinds[-1] == "summary"
    assert kinds.index("adapted") == 1 + first["sample"]
    record = records[kinds.index("adapted")]
    assert record == {"kind": "adapted", **first, "watch": told[0][1]}
    assert records[-1]["adopted"] == result["adopted"]
    tail = [state for state, new in zip(result["states"][-160:], y[-160:]) if new]
    assert tail and tail.count("alarm") < 0.2 * len(tail)


def test_the_board_learns_as_a_program_on_it_does(watched, files, tmp_path):
    """At the same samples: a frame ends where a block does."""
    result = api.score(watched, files[2], adapt=True, steps=20, seed=2)
    learner = engram.open(
        files[0], folder=tmp_path / "state", optimiser="adam", lr=0.01, bits=8, budget=400
    )
    for x in np.load(files[1])["x"]:
        learner.observe(x)
    learner.learn(steps=10)
    follow = Adaptation(learner.watch(seed=2), steps=20)
    x, told = np.load(files[2])["x"], []
    scores = []
    for i, row in enumerate(x):
        scores.append(follow.feed(row).score)
        if follow.ready:
            told.append({"sample": i + 1, **follow.adapt()})
    assert scores == result["scores"]
    for each in (*told, *result["adapted"]):
        del each["generation"]  # this learner was not saved after its first session
    assert told == result["adapted"] and len(told)


def test_without_adapt_nothing_is_learned(watched, files):
    states = watched.store_info()
    result = api.score(watched, files[2])
    assert "adapted" not in result and watched.store_info() == states
    with pytest.raises(DeviceError, match="expected samples that were taken in"):
        watched.adapt()


def test_what_was_learned_is_undone_by_a_rollback(watched, files):
    result = api.score(watched, files[2], adapt=True, steps=20)
    assert result["adapted"]
    last = result["adapted"][-1]["generation"]
    assert api.rollback(watched, "previous")["generation"] == last - 1


def test_bad_options_are_refused(watched, files):
    with pytest.raises(InputError, match="expected steps with adapt"):
        api.score(watched, files[2], steps=20)
    with pytest.raises(InputError, match="--steps: expected"):
        api.score(watched, files[2], adapt=True, steps=0)
    with pytest.raises(DeviceError, match="expected steps of 1 or more"):
        watched.watch(adapt=0)
    assert run("score", files[2], "--steps", "20").exit_code == 2


def test_a_model_that_needs_labels_is_refused(device, model, files, tmp_path):
    api.push_model(device, model, bits=8)
    x = np.random.default_rng(0).integers(0, 17, (60, 64)).astype(np.uint8)
    np.savez(tmp_path / "digits.npz", x=x, y=np.zeros(60, np.uint8))
    api.learn(device, tmp_path / "digits.npz", steps=2)
    with pytest.raises(DeviceError, match="learns without answers, to adapt"):
        api.score(device, tmp_path / "digits.npz", adapt=True)
    assert api.score(device, tmp_path / "digits.npz", engine="classes")["n"] == 60


def test_windows_are_made_features_by_the_board(device, tmp_path):
    from engram_host.demo.fan_signal import Fan
    from engram_host.samples import vibration

    report = api.make_vae(
        tmp_path / "fan.safetensors", shape=[64, 3], front_end="vibration", likelihood="gaussian",
        hidden=(8,), code=2,
    )  # fmt: skip
    api.push_model(device, report["out"], bits=8, budget=100)
    front_end, windows = device.taken().front_end, Fan(1).windows(60, 20)
    raw = vibration.raw(windows, front_end)
    device.observe(raw)
    here = vibration.Windows(device.taken()).make(windows)
    assert device.predict(raw) == device.predict(here)
    assert api.score(device, raw)["scores"] == api.score(device, here)["scores"]
    with pytest.raises(InputError, match="front end of the model"):
        device.predict(vibration.raw(windows, "vibration:64x3:1"))
    with pytest.raises(InputError, match="windows of 32 samples"):
        vibration.raw(windows, "vibration:32x3:1")


@pytest.fixture
def here(watched, monkeypatch):
    """The command line with this board."""
    monkeypatch.setattr(api, "connect", lambda *_: watched)
    monkeypatch.setattr(Device, "close", lambda _: None)


def test_the_command_tells_what_was_learned(here, files):
    result = run("score", files[2], "--adapt", "--steps", "20")
    assert result.exit_code == 0, result.stderr
    assert "new since sample" in result.stdout
    assert "`engram rollback --to previous` undoes it" in result.stdout
    assert "blocks of 8 samples that were taken in" in result.stdout


def test_the_command_tells_it_beside_lines_and_in_json(here, files):
    result = run("score", files[2], "--adapt", "--steps", "20", "--lines")
    assert len(result.stdout.splitlines()) == len(week()[1])
    assert "blocks learned in" in result.stderr


def test_json_has_what_was_learned(here, files):
    summary = json.loads(run("score", files[2], "--adapt", "--steps", "20", "--json").stdout)
    assert summary["adapted"][0]["blocks"] == 8 and "scores" not in summary


@pytest.mark.board
def test_a_virtual_board_learns_the_same_blocks(name, files, board):
    results = []
    with api.connect(name) as there:
        for device in (there, Device(Link(board.transport, timing=QUICK))):
            learn(device, files)
            results.append(api.score(device, files[2], adapt=True, steps=10))
    mine, other = results
    assert mine["adapted"] and mine["states"] == other["states"]
    for here, there in zip(mine["adapted"], other["adapted"], strict=True):
        assert here["samples"] == there["samples"] and here["sample"] == there["sample"]
        assert here["generation"] == there["generation"]
        assert here["threshold"] == pytest.approx(there["threshold"], rel=1e-4)

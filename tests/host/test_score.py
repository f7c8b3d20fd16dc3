"""engram score: a watch over samples that a host sends."""

import json
import math

import numpy as np
import pytest

import engram
from engram_host import api
from engram_host.device import Device
from engram_host.errors import DeviceError, InputError
from engram_host.learning import watching
from engram_host.line.link import Link
from engram_host.make import vae
from engram_host.make.vae import Recipe
from host.command import run
from host.conftest import QUICK

N = 12


def machine(n, seed=0, broken=0):
    """Inputs of a machine with three states; the last ones are of one that broke."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).integers(40, 200, (3, N))
    x = centres[rng.integers(0, 3, n)] + rng.normal(0, 4, (n, N))
    if broken:
        x[-broken:] += 15 * np.sin(np.arange(N))
    return np.clip(x, 0, 255).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    """(model file, 120 stored samples, 80 samples of which the last 30 are not normal)"""
    vae.write(tmp_path / "vae.safetensors", Recipe([N], hidden=(8,), code=3))
    np.savez(tmp_path / "usual.npz", x=machine(120))
    y = np.zeros(80, np.uint8)
    y[50:] = 1
    np.savez(tmp_path / "day.npz", x=machine(80, 1, 30), y=y)
    return [tmp_path / name for name in ("vae.safetensors", "usual.npz", "day.npz")]


@pytest.fixture
def watched(device, files):
    """A board that has stored 120 samples of a machine."""
    model, usual, _ = files
    api.push_model(device, model, optimiser="adam", lr=0.01, bits=8, budget=200)
    api.learn(device, usual, unlabelled=True, steps=10)
    return device


def test_an_alarm_begins_where_the_machine_broke(watched, files, tmp_path):
    facts, seen, log = [], [], tmp_path / "watch.jsonl"
    result = api.score(
        watched, files[2], false_alarms=0.01, log=log, on_watch=facts.append,
        on_reading=seen.append,
    )  # fmt: skip
    assert result["n"] == 80 and result["normal"] == 50 and result["unknown"] == 0
    assert result["auc"] > 0.95 and result["mean_auc"] > 0.95
    assert result["alarms"] == 1 and result["alarmed_normal"] == 0
    assert result["alarmed_others"] > 0.8
    first = result["states"].index("alarm")
    assert 50 <= first < 58
    assert facts == [result["watch"]] and facts[0]["engine"] == "clusters"
    assert [mean for _, mean, _ in seen] == result["means"]
    kinds = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["kind"] for record in kinds] == ["watch"] + ["reading"] * 80 + ["summary"]
    assert kinds[1 + first]["sample"] == first and kinds[1 + first]["state"] == "alarm"
    assert kinds[60]["label"] == 1


@pytest.mark.parametrize("engine", ["neighbours", "classes", "loss"])
def test_each_engine_answers(watched, files, engine):
    result = api.score(watched, files[2], engine=engine, window=4, every=60, false_alarms="1/hour")
    assert result["watch"]["engine"] == engine
    assert result["watch"]["rate"] == pytest.approx(1 / 60)
    assert len(result["scores"]) == 80 and all(map(math.isfinite, result["scores"]))


def test_the_scores_are_those_of_a_learner_of_the_same_samples(watched, files, tmp_path):
    """The same watch in Python; nothing is lost on the line."""
    result = api.score(watched, files[2], clusters=5, seed=3)
    learner = engram.open(files[0], folder=tmp_path / "state", bits=8, budget=200)
    for x in np.load(files[1])["x"]:
        learner.observe(x)
    watch = learner.watch(clusters=5, seed=3)
    scores = [watch.feed(x).score for x in np.load(files[2])["x"]]
    assert result["scores"] == scores


def test_samples_without_labels_have_no_auc(watched, files, tmp_path):
    np.save(tmp_path / "x.npy", np.load(files[2])["x"])
    result = api.score(watched, tmp_path / "x.npy")
    assert result["n"] == 80 and "auc" not in result


def test_a_board_without_samples_says_what_to_do(device, files):
    api.push_model(device, files[0], bits=8, budget=200)
    with pytest.raises(DeviceError, match="got none; observe.. some and learn.. first .`engram"):
        api.score(device, files[2])
    with pytest.raises(DeviceError, match="expected a watch, got none"):
        device.readings(api._samples(files[2], None, device), print)


def test_wrong_options_are_refused_and_the_board_goes_on(watched, files):
    with pytest.raises(DeviceError, match="expected false alarms as a share"):
        api.score(watched, files[2], false_alarms="often")
    with pytest.raises(DeviceError, match="seconds from sample to sample"):
        api.score(watched, files[2], false_alarms="1/day")
    assert api.score(watched, files[2])["n"] == 80


def test_samples_of_another_size_are_refused(watched, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, N + 1), np.uint8))
    with pytest.raises(InputError):
        api.score(watched, tmp_path / "x.npy")


@pytest.fixture
def here(watched, monkeypatch):
    """The command line with this board."""
    monkeypatch.setattr(api, "connect", lambda *_: watched)
    monkeypatch.setattr(Device, "close", lambda _: None)


def test_the_command_shows_the_alarm(here, files):
    result = run("score", files[2], "--false-alarms", "0.01")
    assert result.exit_code == 0, result.stderr
    assert "threshold" in result.stdout and "1 alarm" not in result.stderr
    assert result.stdout.count("alarm begins: mean") == 1
    assert "AUC" in result.stdout and "█" in result.stdout


def test_the_command_prints_lines_and_json(here, files):
    lines = run("score", files[2], "--lines", "--window", 4).stdout.splitlines()
    assert len(lines) == 80
    number, score, mean, state = lines[79].split("\t")
    assert number == "79" and float(score) and float(mean) and state == "alarm"
    summary = json.loads(run("score", files[2], "--json", "--engine", "neighbours").stdout)
    assert summary["n"] == 80 and summary["watch"]["engine"] == "neighbours"
    assert "scores" not in summary


def test_the_command_refuses_an_unknown_engine(files):
    result = run("score", files[2], "--engine", "forest")
    assert result.exit_code == 2 and "clusters" in result.stderr


def test_the_area_under_the_curve_counts_pairs():
    rng = np.random.default_rng(0)
    scores, others = rng.integers(0, 9, 60).astype(float), rng.random(60) < 0.4
    pairs = scores[others][:, None] - scores[~others]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert watching.auc(scores, others) == pytest.approx(expected)
    assert watching.auc(scores, np.zeros(60, bool)) is None


def test_a_sample_without_a_score_leaves_the_alarm():
    readings = [(1.0, 1.0, "filling"), (9.0, 5.0, "alarm"), (None, 5.0, "unknown")]
    readings += [(9.0, 9.0, "alarm"), (0.0, 1.0, "normal"), (9.0, 9.0, "alarm")]
    summary = watching.summary(readings, None)
    assert summary == {"n": 6, "alarms": 2, "alarmed": 4, "unknown": 1}


@pytest.mark.board
def test_a_virtual_board_has_the_scores_of_this_computer(name, files, board, monkeypatch):
    model, usual, day = files
    results = []
    with api.connect(name) as there:
        for device in (there, Device(Link(board.transport, timing=QUICK))):
            api.push_model(device, model, optimiser="adam", lr=0.01, bits=8, budget=200)
            api.learn(device, usual, unlabelled=True, steps=5)
            results.append(
                [api.score(device, day, engine=engine) for engine in ("clusters", "neighbours")]
            )
    for mine, other in zip(*results, strict=True):
        assert mine["scores"] == pytest.approx(other["scores"], rel=1e-6)  # as its text says it
        assert mine["states"] == other["states"]
        assert mine["watch"]["threshold"] == pytest.approx(other["watch"]["threshold"], rel=1e-5)

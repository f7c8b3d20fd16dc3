"""What ruins a model that learns without answers is told: a code that carries nothing, dead units
of it, a loss that is no number, scores that explode. Each is provoked here."""

import math

import numpy as np
import pytest

import engram
from engram.continual.collapse import LEAST, divergences
from engram.errors import DataError, DivergedError
from engram_host.make import vae

UNITS = 3


def written(tmp_path, **choices):
    """The path of a model of 8 values that lie on a plane."""
    path = tmp_path / "model.safetensors"
    vae.write(path, recipe(**choices))
    return path


def recipe(**choices):
    made = {"hidden": (16,), "code": UNITS, "likelihood": "gaussian", "low": -4.0, "high": 4.0,
            "noise": 0.2, "seed": 2}  # fmt: skip
    return vae.Recipe([8], **{**made, **choices})


def samples(n=64):
    random = np.random.default_rng(1)
    return (random.standard_normal((n, 3)) @ random.standard_normal((3, 8)) / 2).astype(np.float32)


def opened(path, tmp_path, **options):
    made = {"optimiser": "adam", "lr": 0.01, "bits": 8, "folder": tmp_path / "state"}
    if options.get("format") == "q8":
        made["optimiser"] = "momentum"
    learner = engram.open(path, **{**made, **options})
    for x in samples():
        learner.observe(x)
    return learner


@pytest.mark.parametrize("format", ["f32", "q8"])
def test_a_code_that_carries_something_is_not_blamed(tmp_path, capsys, format):
    learner = opened(written(tmp_path), tmp_path, format=format)
    learner.learn(steps=200)
    assert min(divergences(learner)) > 5 * LEAST
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("format", ["f32", "q8"])
def test_a_code_that_has_collapsed_is_told(tmp_path, capsys, format):
    learner = opened(written(tmp_path, beta=100.0), tmp_path, format=format)
    learner.learn(steps=200)
    assert len(divergences(learner)) == UNITS and max(divergences(learner)) < LEAST
    said = capsys.readouterr().out
    assert said.startswith("Warning: expected a code that carries something, got a divergence of")
    assert "in all 3 units" in said and "lower --beta, or a longer --warm-up" in said


def test_a_unit_that_was_cut_off_is_told(tmp_path, capsys, monkeypatch):
    graph_of = vae.graph_of

    def cut(recipe):
        """Nothing goes into unit 1, and nothing that it says is heard; the others carry much."""
        graph, tensors = graph_of(recipe)
        into = [node for node in graph["nodes"] if node["name"] in ("code_mean", "code_spread")]
        tensors[into[0]["w"]] *= 4
        for node in into:
            tensors[node["w"]][1], tensors[node["b"]][1] = 0, 0
        (behind,) = [node for node in graph["nodes"] if node["in"] == ["code"]]
        tensors[behind["w"]][:, 1] = 0
        return graph, tensors

    monkeypatch.setattr(vae, "graph_of", cut)
    learner = opened(written(tmp_path), tmp_path, lr=1e-5)
    learner.learn(steps=3)
    said = capsys.readouterr().out
    assert "got 1 with a divergence of 0.00 (1): they are dead" in said and "--code 2" in said


def test_the_warning_is_in_the_last_record_alone(tmp_path):
    learner = opened(written(tmp_path, beta=100.0), tmp_path)
    records = list(learner.steps(steps=200))
    assert [at for at, record in enumerate(records) if "warning" in record] == [199]


def test_a_plain_auto_encoder_has_no_divergence(tmp_path, capsys):
    learner = opened(written(tmp_path, variational=False), tmp_path)
    learner.learn(steps=3)
    assert divergences(learner) == [] and capsys.readouterr().out == ""


@pytest.mark.parametrize("variational", [True, False])
def test_a_rate_that_ruins_it_leaves_the_saved_state(tmp_path, variational):
    path = written(tmp_path, variational=variational)
    learner = opened(path, tmp_path)
    learner.learn(steps=50)
    learner.save()
    before = np.array(learner.stage.params).copy()
    learner.close()
    again = opened(path, tmp_path, lr=1e6)
    with pytest.raises(DivergedError, match=r"learning rate of 1e\+06; the learner is back at"):
        again.learn(steps=50)
    assert np.array_equal(np.array(again.stage.params), before)
    assert again.checkpoints.info()["generation"] == 1


def test_a_model_that_is_no_number_is_not_saved(tmp_path):
    learner = opened(written(tmp_path), tmp_path)
    learner.learn(steps=5)
    learner.save()
    before = np.array(learner.stage.params).copy()
    learner.stage.params[3] = math.nan
    learner.stage.params[5] = math.inf
    with pytest.raises(DivergedError, match="expected finite weights to save, got 2 that are not"):
        learner.save()
    assert learner.checkpoints.info()["generation"] == 1
    assert learner.load() == 1
    assert np.array_equal(np.array(learner.stage.params), before)


def test_scores_that_explode_are_told(tmp_path):
    learner = opened(written(tmp_path), tmp_path)
    learner.learn(steps=20)
    watch = learner.watch(engine="loss", window=4, false_alarms=0.1)
    assert watch.feed(samples()[0]).state == "filling"
    params = np.array(learner.stage.params)
    learner.stage.params[:] = memoryview((params * 1e25).astype(np.float32))
    reading = watch.feed(samples()[0])
    assert reading.state == "unknown" and watch.unknown == 1
    with pytest.raises(DataError, match="the model is ruined; load"):
        learner.watch(engine="loss", window=4, false_alarms=0.1)

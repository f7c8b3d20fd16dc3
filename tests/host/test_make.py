"""engram make vae: models that were never trained."""

import json

import numpy as np
import pytest

import engram
from engram_host import api
from engram_host.errors import InputError
from engram_host.make import vae
from engram_host.make.vae import Recipe
from host.command import run

RECIPES = {
    "image": Recipe([12, 12, 1], strides=(2, 2), filters=(4, 8), code=4),
    "signals": Recipe([32, 3], strides=(2, 3), filters=(4, 8), code=4),
    "values": Recipe([9], hidden=(16, 8), code=3),
    "plain": Recipe([12, 12, 1], strides=(2, 2), filters=(4, 8), variational=False),
}


@pytest.fixture
def opened(tmp_path):
    """A learner of a recipe, with its state in a folder."""

    def open_(recipe, **options):
        path = tmp_path / "model.safetensors"
        vae.write(path, recipe)
        return engram.open(path, folder=tmp_path / "state", fresh=True, **options)

    return open_


def pictures(n, size, seed=0):
    """Pictures with a bright bar in one of two places; most of their variance is that."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 40, (n, size), np.uint8)
    for i, place in enumerate(rng.integers(0, 2, n)):
        x[i, place * size // 2 : place * size // 2 + size // 3] += 180
    return x


def place(picture):
    """Where the bar of a picture is: 0 or 1."""
    size = len(picture)
    return int(picture[: size // 3].sum() < picture[size // 2 : size // 2 + size // 3].sum())


@pytest.mark.parametrize("name", RECIPES)
def test_it_learns_from_samples_without_labels(opened, name):
    recipe = RECIPES[name]
    x = pictures(64, int(np.prod(recipe.shape)))
    learner = opened(recipe, optimiser="adam", lr=0.01, batch=16, bits=8)
    before = learner.evaluate([(row, None) for row in x])
    for row in x:
        learner.observe(row)
    first, *_, last = learner.steps(steps=120)
    assert last["loss"] < 0.9 * first["loss"]
    after = learner.evaluate([(row, None) for row in x])
    if recipe.variational:
        before, after = before["again"], after["again"]
    assert after["loss"] < 0.9 * before["loss"]


def test_a_sample_unlike_the_others_has_a_higher_score(opened):
    learner = opened(RECIPES["values"], optimiser="adam", lr=0.01, bits=8)
    rng = np.random.default_rng(1)
    usual = rng.integers(20, 60, (80, 9), np.uint8)
    for row in usual[:60]:
        learner.observe(row)
    learner.learn(steps=200)
    scores = [learner.score(row) for row in usual[60:]]
    assert learner.score(np.full(9, 250, np.uint8)) > 1.5 * max(scores)
    assert scores[0] == learner.score(usual[60])  # no noise


def test_a_code_that_nothing_is_added_to_is_its_mean(opened):
    learner = opened(RECIPES["values"])
    answer = learner.predict(np.arange(9, dtype=np.uint8))
    assert answer == learner.predict(np.arange(9, dtype=np.uint8))
    assert len(answer["code_mean"]) == len(answer["code_spread"]) == 3
    assert all(0 < v < 1 for v in answer["again"])


def test_the_weight_of_the_divergence_grows(opened):
    recipe = Recipe([9], hidden=(8,), code=3, warm_up=10, beta=2)
    learner = opened(recipe)
    for row in pictures(16, 9):
        learner.observe(row)
    shares, records = [], []
    for record in learner.steps(steps=12):
        records.append(record)
        shares.append(round(learner.stage.variational._warming[0][0][0], 3))
    assert shares == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1]
    record = records[-1]
    assert set(record["losses"]) == {"again", "code_mean", "code_spread"}
    weighted = record["losses"]["again"]
    weighted += 2 / 9 * (record["losses"]["code_mean"] + record["losses"]["code_spread"])
    assert record["loss"] == pytest.approx(weighted, rel=1e-5)


def test_the_network_of_the_paper_has_its_memory():
    """484.1 kB of weights and gradients in float32: Deutel et al. (MCSoC 2025), table I."""
    counts = vae.parameters(Recipe([28, 28, 1]))
    assert counts["parameters"] * 8 / 1024 == pytest.approx(484.1, rel=0.015)


def test_a_classifier_learns_from_the_code_and_leaves_it_as_it_is(opened):
    """Half of the classes by chance; a quarter of the samples have a label."""
    x, test = pictures(80, 9), pictures(40, 9, seed=5)
    learned = {}
    for classes in (0, 2):
        recipe = Recipe([9], hidden=(16,), code=3, classes=classes, classifier=8)
        learner = opened(recipe, optimiser="adam", lr=0.01, bits=8)
        for i, row in enumerate(x):
            learner.observe(row, place(row) if classes and i % 4 == 0 else None)
        learner.learn(steps=300)
        learned[classes] = list(learner.stage.params)
    assert learner.evaluate([(row, place(row)) for row in test])["accuracy"] >= 0.8
    assert learned[2][: len(learned[0])] == learned[0]


def test_an_evaluation_counts_the_answers_that_single_samples_get(opened):
    """The loss of a sample is of a pass of its own, which may not disturb a micro-batch."""
    recipe = Recipe([12, 12, 1], strides=(2, 2), filters=(4, 8), code=4, classes=5, classifier=0)
    learner = opened(recipe, batch=16, micro=8, bits=8)
    x = np.random.default_rng(1).integers(0, 256, (37, 144), np.uint8)
    answers = [learner.predict(row)["classes"][0] for row in x]
    assert len(set(answers)) > 1
    given = []
    *_, result = learner.evaluating([(row, label) for row, label in zip(x, answers)], said=given)
    assert result["correct"] == result["n"] == 37 and given == answers


def test_what_is_no_answer_is_refused(opened):
    learner = opened(RECIPES["values"])
    with pytest.raises(engram.DataError, match="without an answer, .* got 3"):
        learner.observe(np.zeros(9, np.uint8), 3)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe([3, 3, 3, 3]), "1 to 3 sizes of at least 1 .* got 3x3x3x3"),
        (Recipe([8, 8, 1], strides=(2,)), "a stride per convolution, 2 of them, got 1"),
        (Recipe([4, 4, 1], strides=(3, 3)), "strides 3,3 fit into, got 4x4x1"),
        (Recipe([9], low=-1, high=1), "--likelihood gaussian"),
    ],
)
def test_a_recipe_that_makes_no_model_is_refused(recipe, words):
    with pytest.raises(InputError, match=words):
        vae.graph_of(recipe)


def test_the_command(tmp_path):
    out = tmp_path / "m.safetensors"
    result = run("make", "vae", "--input", "28x28x1", "--code", "10", "-o", out, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["parameters"] == 61445
    assert "learn DATA --model" in run("make", "vae", "--input", "9", "-o", out).stdout
    assert run("make", "vae", "--input", "9y", "-o", out).exit_code == 2


def test_float_samples_give_range_and_size(tmp_path):
    out, data = tmp_path / "m.safetensors", tmp_path / "x.npy"
    x = np.random.default_rng(1).normal(3, 2, (200, 12)).astype(np.float32)
    np.save(data, x)
    api.make_vae(out, data, shape=[12], likelihood="gaussian", hidden=(8,))
    learner = engram.open(out, folder=tmp_path / "state", optimiser="adam", lr=0.01, bits=8)
    for row in x:
        learner.observe(row)
    first, *_, last = learner.steps(steps=200)
    assert last["losses"]["again"] < 0.7 * first["losses"]["again"]

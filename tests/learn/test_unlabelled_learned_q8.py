"""What auto-encoders learn in 8-bit integers, beside float32: on the digits, from nothing."""

import numpy as np
import pytest

import engram
from engram import DataError, ModelError
from engram.nn.names import NEW_NOISE
from engram_host.datasets import digits
from engram_host.make import vae

STEPS = 200


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    shape, code = {"shape": [8, 8, 1], "filters": (8, 16), "strides": (2, 2)}, {"code": 6}
    vae.write(path, vae.Recipe(**shape, **code, classes=10, beta=0.5))
    return path


def pictures(rows):
    return (rows.astype(int) * 255 // 16).astype(np.uint8)


def opened(model, folder, **options):
    options = {"lr": 0.1, "batch": 16, "budget": 800, "seed": 1, **options}
    return engram.open(str(model), folder=str(folder), **options)


def observe(learner, count=800):
    data = digits()
    for i, x in enumerate(pictures(data.x_train[:count])):
        learner.observe(x, int(data.y_train[i]) if i % 4 == 0 else None)


def loss_of(learner):
    """The mean loss of test samples, as it is minimised, but for the classifier's part."""
    found = learner.evaluate((x, None) for x in pictures(digits().x_test[:200]))
    weights = {"again": 1, "code_mean": 0.5 / 64, "code_spread": 0.5 / 64}
    return sum(weight * found[name]["loss"] for name, weight in weights.items())


@pytest.fixture(scope="module")
def plain(model, tmp_path_factory):
    """The loss before, and what float32 makes of it."""
    learner = opened(model, tmp_path_factory.mktemp("f32"))
    before = loss_of(learner)
    observe(learner)
    learner.learn(steps=STEPS)
    return before, loss_of(learner)


@pytest.mark.parametrize("options", [
    {"format": "q8"}, {"format": "mixed"}, {"format": "q8", "micro": 1},
    {"format": "q8", "keep": 0.25, "skip": 0.25}, {"format": "q8", "clip": 1.0},
    {"format": "q8", "rounding": "velocity"},
    {"format": "q8", "recompute": "latents,conv0_relu,code:q8,deconv1_relu"},
    {"format": "q8", "scope": "all.b,all.in:norm:0.5"},
], ids=["q8", "mixed", "single", "partial", "clip", "velocity", "twice", "inputs"])  # fmt: skip
def test_an_autoencoder_learns_as_in_float32(model, plain, tmp_path, options):
    learner = opened(model, tmp_path, **options)
    observe(learner)
    *_, last = learner.steps(steps=STEPS)
    before, target = plain
    part = 0.75 if {"scope", "keep", "rounding"} & set(options) else 0.95
    assert before - loss_of(learner) > part * (before - target)
    for row in last["scales"]:
        assert row["saturated"] < 0.02 and row["zero"] < 0.05, row
    strange = np.random.default_rng(2).permuted(digits().x_test[:20].reshape(20, -1), axis=1)
    known = [learner.score(x) for x in pictures(digits().x_test[:20])]
    unknown = [learner.score(x.reshape(8, 8, 1)) for x in pictures(strange)]
    assert np.mean(unknown) > 1.2 * np.mean(known)


def test_a_saved_state_comes_back_to_the_bit(model, tmp_path):
    learner = opened(model, tmp_path, format="q8")
    observe(learner, 100)
    learner.learn(steps=20)
    learner.save()
    x, state = pictures(digits().x_test[0]), [bytes(part) for part in learner.state.parts]
    before = learner.predict(x)
    learner.close()
    again = opened(model, tmp_path, format="q8")
    assert [bytes(part) for part in again.state.parts][2:] == state[2:]
    assert again.predict(x) == before


def test_scales_are_found_on_codes_with_noise(model, tmp_path):
    """Without noise the errors of the spreads would be those of the divergence alone."""
    learner = opened(model, tmp_path, format="q8")
    observe(learner, 100)
    settle, seen = learner.stage.settle, []
    streams = learner.stage.variational._streams
    learner.stage.settle = lambda run: (seen.append(streams[0][2]), settle(run))
    next(learner.steps(steps=1))
    assert seen == [NEW_NOISE]


@pytest.mark.parametrize(("options", "words"), [
    ({"optimiser": "adam"}, "expected the optimiser sgd or momentum"),
    ({"strategy": "ewc"}, "strategy ewc: expected number formats among f32"),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(model, tmp_path, options, words):
    with pytest.raises((DataError, ModelError), match=words):
        opened(model, tmp_path, format="q8", **options)

"""Each strategy, step by step, against the formula of its paper in numpy."""

import numpy as np
import pytest
from strategies_reference import HIDDEN, LATENT, Life, Sgd, assert_close

from engram import DataError
from engram.continual import strategies


def experience(life, *labels, count=10):
    for label in labels:
        life.add(label, count)


def learn(life, epochs=2):
    for _ in life.steps(epochs):
        pass
    life.learner.end_experience()


def biases():
    """1 at the biases of the network, 0 at its weights."""
    mask = np.ones(HIDDEN * (LATENT + 1) + 5 * (HIDDEN + 1))
    mask[: HIDDEN * LATENT] = 0
    mask[HIDDEN * (LATENT + 1) : -5] = 0
    return mask


def head():
    """1 at the head, 0 below."""
    mask = np.ones(HIDDEN * (LATENT + 1) + 5 * (HIDDEN + 1))
    mask[: HIDDEN * (LATENT + 1)] = 0
    return mask


@pytest.mark.parametrize(
    "name, mask", [("replay", 1.0), ("finetune", 1.0), ("head", head()), ("bias", biases())]
)
def test_plain_sgd_moves_the_parameters_that_learn(name, mask):
    life = Life(name)
    experience(life, 0, 1)
    learn(life)
    experience(life, 2, 3)
    net = life.net()
    sgd = Sgd(net, life, mask)
    for x, y in life.steps(3):
        sgd.step(net.gradient(x, net.cross_entropy(x, y)))
    assert_close(life, net)
    before = Life(name).net().p
    moved = np.abs(net.p - before) > 1e-4
    assert moved[np.broadcast_to(mask, moved.shape) == 1].mean() > 0.5
    assert not moved[np.broadcast_to(mask, moved.shape) == 0].any()


@pytest.mark.parametrize("name", ["finetune", "bias"])
def test_a_class_can_come_in_the_middle_of_an_experience(name):
    life = Life(name)
    experience(life, 0)
    net = life.net()
    assert net.known == 3
    sgd = Sgd(net, life, biases() if name == "bias" else 1.0)
    for x, y in life.steps(1):
        sgd.step(net.gradient(x, net.cross_entropy(x, y)))
    experience(life, 4)  # two classes at once: 3 has no sample yet
    net.known = 5
    sgd.v[:] = 0  # a run begins at rest
    for x, y in life.steps(1):
        sgd.step(net.gradient(x, net.cross_entropy(x, y)))
    assert_close(life, net)


def test_bias_keeps_neither_weight_gradients_nor_layer_inputs():
    small, large = (Life(name, batch=16).learner.planned_bytes for name in ("bias", "replay"))
    weights = HIDDEN * LATENT + 5 * HIDDEN
    assert large - small >= 2 * 4 * weights


def test_unknown_strategies_and_options_are_refused():
    with pytest.raises(DataError, match="strategy bias or .* expected, magic came"):
        Life("magic")
    with pytest.raises(DataError, match="it has none.*speed came"):
        Life("replay", strategy_options={"speed": 1})


@pytest.mark.parametrize("name", strategies.NAMES)
def test_every_option_is_held_to_its_range(name):
    for option, (default, least, most) in strategies.strategy_class(name).OPTIONS.items():
        assert least <= default <= most
        for wrong in (most + 1, least - 1, "1", None):
            with pytest.raises(DataError, match=option):
                Life(name, strategy_options={option: wrong})

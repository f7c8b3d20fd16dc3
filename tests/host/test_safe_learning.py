"""What a user's options cannot do to a board: ruin what it has learned."""

import json

import numpy as np
import pytest

from engram_host import api, samples
from engram_host.errors import DeviceError, InputError
from engram_host.learning import log


@pytest.fixture
def taught(device, model, some):
    """A board that knows seven digits, and saved that twice."""
    api.push_model(device, model, lr=0.03, budget=300, batch=8)
    for labels in ([0, 1, 2, 3, 4], [5], [6]):
        api.learn(device, some(labels, 30), epochs=2)
    return device


@pytest.fixture
def test_set(data):
    rows = data.y_test < 7
    return samples.make(data.x_test[rows], data.y_test[rows])


@pytest.mark.parametrize(
    "wrong",
    [{"lr": float("nan")}, {"lr": -1}, {"momentum": 2}, {"batch": 0}, {"budget": 0},
     {"lr_decay": 2}, {"weight_decay": -1}, {"clip": 0}, {"epochs": 0}],
)  # fmt: skip
def test_a_number_that_no_learner_takes_is_refused_before_anything_is_sent(
    device, model, some, wrong
):
    api.push_model(device, model, batch=8)
    facts, options = device.store_info(), device.info()["options"]
    (name,) = wrong
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')}: expected .* got .*; give"):
        api.learn(device, some([5], 20), **wrong)
    assert device.store_info() == facts and device.info()["options"] == options


def test_a_model_is_not_sent_for_a_learner_without_a_budget(device, model):
    with pytest.raises(InputError, match="--budget: expected room for at least 1 latent"):
        api.push_model(device, model, budget=0)
    assert device.files() == {}
    assert api.push_model(device, model, budget=0, strategy="finetune")["budget"] == 0


def test_a_run_that_diverges_is_not_saved(taught, some, test_set):
    before = api.eval(taught, test_set)
    generation = taught.store_info()["checkpoints"]["generation"]
    with pytest.raises(DeviceError) as error:
        api.learn(taught, some([7], 30), lr=1e10)
    assert error.value.kind == "DivergedError"
    assert f"back at its last saved state, generation {generation}" in str(error.value)
    assert "learn them with a smaller rate, such as 0.03" in str(error.value)
    assert taught.store_info()["checkpoints"]["generation"] == generation
    assert api.eval(taught) == before
    summary = list(log.read(log.latest()))[-1]
    assert summary["kind"] == "summary" and "diverges" in summary["error"]
    assert "generation" not in summary
    api.learn(taught, some([7], 30), lr=0.03)
    assert taught.store_info()["checkpoints"]["generation"] == generation + 1


def test_a_first_run_that_diverges_leaves_the_model_of_the_file(device, model, some, test_set):
    api.push_model(device, model, batch=8)
    before = api.eval(device, test_set)
    with pytest.raises(DeviceError, match="back at its model file, as nothing was saved"):
        api.learn(device, some([5, 6], 30), lr=1e10, epochs=3)
    assert api.eval(device) == before
    assert device.store_info()["checkpoints"]["generation"] == 0


def test_a_rollback_says_what_changed(taught):
    before = taught.info()["learner"]
    result = api.rollback(taught, "previous")
    assert result["generation"] == 2
    assert result["before"] == {"generation": 3, "session": 3, "steps": before["steps"]}
    assert result["undone"]["generation"] == 1 and result["undone"]["session"] == 1
    assert result["undone"]["steps"] == before["steps"] - result["steps"] > 0
    assert result["new"] == 30  # those of the session undone
    assert result["accuracy"] == [None, None]


def test_a_rollback_tells_the_accuracies_that_were_tested(device, model, some, data):
    both = samples.make(*(np.concatenate(a) for a in zip(
        *[(some([c], 30).x, some([c], 30).labels) for c in (0, 5)], strict=True)))  # fmt: skip
    api.push_model(device, model, lr=0.03, budget=300, batch=8)
    for session, label in enumerate((0, 5)):
        api.learn(device, both.of_classes([label]))
        for number in range(session + 1):
            api.eval(device, some([(0, 5)[number]], 20), stream=True, session=number)
    before = device.metrics()["average_accuracy"]
    result = api.rollback(device, "previous")
    assert result["accuracy"] == [before, device.metrics()["average_accuracy"]]
    assert None not in result["accuracy"]
    assert json.dumps(result)

"""Numbers that no learner takes are refused by name, before anything is allocated."""

import io

import pytest
import tiny_model

from engram import DataError, Learner, ModelSpec
from engram.nn.optimisers import Optimiser
from engram_host.learning.latent_store import LatentStore

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lr": NAN}, "a learning rate .lr. from 0 to below 3e.38, got nan"),
        ({"lr": -1}, "a learning rate .lr. .* got -1"),
        ({"lr": INF}, "a learning rate .lr. .* got inf"),
        ({"lr": "fast"}, "a learning rate .lr. .* got 'fast'"),
        ({"momentum": 1}, "a momentum from 0 to below 1, got 1"),
        ({"momentum": -0.5}, "a momentum .* got -0.5"),
        ({"momentum": NAN}, "a momentum .* got nan"),
        ({"weight_decay": -1}, "a weight decay .weight_decay. .* got -1"),
        ({"weight_decay": NAN}, "a weight decay .weight_decay. .* got nan"),
        ({"clip": 0}, "a largest gradient norm above 0, got 0"),
        ({"clip": NAN}, "a largest gradient norm above 0, got nan"),
        ({"clip": INF}, "a largest gradient norm above 0, got inf"),
    ],
)
def test_an_optimiser_refuses_them(wrong, words):
    with pytest.raises(DataError, match="expected " + words):
        Optimiser(**wrong)


def learner(capacity=40, **options):
    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    return Learner(spec, LatentStore(capacity, spec.latent_elems), **options)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch": 0}, "a batch of at least 1, got 0"),
        ({"lr_decay": NAN}, "lr_decay from 0 to 1, got nan"),
        ({"budget": -1}, "a budget of 0 or more, got -1"),
        ({"budget": NAN}, "a budget of 0 or more, got nan"),
        ({"budget": 0}, "a budget of at least 1 latent, as strategy replay replays them, got 0"),
        ({"budget": 0, "strategy": "ar1"}, "a budget of at least 1 latent, as strategy ar1"),
    ],
)
def test_a_learner_refuses_them(wrong, words):
    with pytest.raises(DataError, match="expected " + words):
        learner(**wrong)


def test_a_learner_that_does_not_replay_takes_a_budget_of_0():
    assert learner(budget=0, strategy="finetune").budget == 0

"""A learning run that diverges: it stops, nothing is saved, and the last good state is back."""

import math

import numpy as np
import pytest
import tiny_model
from ram_board import board, observe, opened

from engram import DataError, DivergedError
from engram.continual.divergence import MARGIN, Divergence
from engram.continual.strategies import NAMES

REPLAYING = ("ar1", "bias", "head", "replay", "replay_lwf")
TRAINING = tuple(name for name in NAMES if name not in ("ncm", "slda"))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(tiny_model.with_outputs("classes"))
    return path


def state(learner):
    """What a save would write, but for the generator's numbers."""
    numbers = [int(v) for i, v in enumerate(learner.state.parts[0]) if not 3 <= i <= 5]
    return [np.array(part).copy() for part in learner.state.parts[1:]], numbers


def same(a, b):
    return a[1] == b[1] and all(np.array_equal(x, y) for x, y in zip(a[0], b[0], strict=True))


def taught(model, on, **options):
    """A learner that knows four classes, and has saved that."""
    learner = opened(model, on, **options)
    for labels in ((0, 1), (2, 3)):
        observe(learner, *labels)
        learner.learn(epochs=4)
    learner.save()
    return learner


def test_the_last_saved_state_is_back(model):
    on = board()
    learner = taught(model, on)
    content = state(learner)
    again = opened(model, on, lr=1e10)
    observe(again, 1)
    with pytest.raises(DivergedError) as error:
        again.learn()
    assert same(state(again), content)
    assert again.checkpoints.info()["generation"] == 1
    words = str(error.value)
    assert words.startswith("expected a ") and " at step " in words
    assert "learning rate of 1e+10" in words and "such as 0.03" in words
    assert "generation 1" in words


@pytest.mark.parametrize("strategy", TRAINING)
def test_without_a_saved_state_the_model_file_is_back(model, strategy):
    on = board()
    fresh = opened(model, on, strategy=strategy, known=2, classes=5)
    before = state(fresh)
    learner = opened(model, on, strategy=strategy, known=2, classes=5, lr=1e10)
    learner.session = 3  # of before the run, not saved
    observe(learner, 0, 2, 4)
    with pytest.raises(DivergedError, match="back at its model file, as nothing was saved"):
        for _ in range(8):
            learner.learn(epochs=4)
    assert learner.stage.known == 2
    assert np.isfinite(np.array(learner.stage.params)).all()
    assert same(state(learner), before)


def test_it_learns_again_from_what_was_observed(model):
    """The records of the run that diverged are new still, their classes too."""
    on = board()
    learner = opened(model, on, known=2, lr=1e10)
    observe(learner, 0, 1, 2, 3)
    with pytest.raises(DivergedError):
        learner.learn()
    again = opened(model, on, known=2)
    assert again.stage.known == 2
    again.learn(epochs=60)
    assert again.stage.known == 4
    pairs = [(tiny_model.sample(c, 50 + i), c) for c in range(4) for i in range(4)]
    assert again.evaluate(pairs)["accuracy"] > 0.9


def test_a_learner_without_a_file_says_that_it_is_lost(model):
    learner = opened(model, board(), lr=1e10)
    learner.path = None
    observe(learner, 0, 1)
    with pytest.raises(DivergedError, match="this learner is lost: open the model again"):
        learner.learn(epochs=4)


def test_weights_that_are_not_finite_stop_the_last_step(model):
    learner = opened(model, board())
    observe(learner, 0, 1)
    run = learner.steps(epochs=1)
    before = np.array(learner.stage.params)

    def spoil():
        learner.stage.params[0] = math.nan

    learner.strategy.finish = spoil
    with pytest.raises(DivergedError, match="expected finite weights, got 1 that are not at step"):
        list(run)
    assert np.array_equal(np.array(learner.stage.params), before)


class FakeLearner:
    """As much of a learner as the criteria look at."""

    def __init__(self, known=10, batch=16):
        self.head_name, self.batch = "classes", batch
        self.stage = self
        self.known, self.targets, self.params = known, None, np.zeros(4, np.float32)


def verdict(losses, accuracies=None, replay=True, **facts):
    watch = Divergence(FakeLearner(**facts), len(losses), replay)
    for n, loss in enumerate(losses, 1):
        verdict_of_step = watch.of_step(n, loss, accuracies[n - 1] if accuracies else None)
        if verdict_of_step:
            return n, *verdict_of_step
    return None


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_stops_at_once(loss):
    assert verdict([1.0, loss, 1.0])[:2] == (2, "a finite loss")


def test_the_mean_loss_may_not_rise_far_above_the_start():
    n, expected, result = verdict([1.0] + [100.0] * 9)
    assert n == 3 and expected == f"a mean loss below {MARGIN * math.log(10):.3g}"
    assert float(result) > MARGIN * math.log(10)
    assert verdict([9.0] + [80.0] * 40) is None  # a start that is high already
    assert verdict([9.0] + [100.0] * 40)


def test_one_bad_mini_batch_is_no_divergence():
    assert verdict([0.01] * 20 + [100.0] + [0.01] * 20) is None


def test_a_model_that_knows_its_samples_well_may_find_others_hard():
    """The start of a regression that fits is next to nothing; its targets are the measure."""
    learner = FakeLearner()
    learner.head_name, learner.targets = None, np.full(8, 2, np.float32)
    watch = Divergence(learner, 40, True)
    losses = [1e-6] + [30.0] * 30
    assert all(watch.of_step(n, loss, None) is None for n, loss in enumerate(losses, 1))


def test_an_accuracy_that_collapses_shows_at_the_end():
    falling = [0.8] * 10 + [0.1] * 30
    n, expected, result = verdict([1.0] * 40, falling)
    assert n == 40 and "half of the 80 %" in expected and result == "10 %"
    assert verdict([1.0] * 40, falling, replay=False) is None


def test_an_accuracy_that_falls_by_chance_does_not_count():
    assert verdict([1.0] * 40, [0.8] * 10 + [0.5] * 30) is None
    assert verdict([1.0] * 8, [1.0] + [0.45] * 7, batch=4) is None  # a first one by luck
    assert verdict([1.0] * 8, [0.25] + [0.0] * 7, batch=4) is None  # and a few more by bad luck


@pytest.mark.parametrize("chance", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("batch", [1, 4, 16])
def test_a_model_that_guesses_does_not_diverge(chance, batch):
    """A share that is the same from the first mini-batch to the last: a run in 1,000 at most."""
    rng, alarms = np.random.default_rng(1), 0
    for steps in rng.integers(1, 60, 3000).tolist():
        shares = rng.binomial(batch, chance, steps) / batch
        alarms += verdict([1.0] * steps, shares.tolist(), batch=batch) is not None
    assert alarms <= 3


@pytest.mark.parametrize("strategy", REPLAYING)
def test_healthy_runs_go_on(model, strategy):
    learner = taught(model, board(), strategy=strategy)
    assert learner.steps_done > 0 and learner.checkpoints.info()["generation"] == 1


@pytest.mark.parametrize("epochs", [0, -1, 1.5])
def test_epochs_are_counted(model, epochs):
    learner = opened(model, board())
    observe(learner, 0)
    with pytest.raises(DataError, match="expected epochs of at least 1, got"):
        learner.learn(epochs=epochs)

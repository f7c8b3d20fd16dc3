"""The scores of single samples, of models that learn without answers."""

from ..errors import DataError


def score(learner, x):
    """Learner.score()."""
    need_variational(learner)
    learner.infer(x)
    return score_latent(learner)


def need_variational(learner):
    """Raises DataError for a model that learns from answers alone."""
    if not learner.stage.variational:
        raise DataError(
            "expected a model that learns without answers, to score inputs by its loss, got one "
            "of %s; make one with `engram make vae`"
            % ", ".join(sorted([kind for kind, _, _ in learner.outputs.values()]))
        )


def score_latent(learner):
    """The score of the latent that was inferred last; its losses are in variational.alone."""
    stage = learner.stage
    stage.take_latent()
    stage.forward_single()
    return stage.variational.score()


class Mean:
    """The mean of the losses of an output that needs no answer."""

    def __init__(self, n):
        self._n, self._sum = 0, 0.0

    def add(self, loss):
        self._n += 1
        self._sum += loss

    def result(self):
        """{"n", "loss"}"""
        return {"n": self._n, "loss": self._sum / max(1, self._n)}

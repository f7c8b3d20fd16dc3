"""The engine "loss": what Learner.score() gives, the model's own."""

from ..continual.scoring import need_variational, score_latent


class Loss:
    """learner: one whose model learns without answers. Raises DataError for others.

    Nothing is fitted, and stored samples cannot be left out: the model has learned from them.
    """

    OPTIONS = ()
    HELD_OUT = False

    def __init__(self, learner):
        need_variational(learner)
        self._learner = learner

    def fitting(self, slots):
        return iter(())

    def score(self, learner):
        return score_latent(learner)

    def score_stored(self, slot):
        learner = self._learner
        if not learner.read_one(slot):
            return None
        learner.stage.forward_single()
        return learner.stage.variational.score()

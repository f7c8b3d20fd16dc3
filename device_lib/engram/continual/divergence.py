"""Tells a learning run that diverges from one that learns.

A run has diverged when one of these holds:

* a loss, or a weight after the last step, is not a number or infinite;
* the mean loss of the last steps, with weight 7/8 for the mean before each, is above MARGIN
  times the start: the loss of the first mini-batch, or where that is more the loss of a model that
  knows nothing, ln K for K classes and the mean square of the targets;
* with replay: in the last quarter of the run mini-batches were right less than half as often as
  the first one was, and chance does not explain that: 2 asin(sqrt((k + 3/8) / (n + 3/4))) of k in
  n samples has a variance of 1 / n whatever the share (Anscombe, Biometrika 1948), and the two
  differ by more than 4 standard deviations.

In all 202 settings of the continual-learning benchmark the mean loss stays below 1.1 times the
start, and the share that is right falls by 0.08 at most (`host`). Learning rates of 300 and more
end at the second to the fifth step there, where a loss can grow: of a strategy without replay it
may stay at 0 while all else is forgotten.
"""

from math import asin, log, sqrt

from ..backend import kernels
from .vector import square

MARGIN = 10
_SMOOTH = 8
_DEVIATIONS = 4


class Divergence:
    """The course of one learning run of `steps` steps.

    learner: continual.learner.Learner. replay: whether old records are in the mini-batches.
    """

    def __init__(self, learner, steps, replay):
        self._learner, self._steps, self._replay = learner, steps, replay
        self._late = steps - steps // 4  # the first step that counts as one of the end
        self._limit = self._mean = self._first = None
        self._right = 0.0  # sum over the steps of the end

    def of_step(self, n, loss, acc):
        """None, or (expected, got) in words where step n shows that the run diverges.

        acc: share of the mini-batch that was right; None without classes.
        """
        if loss - loss != 0:
            return "a finite loss", "%g" % loss
        if n == 1:
            self._mean, self._first = loss, acc
            self._limit = MARGIN * max(loss, self._of_no_knowledge())
        self._mean += (loss - self._mean) / _SMOOTH
        if self._mean > self._limit:
            return "a mean loss below %.3g" % self._limit, "%.3g" % self._mean
        if acc is not None and n >= self._late:
            self._right += acc
        return self._of_end() if n == self._steps else None

    def _of_no_knowledge(self):
        stage = self._learner.stage
        loss = log(stage.known) if self._learner.head_name else 0
        if stage.targets is not None:
            loss += square(stage.targets) / len(stage.targets)
        return loss

    def _of_end(self):
        count = kernels.check_finite(self._learner.stage.params)
        if count:
            return "finite weights", "%d that are not" % count
        if self._first is None or not self._replay:
            return None
        late = self._steps - self._late + 1
        right = self._right / late
        batch = self._learner.batch
        fall = _angle(self._first, batch) - _angle(right, late * batch)
        by_chance = _DEVIATIONS * sqrt((1 + 1 / late) / batch)
        if self._first > 2 * right and fall > by_chance:
            return (
                "at least half of the %d %% of a mini-batch right that were so at the start"
                % round(100 * self._first),
                "%d %%" % round(100 * right),
            )
        return None


def _angle(share, n):
    return 2 * asin(sqrt((share * n + 0.375) / (n + 0.75)))

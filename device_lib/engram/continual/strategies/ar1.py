"""AR1*: latent replay, a CWR* head, and layers below it that learn slowly.

Pellegrini et al., "Latent Replay for Real-Time Continual Learning" (IROS 2020), without synaptic
intelligence, which replay makes unnecessary there. Batches are balanced over the classes: the
paper's (composition "ar1") take old records in proportion to their number, which is 2 of 16 where
1,000 new ones meet 100, and on Fashion-MNIST 7 points less.
"""

from array import array

from ...backend import kernels
from .cwr import Strategy as Cwr


class Strategy(Cwr):
    """Options: those of cwr; slow, the learning rate below the head in units of the head's."""

    REPLAY = True
    DEPTH = None
    OPTIONS = {"past": (0,) + Cwr.OPTIONS["past"][1:], "slow": (0.1, 0, 1)}

    def __init__(self, learner, spec, arena, options):
        super().__init__(learner, spec, arena, options)
        stage = self.stage
        below = len(stage.trained) - sum([len(values) for values, _, _ in self._parts])
        windows = (stage.trained, stage.velocity, stage.grads)
        self._below = below and [window[:below] for window in windows]
        self._head = [window[below:] for window in windows]
        self._slow = array("f", (options["slow"],))
        self._hyper = array("f", learner.hyper)
        self._rates = memoryview(self._hyper)[:1], memoryview(learner.hyper)[:1]

    def update(self):
        if self._below:
            own, heads = self._rates
            kernels.scale_f32(own, heads, self._slow)
            _step(self._below, self._hyper)
        _step(self._head, self.learner.hyper)
        kernels.zero_f32(self.stage.grads)


def _step(windows, hyper):
    values, velocity, grads = windows
    kernels.sgd_step(values, velocity, grads, hyper)

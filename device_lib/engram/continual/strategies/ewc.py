"""Online EWC: parameters that mattered to earlier experiences are held near their values.

Schwarz et al., "Progress & Compress" (ICML 2018), section 4, after Kirkpatrick et al. (PNAS 2017).
The loss has lambda / 2 sum F (theta - anchor)^2 added to it. After an experience

    F = gamma F + the mean of the squared gradients of its samples, one at a time
    anchor = theta

F is the diagonal of the empirical Fisher matrix. What the model file brought is not held: its
samples are not there to measure F on. A step is stable while lr lambda F stays below 2.
"""

from array import array

from ...backend import kernels
from ...nn.buffers import BRIEF, SAVED
from .base import Strategy as Base
from .base import copy


class Strategy(Base):
    """Options: lambda, gamma; samples, how many the Fisher matrix is measured on at most."""

    REPLAY = False
    OPTIONS = {"lambda": (1, 0, 1e9), "gamma": (1, 0, 1), "samples": (128, 1, 65535)}

    @staticmethod
    def buffers(sizes):
        return (
            ("fisher", sizes.trained, SAVED),
            ("anchor", sizes.trained, SAVED),
            ("pull", sizes.trained, BRIEF),
        )

    def __init__(self, learner, spec, arena, options):
        super().__init__(learner, spec, arena, options)
        self._fisher, self._anchor = arena.f32("fisher"), arena.f32("anchor")
        self._pull = arena.f32("pull")
        self._lambda = array("f", (options["lambda"],))
        self._gamma = array("f", (options["gamma"],))
        self._samples = options["samples"]
        layers, still = self.stage.bind(spec, arena, 1, True)
        self._layers, self._learning = layers, tuple(reversed(layers[still:]))

    def update(self):
        """g += lambda F (theta - anchor), then the step."""
        stage, pull = self.stage, self._pull
        copy(pull, stage.trained)
        kernels.axpy_f32(pull, self._anchor, _MINUS_ONE)
        kernels.mul_f32(pull, pull, self._fisher)
        kernels.axpy_f32(stage.grads, pull, self._lambda)
        stage.update(self.learner.hyper)

    def end(self):
        learner, stage, fisher = self.learner, self.stage, self._fisher
        slots = learner.current_slots()
        learner.rng.shuffle(slots, len(slots))
        slots = slots[: self._samples]
        if not slots:
            return
        kernels.scale_f32(fisher, fisher, self._gamma)
        share = array("f", (1 / len(slots),))
        head = self._layers[-1]
        head.resize(stage.known)
        for slot in slots:
            if learner.read_one(slot):
                self._gradient(head)
                kernels.mul_f32(self._pull, stage.grads, stage.grads)
                kernels.axpy_f32(fisher, self._pull, share)
        kernels.zero_f32(stage.grads)
        copy(self._anchor, stage.trained)

    def _gradient(self, head):
        """grads = the gradient at the first sample of the batch."""
        for layer in self._layers:
            layer.fwd()
        kernels.softmax_xent(
            head.dout, self.learner.stats, head.out, self.learner.labels[:1], 1, head.m
        )
        kernels.zero_f32(self.stage.grads)
        for layer in self._learning:
            layer.bwd()


_MINUS_ONE = array("f", (-1,))

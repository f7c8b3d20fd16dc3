"""Online EWC: parameters that mattered to earlier sessions are held near their values.

Schwarz et al., "Progress & Compress" (ICML 2018), section 4, after Kirkpatrick et al. (PNAS 2017).
The loss has lambda / 2 sum F (theta - anchor)^2 added to it. After a session

    F = gamma F + the mean of the squared gradients of its samples, one at a time
    anchor = theta

F is the diagonal of the empirical Fisher matrix. What the model file brought is not held: its
samples are not there to measure F on. A step is stable while lr lambda F stays below 2.
"""

from ...backend import kernels
from ...nn.names import BRIEF, SAVED
from ..vector import MINUS_ONE, scalar
from .base import Strategy as Base


class Strategy(Base):
    """Options: lambda, gamma; samples, how many the Fisher matrix is measured on at most."""

    FORMATS = ("f32",)
    REPLAY = False
    GRADIENTS = SINGLE_BACKWARD = True
    OPTIONS = {"lambda": (1, 0, 1e9), "gamma": (1, 0, 1), "samples": (128, 1, 65535)}

    @staticmethod
    def buffers(sizes):
        return (
            ("fisher", sizes.learned, SAVED),
            ("anchor", sizes.learned, SAVED),
            ("pull", sizes.learned, BRIEF),
        )

    def __init__(self, learner, arena, options):
        super().__init__(learner, arena, options)
        self._fisher, self._anchor = arena.window("fisher"), arena.window("anchor")
        self._pull = arena.window("pull")
        learned = self.stage.learned
        self._to_pull = learned.snapshots(self._pull)
        self._to_anchor = learned.snapshots(self._anchor)
        self._lambda, self._gamma = scalar(options["lambda"]), scalar(options["gamma"])
        self._samples = options["samples"]

    def update(self):
        """g += lambda F (theta - anchor), then the step."""
        learned, pull = self.stage.learned, self._pull
        kernels.run(self._to_pull)
        kernels.axpy_f32(pull, self._anchor, MINUS_ONE)
        kernels.mul_f32(pull, pull, self._fisher)
        kernels.axpy_f32(learned.grads, pull, self._lambda)
        self.stage.update()

    def end(self):
        learner, stage, fisher = self.learner, self.stage, self._fisher
        grads = stage.learned.grads
        slots = learner.current_slots()
        learner.rng.shuffle(slots, len(slots))
        slots = slots[: self._samples]
        if not slots:
            return
        kernels.scale_f32(fisher, fisher, self._gamma)
        share = scalar(1 / len(slots))
        for slot in slots:
            if learner.read_one(slot):
                stage.learned.clear()
                stage.forward_single()
                stage.backward_single()
                kernels.mul_f32(self._pull, grads, grads)
                kernels.axpy_f32(fisher, self._pull, share)
        stage.learned.clear()
        kernels.run(self._to_anchor)

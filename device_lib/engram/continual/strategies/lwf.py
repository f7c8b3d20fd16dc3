"""Learning without forgetting: the model before this experience is a teacher on its new samples.

Li and Hoiem, ECCV 2016. The cross-entropy has alpha KL(q || p) added to it, the mean over the
batch, with q and p the softmax at temperature T of the teacher's and the student's logits of the
classes that the teacher knows; the gradient by those logits is alpha (p - q) / (T batch).
"""

from array import array

from ...backend import kernels
from ...nn.buffers import KEPT, SAVED
from .base import Strategy as Base
from .base import copy


class Strategy(Base):
    """Options: alpha, temperature. The first teacher is the model file's."""

    REPLAY = False
    OPTIONS = {"alpha": (1, 0, 1000000), "temperature": (2, 0.01, 1000)}

    @staticmethod
    def buffers(sizes):
        return (
            ("teacher", sizes.trained, SAVED),
            ("taught", 1, SAVED),  # classes that the teacher knows
            ("q", sizes.batch * sizes.classes, KEPT),
            ("p", sizes.batch * sizes.classes, KEPT),
        )

    def __init__(self, learner, spec, arena, options):
        super().__init__(learner, spec, arena, options)
        stage = self.stage
        self._teacher, self._taught = arena.f32("teacher"), arena.f32("taught")
        self._room = (arena.f32("q"), arena.f32("p"))
        layers, still = stage.bind(spec, arena, learner.batch, False, self._teacher)
        self._below, self._student = stage.forward_layers[:still], stage.forward_layers[still:]
        self._old = layers[still:]
        self._cool = array("f", (1 / options["temperature"],))
        self._weight = array("f", (options["alpha"] / options["temperature"] / learner.batch,))
        self.end()

    def begin(self):
        batch, known = self.learner.batch, min(int(self._taught[0]), self.stage.known)
        self._old[-1].resize(known)
        q, p = self._room
        self._q, self._p = q[: batch * known], p[: batch * known]
        self._widen(self.stage.known)

    def _widen(self, known):
        self._wide = self._room[0][: self.learner.batch * known]  # q is done with by then
        self._wide_known = known

    def forward(self):
        """The gradient at the logits of the cross-entropy and of the distillation.

        The teacher goes first: the student's activations stay for its backward pass. Below the
        layers that learn, both are one.
        """
        stage, learner = self.stage, self.learner
        known, old, batch = stage.known, self._old[-1].m, learner.batch
        q, p = self._q, self._p
        if known != self._wide_known:  # a class came while the run went on
            self._widen(known)
        for layer in self._below:
            layer.fwd()
        for layer in self._old:
            layer.fwd()
        kernels.scale_f32(q, self._old[-1].out, self._cool)
        kernels.softmax_fwd(q, q, batch, old)
        for layer in self._student:
            layer.fwd()
        kernels.softmax_xent(
            stage.dlogits, learner.stats, stage.logits, learner.labels, batch, known
        )
        kernels.copy_channels(p, stage.logits, batch, old, known, 0, 0, old)
        kernels.scale_f32(p, p, self._cool)
        kernels.softmax_fwd(p, p, batch, old)
        kernels.axpy_f32(p, q, _MINUS_ONE)
        kernels.zero_f32(self._wide)
        kernels.copy_channels(self._wide, p, batch, known, old, 0, 0, old)
        kernels.axpy_f32(stage.dlogits, self._wide, self._weight)

    def end(self):
        copy(self._teacher, self.stage.trained)
        self._taught[0] = self.stage.known


_MINUS_ONE = array("f", (-1,))

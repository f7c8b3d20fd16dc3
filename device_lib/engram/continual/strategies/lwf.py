"""Learning without forgetting: the model before this session is a teacher on its new samples.

Li and Hoiem, ECCV 2016. The cross-entropy has alpha KL(q || p) added to it, the mean over the
batch, with q and p the softmax at temperature T of the teacher's and the student's logits of the
classes that the teacher knows; the gradient by those logits is alpha (p - q) / (T batch).
"""

from ...backend import kernels
from ...nn.names import KEPT, SAVED, SECOND, TEACHER
from ..vector import MINUS_ONE, scalar
from .base import Strategy as Base


class Strategy(Base):
    """Options: alpha, temperature. The first teacher is the model file's."""

    FORMATS = ("f32",)
    REPLAY = False
    TEACHES_NEW = True  # the teacher judges new samples too
    TEACHER = True
    OBJECTIVES = ("classify",)
    OPTIONS = {"alpha": (1, 0, 1000000), "temperature": (2, 0.01, 1000)}

    @staticmethod
    def buffers(sizes):
        return (
            (TEACHER, sizes.learned, SAVED),
            ("taught", 1, SAVED),  # classes that the teacher knows
            ("q", sizes.batch * sizes.classes, KEPT),
            ("p", sizes.batch * sizes.classes, KEPT),
        )

    def __init__(self, learner, arena, options):
        super().__init__(learner, arena, options)
        self._teacher, self._classes = arena.window(TEACHER), arena.window("taught")
        self._room = (arena.window("q"), arena.window("p"))
        self._answers = arena.window(SECOND + learner.head_name)
        self._cool = scalar(1 / options["temperature"])
        self._weight = scalar(options["alpha"] / options["temperature"] / learner.batch)
        self._to_teacher = self.stage.learned.snapshots(self._teacher)
        self.fresh()

    def begin(self):
        rows, known = self.stage.micro, min(int(self._classes[0]), self.stage.known)
        self.stage.tapes["teacher"].resize(known)
        self._q, self._p, self._logits = [
            window[: rows * known] for window in self._room + (self._answers,)
        ]
        self._old = known
        self._untaught = {} if self.TEACHES_NEW else self._windows_of_new(known)
        self._widen(self.stage.known)

    def _windows_of_new(self, known):
        """{new rows of a micro-batch: their window of p}, for all that a run will have."""
        windows, rest = {}, self.learner.sampler.new_per_batch
        while rest:
            fresh = min(rest, self.stage.micro)
            windows[fresh] = self._room[1][: fresh * known]
            rest -= fresh
        return windows

    def _widen(self, known):
        rows = self.stage.micro * known
        self._wide, self._wide_known = self._room[0][:rows], known  # q is done with by then
        self._dlogits = self.stage.head.dout[:rows]

    def forward(self):
        """The gradient at the logits of the cross-entropy and of the distillation.

        The teacher goes first: the student's activations stay for its backward pass. Below the
        layers that learn, both are one.
        """
        stage = self.stage
        known, old, rows = stage.known, self._old, stage.micro
        q, p, forward = self._q, self._p, stage.tapes["forward"]
        logits = stage.outputs[self.learner.head_name]
        if known != self._wide_known:  # a class came while the run went on
            self._widen(known)
            stage.tapes["teacher"].resize(old)
        forward.run_rows(0, stage.upper_at)
        stage.tapes["teacher"].run()
        kernels.scale_f32(q, self._logits, self._cool)
        kernels.softmax_fwd(q, q, rows, old)
        forward.run_rows(stage.upper_at, stage.loss_at)
        kernels.copy_channels(p, logits, rows, old, known, 0, 0, old)
        stage.loss()
        kernels.scale_f32(p, p, self._cool)
        kernels.softmax_fwd(p, p, rows, old)
        kernels.axpy_f32(p, q, MINUS_ONE)
        fresh = self.learner.trainer.fresh
        if fresh in self._untaught:
            kernels.zero_f32(self._untaught[fresh])
        kernels.zero_f32(self._wide)
        kernels.copy_channels(self._wide, p, rows, known, old, 0, 0, old)
        kernels.axpy_f32(self._dlogits, self._wide, self._weight)

    def fresh(self):
        self.end()

    def end(self):
        kernels.run(self._to_teacher)
        self._classes[0] = self.stage.known

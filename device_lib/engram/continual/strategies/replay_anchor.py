"""Latent replay that holds what a session does not bring: rows of the head are anchored.

After each step the head's rows w of the classes that the session does not bring are pulled to
their values w0 at its start: w = w + r anchor (w0 - w), with the learning rate r. It gains or
loses a little, by the stream (docs/defaults.md): an offer, not a default.
"""

from ...backend import kernels
from ...nn.names import KEPT
from ..vector import MINUS_ONE, ONE, scalar
from .replay import Strategy as Replay


class Strategy(Replay):
    """Options: anchor."""

    FORMATS = ("f32",)
    OBJECTIVES = ("classify",)
    OPTIONS = {"anchor": (1, 0, 1000)}

    @staticmethod
    def buffers(sizes):
        return (("anchor", sizes.head, KEPT),)

    def __init__(self, learner, arena, options):
        super().__init__(learner, arena, options)
        self._anchor, self._strength = arena.window("anchor"), scalar(options["anchor"])
        self._share, self._factor = scalar(0), scalar(0)

    def begin(self):
        head, learner = self.stage.head, self.learner
        weights = len(head.w)
        labels = learner.store.labels
        brought = set([labels[slot] for slot in learner.current_slots()])
        rate = memoryview(learner.trainer.hyper("head"))[:1]
        share, factor = self._share, self._factor
        rows = [
            (kernels.scale_f32, share, rate, self._strength),
            (kernels.copy_f32, factor, ONE),
            (kernels.axpy_f32, factor, share, MINUS_ONE),
        ]
        for of, first, n in ((head.w, 0, head.n), (head.b, weights, 1)):
            kernels.copy_f32(self._anchor[first : first + len(of)], of)
            for start, end in _runs(self.stage.known, brought):
                now = of[start * n : end * n]
                before = self._anchor[first + start * n : first + end * n]
                rows.append((kernels.scale_f32, now, now, factor))
                rows.append((kernels.axpy_f32, now, before, share))
        self._pull = kernels.bind(rows)

    def update(self):
        self.stage.update()
        kernels.run(self._pull)


def _runs(classes, but):
    """[(first, end)] of the classes that are not among some, in runs without a gap."""
    runs = []
    for c in range(classes):
        if c in but:
            continue
        if runs and runs[-1][1] == c:
            runs[-1] = (runs[-1][0], c + 1)
        else:
            runs.append((c, c + 1))
    return runs

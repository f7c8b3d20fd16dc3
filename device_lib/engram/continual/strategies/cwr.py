"""CWR*: the head's weights of a session are consolidated into saved weights.

Lomonaco, Maltoni and Pellegrini, "Rehearsal-Free Continual Learning over Small Non-I.I.D. Batches"
(CVPR workshops 2020), algorithm 2. A session begins with a head of zeros, in which only the
classes that it brings have their saved weights. It ends with

    w' = w_c - mean of the head's weights over those classes
    saved_c = (saved_c p + w') / (p + 1),  p = sqrt(past_c / current_c)

past_c, current_c: samples of class c before and now. Between sessions the head holds the saved
weights. A bias is a weight too, with a mean of its own.
"""

from math import sqrt

from ...backend import kernels
from ...nn.names import SAVED
from ..vector import add_to_all, row_means, scalar
from .base import Strategy as Base


class Strategy(Base):
    """Options: past, how many samples each class of the model file is taken to come from."""

    FORMATS = ("f32",)
    REPLAY = False
    SCOPE = "head"
    OBJECTIVES = ("classify",)
    OPTIONS = {"past": (100, 0, 1000000)}

    @staticmethod
    def buffers(sizes):
        return (
            ("saved", sizes.head, SAVED),
            ("past", sizes.classes, SAVED),
            ("current", sizes.classes, SAVED),  # 0: the session has not brought the class
        )

    def __init__(self, learner, arena, options):
        super().__init__(learner, arena, options)
        head = self.stage.head
        weights, biases = head.w, head.b
        n = len(weights)
        bank = arena.window("saved")
        # (the head's, the saved ones, how many of them a class has)
        self._parts = ((weights, bank[:n], head.n), (biases, bank[n:], 1))
        self._past, self._current = arena.window("past"), arena.window("current")
        self._past_of_file = options["past"]
        self.fresh()

    def fresh(self):
        # Pre-training was a session of every class that the model knows.
        for c in range(self.stage.known):
            self._current[c] = 1
        self._consolidate()
        for c in range(self.stage.known):
            self._past[c] = self._past_of_file

    def begin(self):
        """The head of this session: zeros, and the saved weights of its classes."""
        current, sampler, labels = self._current, self.learner.sampler, self.learner.store.labels
        counts = [0] * len(current)
        for i in range(sampler.new + sampler.old):
            counts[labels[sampler.order[i]]] += 1
        fresh = not any(current)
        for values, bank, n in self._parts:
            if fresh:
                kernels.zero_f32(values)
            for c in range(len(current)):
                if counts[c] and not current[c]:
                    kernels.copy_f32(values[c * n : c * n + n], bank[c * n : c * n + n])
        for c in range(len(current)):
            if counts[c]:
                current[c] = counts[c]

    def end(self):
        self._consolidate()

    def _consolidate(self):
        """The classes of this session into the saved weights, and those into the head."""
        past, current = self._past, self._current
        classes = [c for c in range(len(current)) if current[c]]
        if not classes:
            return
        for values, bank, n in self._parts:
            means = row_means(values, n)
            mean = sum([means[c] for c in classes]) / len(classes)
            for c in classes:
                row, own = values[c * n : c * n + n], bank[c * n : c * n + n]
                p = sqrt(past[c] / current[c])
                add_to_all(row, -mean)
                kernels.scale_f32(own, own, scalar(p / (p + 1)))
                kernels.axpy_f32(own, row, scalar(1 / (p + 1)))
            kernels.copy_f32(values, bank)
        for c in classes:
            past[c] += current[c]
            current[c] = 0


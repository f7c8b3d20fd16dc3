"""Herding: the choice of records whose mean feature is the mean of all.

The features of the records are kept in memory where they take no more than a quarter of what is
free; else they are read again for each record that is chosen.
"""

from array import array
from math import sqrt

from ..backend import kernels
from ..compat import heap_free
from .vector import MINUS_ONE, ONE, dot


def herd(learner, slots, count):
    """Set of the indices of `count` slots whose features, scaled to length 1, have a mean close to
    that of all. Damaged records are not chosen."""
    unit = _features(learner, slots)
    unit.centre()
    if 2 * count > len(slots):
        return _without(unit, count)
    choice, off = set(), unit.zeros()  # sum of the chosen less as many means
    for _ in range(count):
        best = _best(unit.scores(off), choice | unit.damaged)
        if best is None:
            break
        choice.add(best)
        kernels.axpy_f32(off, unit.vector(best), ONE)
    return choice


def _without(unit, count):
    """The same by leaving out one after the other."""
    drops, off = set(unit.damaged), unit.zeros()  # sum of those that are left, less their means
    for i in range(len(unit.slots)):
        if i not in drops:
            kernels.axpy_f32(off, unit.vector(i), ONE)
    while len(unit.slots) - len(drops) > count:
        kernels.scale_f32(off, off, MINUS_ONE)  # |v - off| is the length without v
        best = _best(unit.scores(off), drops)
        kernels.axpy_f32(off, unit.vector(best), ONE)
        kernels.scale_f32(off, off, MINUS_ONE)
        drops.add(best)
    return set(range(len(unit.slots))) - drops


def _best(scores, but):
    """Index of the least of the scores, those in a set left out; None where all are in it."""
    best = least = None
    for i, score in enumerate(scores):
        if i not in but and (best is None or score < least):
            best, least = i, score
    return best


def _features(learner, slots):
    if 16 * learner.feature_elems * len(slots) <= heap_free():
        try:
            return _Kept(learner, slots)
        except MemoryError:  # not in one piece
            pass
    return _Read(learner, slots)


class _Read:
    """The features of records, scaled to length 1, less their mean; read anew each time.

    .damaged   indices of the records that could not be read; theirs are zeros
    """

    def __init__(self, learner, slots):
        self._learner, self.slots = learner, slots
        self.damaged = set()
        self._x, self._shift = self.zeros(), self.zeros()

    def zeros(self):
        return array("f", bytes(4 * self._learner.feature_elems))

    def centre(self):
        """From now on the mean is taken away."""
        total = self.zeros()
        for i in range(len(self.slots)):
            kernels.axpy_f32(total, self.vector(i), ONE)
        intact = len(self.slots) - len(self.damaged)
        kernels.scale_f32(self._shift, total, array("f", (-1 / (intact or 1),)))

    def vector(self, i):
        """Valid until the next call."""
        self._into(self._x, i)
        kernels.axpy_f32(self._x, self._shift, ONE)
        return self._x

    def scores(self, off):
        """|off + vector|^2 - |off|^2 of each record."""
        for i in range(len(self.slots)):
            x = self.vector(i)
            yield dot(x, x) + 2 * dot(x, off)

    def _into(self, x, i):
        features = self._learner.features(self.slots[i])
        if features is None:
            self.damaged.add(i)
            kernels.zero_f32(x)
        else:
            scale = 1 / (sqrt(dot(features, features)) or 1)
            kernels.scale_f32(x, features, array("f", (scale,)))


class _Kept(_Read):
    """The same, all in memory."""

    def __init__(self, learner, slots):
        super().__init__(learner, slots)
        n = learner.feature_elems
        self._rows = memoryview(array("f", bytes(4 * n * len(slots))))
        self._squares, self._products = [array("f", bytes(4 * len(slots))) for _ in range(2)]
        for i in range(len(slots)):
            self._into(self.vector(i), i)

    def centre(self):
        super().centre()
        for i in range(len(self.slots)):
            row = self.vector(i)
            kernels.axpy_f32(row, self._shift, ONE)
            self._squares[i] = dot(row, row)

    def vector(self, i):
        n = self._learner.feature_elems
        return self._rows[i * n : i * n + n]

    def scores(self, off):
        rows = len(self.slots)
        kernels.dense_fwd(self._products, off, self._rows, None, 1, len(off), rows)
        for square, product in zip(self._squares, self._products):
            yield square + 2 * product

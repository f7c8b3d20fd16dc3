"""Every class keeps the records whose mean stays closest to the class's.

Herding as in iCaRL (Rebuffi et al., CVPR 2017, algorithm 4), on the head's inputs scaled to length
1, with equal shares as in `balanced`. The features of a class are kept in memory where they take
no more than a quarter of what is free; else records are read again for each that is chosen.
"""

from array import array
from math import sqrt

from ...backend import kernels
from ...compat import heap_free
from . import TakesAll
from .records import excess_of, of_class


class Policy(TakesAll):
    def trim(self, learner):
        excess = excess_of(learner.store, learner.budget)
        for label in sorted(excess):
            slots = of_class(learner.store, label)
            chosen = _herd(_features(learner, slots), len(slots) - excess[label])
            for i, slot in enumerate(slots):
                if i not in chosen:
                    learner.store.delete(slot)


def _features(learner, slots):
    if 16 * learner.feature_elems * len(slots) <= heap_free():
        try:
            return _Kept(learner, slots)
        except MemoryError:  # not in one piece
            pass
    return _Read(learner, slots)


def _herd(unit, keep):
    """Set of the `keep` indices that herding chooses among unit's records."""
    unit.centre()
    chosen, off = set(), unit.zeros()  # sum of the chosen less as many means
    for _ in range(keep):
        best = least = None
        for i, score in enumerate(unit.scores(off)):
            if i not in chosen and i not in unit.damaged and (best is None or score < least):
                best, least = i, score
        if best is None:
            break
        chosen.add(best)
        kernels.axpy_f32(off, unit.vector(best), _ONE)
    return chosen


_ONE = array("f", (1,))


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
            kernels.axpy_f32(total, self.vector(i), _ONE)
        intact = len(self.slots) - len(self.damaged)
        kernels.scale_f32(self._shift, total, array("f", (-1 / (intact or 1),)))

    def vector(self, i):
        """Valid until the next call."""
        self._into(self._x, i)
        kernels.axpy_f32(self._x, self._shift, _ONE)
        return self._x

    def scores(self, off):
        """|off + vector|^2 - |off|^2 of each record."""
        for i in range(len(self.slots)):
            x = self.vector(i)
            yield _dot(x, x) + 2 * _dot(x, off)

    def _into(self, x, i):
        features = self._learner.features(self.slots[i])
        if features is None:
            self.damaged.add(i)
            kernels.zero_f32(x)
        else:
            scale = 1 / (sqrt(_dot(features, features)) or 1)
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
            kernels.axpy_f32(row, self._shift, _ONE)
            self._squares[i] = _dot(row, row)

    def vector(self, i):
        n = self._learner.feature_elems
        return self._rows[i * n : i * n + n]

    def scores(self, off):
        rows = len(self.slots)
        kernels.dense_fwd(self._products, off, self._rows, None, 1, len(off), rows)
        for square, product in zip(self._squares, self._products):
            yield square + 2 * product


def _dot(a, b):
    out = array("f", (0,))
    kernels.dense_fwd(out, a, b, None, 1, len(a), 1)
    return out[0]

"""Every class keeps the records whose mean stays closest to the class's.

Herding as in iCaRL (Rebuffi et al., CVPR 2017, algorithm 4), on the head's inputs scaled to length
1, with equal shares as in `balanced`. Records are read again for each that is chosen, so memory is
three feature vectors and a list of slots, and the time of a class of n records of which m stay is
m n forward passes.
"""

from array import array
from math import sqrt

from ...backend import kernels
from .records import excess_of, of_class


def trim(learner):
    excess = excess_of(learner.store, learner.budget)
    for label in sorted(excess):
        slots = of_class(learner.store, label)
        for slot in _left_over(learner, slots, len(slots) - excess[label]):
            if learner.store.labels[slot] == label:  # a damaged one has gone already
                learner.store.delete(slot)


def _left_over(learner, slots, keep):
    """The slots that herding does not choose, when it chooses `keep`."""
    unit = _Unit(learner)
    mean, wanted = unit.zeros(), unit.zeros()
    share = array("f", (1 / len(slots),))
    for slot in slots:
        if unit.read(slot):
            kernels.axpy_f32(mean, unit.x, share)
    for _ in range(keep):
        kernels.axpy_f32(wanted, mean, _ONE)  # (chosen so far + 1) mean - sum of the chosen
        best = nearest = None
        for slot in slots:
            if unit.read(slot):
                distance = unit.distance(wanted)
                if best is None or distance < nearest:
                    best, nearest = slot, distance
        if best is None:
            break
        slots.remove(best)
        unit.read(best)
        kernels.axpy_f32(wanted, unit.x, _MINUS_ONE)
    return slots


_ONE = array("f", (1,))
_MINUS_ONE = array("f", (-1,))


class _Unit:
    """.x: the features of the record read last, scaled to length 1."""

    def __init__(self, learner):
        self._learner = learner
        self.x, self._apart = self.zeros(), self.zeros()

    def zeros(self):
        return array("f", bytes(4 * self._learner.feature_elems))

    def read(self, slot):
        """Whether the record is intact."""
        features = self._learner.features(slot)
        if features is None:
            return False
        length = sqrt(_square(features)) or 1
        kernels.scale_f32(self.x, features, array("f", (1 / length,)))
        return True

    def distance(self, point):
        """The square of the distance to a point."""
        kernels.scale_f32(self._apart, point, _MINUS_ONE)
        kernels.axpy_f32(self._apart, self.x, _ONE)
        return _square(self._apart)


def _square(x):
    total = array("f", (0,))
    kernels.sum_squares(total, x)
    return total[0]

"""The engine "neighbours": the mean distance of a latent to the nearest ones in the store, in
steps of the int8 latent."""

from array import array

from ..backend import kernels
from ..continual.reading import LatentReader, code_values
from ..continual.vector import MINUS_ONE, scalar
from .records import Latents, check_count, floats

NEIGHBOURS = 3
_ROWS, _ROW_FLOATS = 32, 1024  # records that are read at a time, or as many floats


class Neighbours:
    """learner: one with a store. options: "neighbours", how many.

    Nothing is fitted: each score reads all records of the watch.
    """

    OPTIONS = ("neighbours",)
    HELD_OUT = True

    def __init__(self, learner, neighbours=NEIGHBOURS):
        check_count("neighbours", neighbours)
        store = learner.store
        self.latents = latents = Latents(learner)
        self._store, self._most, n = store, neighbours, latents.n
        rows = max(1, min(_ROWS, _ROW_FLOATS // n))
        self._rows, self._squares = [memoryview(floats(rows * n)) for _ in range(2)]
        self._read = array("i", range(rows))
        self._out = memoryview(floats(rows))
        self._reader = LatentReader(
            store, self._rows, bytearray(rows), self._read,
            code_values(latents.qp, store.bits),
            floats(store.targets * rows) if store.targets else None,
        )
        self._minus, self._ones = floats(n), floats(n)
        for i in range(n):
            self._ones[i] = 1
        self._size, self._mean = scalar(n), floats(1)

    def fitting(self, slots):
        """Takes the records in `slots`, which score() reads: a generator."""
        self._slots = slots
        return iter(())

    def score(self, learner):
        self.latents.take()
        return self._near()

    def score_stored(self, slot):
        return self._near() if self.latents.read(slot) else None

    def _near(self):
        n, best, slots, at = self.latents.n, [], self._slots, 0
        self._store.settle()
        kernels.scale_f32(self._minus, self.latents.x, MINUS_ONE)
        while at < len(slots):
            count = min(len(self._read), len(slots) - at)
            for i in range(count):
                self._read[i] = slots[at + i]
            at += count
            count = self._intact(count)
            if not count:
                continue
            rows, squares = self._rows[: count * n], self._squares[: count * n]
            out = self._out[:count]
            kernels.scale_shift_fwd(rows, rows, self._ones, self._minus, count, n)
            kernels.mul_f32(squares, rows, rows)
            kernels.global_avgpool_fwd(out, squares, count, n, 1)
            if len(best) < self._most or min(out) < best[-1]:
                best = sorted(best + list(out))[: self._most]
        return self._mean_of(best)

    def _intact(self, count):
        """Reads the first `count` records of _read; how many of them are intact, which come first
        then."""
        at = self._reader.read(0, count)
        while at < count:
            count -= 1
            self._read[at] = self._read[count]
            at = self._reader.read(at, count - at)
        return count

    def _mean_of(self, squares):
        """The mean of distances, from means of squares."""
        values = array("f", squares)
        kernels.scale_f32(values, values, self._size)
        kernels.sqrt_f32(values, values)
        kernels.global_avgpool_fwd(self._mean, values, 1, len(values), 1)
        return self._mean[0]

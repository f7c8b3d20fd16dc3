"""The memory of a learner: laid out by plan.py, allocated once, handed out as windows."""

from array import array

from .backend import kernels
from .compat import bytes_of, heap_free
from .errors import FitError


class Arena:
    """One block of float32 memory, and the int32 constants beside it.

    MicroPython cannot see one buffer under two typecodes, but it can see any buffer as
    bytes: float32 and int8 tensors share the one block, int32 constants have their own.

    plan: plan.Plan. available: bytes that may be used; None asks the heap.
    Raises FitError before allocating when it does not fit.
    """

    def __init__(self, plan, available=None):
        if available is None:
            available = heap_free()
        if plan.total_bytes > available:
            raise FitError(
                "the model (batch %d)" % plan.batch,
                plan.total_bytes,
                available,
                "reduce the batch, the replay budget, or the adaptive stage",
            )
        try:
            # range() has a length: the array is allocated once, at its final size.
            self._f32 = array("f", range(plan.f32_elems))
            self._i32 = array("i", range(plan.i32_elems))
        except MemoryError:
            raise FitError(
                "the arena, in one piece,",
                plan.f32_elems * 4,
                available,
                "the heap is fragmented: reset the board and open the model first",
            )
        kernels.zero_f32(self._f32)
        self._floats = memoryview(self._f32)
        self._bytes = memoryview(bytes_of(self._f32))
        self._ints = memoryview(self._i32)
        self._offsets = plan.offsets

    def f32(self, name, start=0, elems=None):
        """A float32 window of buffer `name`, from element `start`, of `elems` elements."""
        offset, size = self._offsets[name]
        if elems is None:
            elems = size // 4 - start
        first = offset // 4 + start
        return self._floats[first : first + elems]

    def i8(self, name, start=0, elems=None):
        """A byte window of buffer `name`."""
        offset, size = self._offsets[name]
        if elems is None:
            elems = size - start
        return self._bytes[offset + start : offset + start + elems]

    def i32(self, name):
        """An int32 window of the constants `name`."""
        offset, size = self._offsets[name]
        return self._ints[offset // 4 : (offset + size) // 4]

    def close(self):
        """Forgets the names, which only set-up needs."""
        self._offsets = None

"""The memory of a learner: one block, laid out before it is allocated, handed out as windows."""

from array import array

from ..backend import kernels
from ..compat import bytes_of, heap_free
from ..errors import FitError

_ITEM_BYTES = {"f32": 4, "i32": 4, "i8": 1}


class Arena:
    """One block of memory, allocated as float32.

    MicroPython cannot see one buffer under two typecodes, but it can see any buffer as bytes. So
    float32 windows are of float32, int8 and int32 ones of bytes: kernels take both as they are.

    needs: layout.Needs. available: bytes that may be used; None asks the heap. lay_out() comes
    before window(): a board has room for the block while little else is there.
    Raises FitError before allocating when the block does not fit.
    """

    def __init__(self, needs, available=None):
        free = heap_free()
        if available is None:
            available = free
        if needs.total_bytes > available:
            raise FitError(
                "the model (batch %d)" % needs.batch,
                needs.total_bytes,
                available,
                "reduce the batch, the replay budget, or the adaptive stage",
            )
        try:
            # range() has a length: the array is allocated once, at its final size.
            block = array("f", range(needs.block_bytes // 4))
        except MemoryError:
            raise FitError(
                "the arena, in one piece,",
                needs.block_bytes,
                available,
                "the heap is fragmented: reset the board and open the model first",
            )
        kernels.zero_f32(block)
        self._floats = memoryview(block)
        self._bytes = memoryview(bytes_of(block))
        self._offsets = None

    def lay_out(self, offsets):
        """Takes the places of the buffers: the offsets of the Layout with these needs."""
        self._offsets = offsets

    def adopt(self, name, memory):
        """Buffer `name`, which has no bytes of the block, lies in other memory (bytes)."""
        self._offsets[name] = (self._offsets[name][0], memory, len(memory))

    def window(self, name, start=0, elems=None):
        """A window of buffer `name` from element `start` on, of `elems` elements; None: all."""
        kind, offset, nbytes = self._offsets[name]
        size, memory = _ITEM_BYTES[kind], self._bytes
        if not isinstance(offset, int):  # adopted
            memory, offset = offset, 0
        if elems is None:
            elems = nbytes // size - start
        first, n = offset + start * size, elems * size
        if kind == "f32":
            return self._floats[first // 4 : (first + n) // 4]
        return memory[first : first + n]

    def close(self):
        """Forgets the names, which only set-up needs."""
        self._offsets = None

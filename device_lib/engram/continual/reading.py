"""Latents, labels and targets from the replay store straight into a mini-batch."""

from array import array

from ..backend import kernels
from ..errors import DataError, StoreError


class LatentReader:
    """Reads records of a store into the rows of a batch. Reading allocates nothing.

    store   store.ReplayStore
    out     (batch, latent) float32 or int8, written
    labels  (batch) uint8, written
    slots   (batch) int32: which records
    codes   what each code of a packed latent stands for, in elements of out: code_values() or
            the integers of them
    targets (batch, n) float32, written: for a store of n targets; else None
    again   where read_again() puts latents, as out; None without

    Flash that the processor sees as memory is read where it lies, a batch at a time; other flash
    goes through the store's buffer, a record at a time.
    """

    def __init__(self, store, out, labels, slots, codes, targets=None, again=None):
        self._store, self._out, self._labels, self._slots = store, out, labels, slots
        self._again = again
        expected, room = store.targets * len(slots), 0 if targets is None else len(targets)
        if room != expected:
            raise DataError(
                "expected a buffer for %d targets, %d for each of %d records, got one for %d; "
                "give the reader a row of targets per row of the batch"
                % (expected, store.targets, len(slots), room)
            )
        self._targets = targets
        self._codes = codes
        integer = isinstance(codes, bytearray)
        self._kernel = kernels.gather_codes if integer else kernels.gather_latents
        self._log = store.mapped
        self._layout = store.gather_layout()

    def rows(self):
        """Rows of a tape that reads the whole batch and returns what read() would; None where the
        processor does not see the flash."""
        if self._log is None:
            return None
        where = (self._log, self._slots, self._layout)
        count, rows = len(self._slots), []
        if self._targets is not None:
            rows.append((kernels.gather_targets, self._targets) + where + (0, count))
        latents = (self._kernel, self._out, self._labels) + where
        return rows + [latents + (self._codes, 0, count)]

    def read(self, at, count):
        """Rows at .. at + count - 1. Returns at + count, or the first row whose record is deleted
        or damaged."""
        return self._read(self._out, at, count)

    def read_again(self):
        """The latents of the whole batch into `again`. Raises StoreError where a record that was
        intact is no more."""
        end = self._read(self._again, 0, len(self._slots))
        if end < len(self._slots):
            raise StoreError(
                "expected record %d as it was read a moment ago, got a damaged one; load() the "
                "last saved state and check the flash with `engram info`" % self._slots[end]
            )

    def _read(self, out, at, count):
        store = self._store
        if self._log is not None:
            return self._gather(out, self._log, at, count)
        for row in range(at, at + count):
            store.fetch(self._slots[row])
            if self._gather(out, store.fetched, row, 1) == row:
                return row
        return at + count

    def _gather(self, out, raw, at, count):
        slots, layout = self._slots, self._layout
        end = self._kernel(out, self._labels, raw, slots, layout, self._codes, at, count)
        if self._targets is not None:
            kernels.gather_targets(self._targets, raw, slots, layout, at, end - at)
        return end


def code_values(qp, bits):
    """array('f') of 2**bits: what each code of a packed latent stands for."""
    codes = array("f", range(1 << bits))
    window = memoryview(codes)
    one = bytearray(1)
    for code in range(1 << bits):
        one[0] = code
        kernels.unpack_f32(window[code : code + 1], one, qp, bits)
    return codes

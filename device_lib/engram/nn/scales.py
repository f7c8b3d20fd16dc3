"""The scales of q8 tensors while a learner lives: what is noted of them, how they find their size.

A record is 6 ints (memory/record.py); a window of records is bytes.
"""

import struct

from ..backend import kernels
from ..memory.record import COUNTED, EXPONENT, LARGEST, RANGE, RECORD

_BYTES = 4 * RECORD
_LIFT, _HIGHEST = 8, 24  # of exponents of values that are zeros as far as a record can tell


class Scales:
    """The scales of values and gradients of a stage.

    records, errors: windows of their records. followed: how many of `records` follow their values;
    then come those of the latent and of weights. names: of all records, those of errors last.

    .names      "v:" of values, "w:" of weights with the name of a node, "d:" of gradients
    .settled    whether the values' exponents have been found on a learning run
    """

    def __init__(self, records, errors, followed, names):
        self.records, self.errors, self.names = records, errors, names
        self.values = records[: followed * _BYTES]
        self.weights = records[followed * _BYTES :]
        self.loaded()

    def place(self, i):
        """(window, number of the record in it) of a name."""
        n = len(self.records) // _BYTES
        return (self.records, i) if i < n else (self.errors, i - n)

    def loaded(self):
        """The records are those of a saved state, or of the model file."""
        self.settled = not len(self.values) or numbers(self.values, 0)[RANGE] != 0

    def settle(self, run, passes, all=False):
        """Finds exponents that fit what run() computes, in at most `passes` runs of it.

        all: those of gradients too, and of values where no learning run has found them: these
        count as found then. Else values alone, for one prediction.
        """
        windows = [] if self.settled else [self.values]
        for window in windows:  # what was predicted before has no part in what is found
            _set(window, EXPONENT)
        for _ in range(passes):
            kernels.clear_q8(self.records)
            kernels.clear_q8(self.errors)
            for window in windows + ([self.errors] if all else []):
                _set(window, RANGE)
            run()
            moved = 0
            for window in windows + ([self.errors] if all else []):
                moved += kernels.follow_q8(window) + _lift(window)
            if not moved:
                break
        if all:
            self.settled = True
        else:
            for window in windows:
                _set(window, RANGE)


def _set(window, entry):
    """Sets an entry of all records to 0: of RANGE, that it is not known."""
    for at in range(4 * entry, len(window), _BYTES):
        struct.pack_into("i", window, at, 0)


def _lift(window):
    """Raises the exponents of records that noted zeros alone: the values may be too small for
    them. Returns how many rose."""
    lifted = 0
    for at in range(0, len(window), _BYTES):
        record = struct.unpack_from("6i", window, at)
        exponent = record[EXPONENT]
        if record[COUNTED] and not (record[LARGEST] or record[RANGE]) and exponent < _HIGHEST:
            struct.pack_into("i", window, at + 4 * EXPONENT, exponent + _LIFT)
            lifted += 1
    return lifted


def numbers(window, index):
    """The numbers of record `index` of a window: a tuple of 6 ints."""
    return struct.unpack_from("6i", window, index * _BYTES)

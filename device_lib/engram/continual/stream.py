"""How far a stream of tasks has come: saved behind the learned state, so that it can go on."""

import struct

_HEAD = "<II"  # id, sequence number of the store's next record


class Stream:
    """A stream that has a name, and the accuracies that were measured in it.

    .id         u32 that whoever feeds the stream knows it by; 0: none
    .began_at   sequence number that the store's next record had when this was saved
    .matrix     AccuracyMatrix
    .saved      whether the last save had room for it
    """

    def __init__(self):
        self.begin(0)

    def begin(self, number):
        """Another stream: nothing was measured in it."""
        self.id = number
        self.began_at = 0
        self._matrix = None
        self.saved = False

    @property
    def matrix(self):
        if self._matrix is None:
            from .metrics import AccuracyMatrix  # code that many a learner never needs

            self._matrix = AccuracyMatrix()
        return self._matrix

    def pack(self, next_sequence):
        """As bytes; b"" where there is nothing that a saved state without this would lack."""
        if not self.id and not (self._matrix and len(self._matrix)):
            return b""
        self.began_at = next_sequence
        return struct.pack(_HEAD, self.id, next_sequence) + self.matrix.pack()

    def unpack(self, raw, experience):
        """Takes over what pack() gave, b"" included, in the state after so many experiences.

        What was measured after the save stays, unless it belongs to experiences that are undone.
        """
        if self._matrix:
            self._matrix.forget_after(experience)
        if raw:
            self.id, self.began_at = struct.unpack(_HEAD, raw[: struct.calcsize(_HEAD)])
            self.matrix.unpack(raw[struct.calcsize(_HEAD) :])
        self.saved = bool(raw)

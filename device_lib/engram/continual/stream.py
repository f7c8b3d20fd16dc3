"""How far a stream of tasks has come: saved behind the learned state, so that it can go on."""

import struct

from .metrics import AccuracyMatrix

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
        self.matrix = AccuracyMatrix()
        self.saved = False

    def pack(self, next_sequence):
        """As bytes; b"" where there is nothing that a saved state without this would lack."""
        if not self.id and not len(self.matrix):
            return b""
        self.began_at = next_sequence
        return struct.pack(_HEAD, self.id, next_sequence) + self.matrix.pack()

    def unpack(self, raw, experience):
        """Takes over what pack() gave, b"" included, in the state after so many experiences.

        What was measured after the save stays, unless it belongs to experiences that are undone.
        """
        self.matrix.forget_after(experience)
        if raw:
            self.id, self.began_at = struct.unpack(_HEAD, raw[: struct.calcsize(_HEAD)])
            self.matrix.unpack(raw[struct.calcsize(_HEAD) :])
        self.saved = bool(raw)

"""How far a stream of sessions has come: saved behind the learned state, so that it can go on."""

import struct

_HEAD = "<II"  # id, sequence number of the store's next record
# Facts, in the shape of a row of the matrix that no session has: sessions that had ended when
# the stream began, sessions of the stream, a bit for each class learned before that it tests.
_FACTS = "<HHII16s"
_FACTS_MARK = (65535, 3)


class Stream:
    """A stream that has a name, and the accuracies that were measured in it.

    .id         u32 that whoever feeds the stream knows it by; 0: none
    .began      sessions that had ended when it began: rows of the matrix count from there
    .sessions   how many it has; 0: not known
    .known      bytes, a bit a class: those learned before that it tests; b"": its own alone
    .began_at   sequence number that the store's next record had when this was saved
    .matrix     AccuracyMatrix
    .saved      whether the last save had room for it
    """

    def __init__(self):
        self.begin(0)

    def begin(self, number, began=0, sessions=0, known=b""):
        """Another stream: nothing was measured in it."""
        self.id, self.began, self.sessions, self.known = number, began, sessions, known
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
        raw = struct.pack(_HEAD, self.id, next_sequence)
        if self.began or self.sessions:
            facts = _FACTS_MARK + (self.began, self.sessions, self.known)
            raw += struct.pack(_FACTS, *facts)
        return raw + self.matrix.pack()

    def unpack(self, raw, session):
        """Takes over what pack() gave, b"" included, in the state after so many sessions.

        What was measured after the save stays, unless it belongs to sessions that are undone.
        """
        if self._matrix:
            self._matrix.forget_after(session - self.began)
        self.saved = bool(raw)
        if not raw:
            return
        self.id, self.began_at = struct.unpack(_HEAD, raw[: struct.calcsize(_HEAD)])
        raw = raw[struct.calcsize(_HEAD) :]
        self.began, self.sessions, self.known = 0, 0, b""
        if raw[:4] == struct.pack("<HH", *_FACTS_MARK):
            facts = struct.unpack(_FACTS, raw[: struct.calcsize(_FACTS)])
            self.began, self.sessions, known = facts[2:]
            self.known = known if any(known) else b""
            raw = raw[struct.calcsize(_FACTS) :]
        self.matrix.unpack(raw)

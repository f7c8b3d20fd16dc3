"""Continual-learning metrics, by the names and definitions of Avalanche.

matrix[i][j] is the accuracy on the test of session j after session i, or None where not evaluated.
start[j] is the accuracy on that test before anything was learned.
"""

import struct

_ROW = "<HH"  # session, how many accuracies follow
_CELL = "<d"  # an accuracy; NaN where none was measured
_NOT_MEASURED = float("nan")
_MAX_SESSION = 65535  # that a row has room for


def average_accuracy(matrix):
    """Mean of the last row."""
    row = [a for a in matrix[-1] if a is not None]
    return sum(row) / len(row)


def forgetting(matrix):
    """Mean over the tests before the last of (best accuracy so far - last accuracy).

    A test counts from the first session after which its samples had been learned: row i holds
    test j in its first position j <= i. 0.0 when there is only one session.
    """
    last = matrix[-1]
    losses = []
    for j in range(len(last) - 1):
        best = max([row[j] for row in matrix[:-1] if row[j] is not None] + [0.0])
        if last[j] is not None:
            losses.append(best - last[j])
    return sum(losses) / len(losses) if losses else 0.0


def backward_transfer(matrix):
    """Mean over the tests before the last of (last accuracy - accuracy just after its session).

    Lopez-Paz and Ranzato, "Gradient Episodic Memory" (NeurIPS 2017). None where nothing was
    learned after a test's session, as with a single test for all of them.
    """
    last = matrix[-1]
    gains = []
    for j in range(min(len(last), len(matrix)) - 1):
        own = _at(matrix[j], j)
        if own is not None and last[j] is not None:
            gains.append(last[j] - own)
    return sum(gains) / len(gains) if gains else None


def forward_transfer(matrix, start):
    """Mean over the tests after the first of (accuracy just before its session - at the start).

    The same source; the start is the model as it came to the board. None where it is not known.
    """
    gains = []
    for j in range(1, min(len(start), len(matrix))):
        before = _at(matrix[j - 1], j)
        if before is not None and start[j] is not None:
            gains.append(before - start[j])
    return sum(gains) / len(gains) if gains else None


def _at(row, j):
    return row[j] if j < len(row) else None


class AccuracyMatrix:
    """Accuracies as they are measured, and the figures that follow from them.

    Session 0, nothing learned yet, is the start; a row follows for each later one that was
    tested at least once.
    """

    def __init__(self):
        self._rows = {}

    def put(self, session, test, accuracy):
        """The accuracy on the test of a session, measured when `session` sessions had ended."""
        row = self._rows.setdefault(session, [])
        while len(row) <= test:
            row.append(None)
        row[test] = accuracy

    def __len__(self):
        """How many sessions were tested."""
        return len(self._rows)

    def pack(self):
        """As bytes: a row after the other. Rows of sessions beyond 65,535 are left out."""
        out = []
        for session in sorted(self._rows):
            if session > _MAX_SESSION:
                break
            row = self._rows[session]
            out.append(struct.pack(_ROW, session, len(row)))
            for accuracy in row:
                out.append(struct.pack(_CELL, _NOT_MEASURED if accuracy is None else accuracy))
        return b"".join(out)

    def unpack(self, raw):
        """Enters the bytes of pack(); accuracies that are here already stay."""
        at = 0
        while at < len(raw):
            session, n = struct.unpack_from(_ROW, raw, at)
            at += struct.calcsize(_ROW)
            row = []
            for _ in range(n):
                accuracy = struct.unpack_from(_CELL, raw, at)[0]
                row.append(None if accuracy != accuracy else accuracy)
                at += struct.calcsize(_CELL)
            self._rows.setdefault(session, row)

    def forget_after(self, session):
        """Forgets the accuracies measured when more sessions than these had ended."""
        for key in [key for key in self._rows if key > session]:
            del self._rows[key]

    def summary(self):
        """{"matrix", "start", "average_accuracy", "forgetting", "backward_transfer",
        "forward_transfer"}; None where a figure needs what was not measured."""
        start = self._rows.get(0, [])
        matrix = [self._rows[session] for session in sorted(self._rows) if session]
        width = max([len(row) for row in matrix] + [len(start)])
        for row in matrix + [start]:
            row.extend([None] * (width - len(row)))
        result = {"matrix": matrix, "start": start}
        result["average_accuracy"] = average_accuracy(matrix) if matrix else None
        result["forgetting"] = forgetting(matrix) if matrix else None
        result["backward_transfer"] = backward_transfer(matrix) if matrix else None
        result["forward_transfer"] = forward_transfer(matrix, start) if matrix else None
        return result

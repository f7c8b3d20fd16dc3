"""Reads .npy files a row at a time: the data of a board is plain numpy files."""

import struct
from array import array

from .compat import files_root, npz
from .errors import DataError

# numpy dtype -> (bytes, maker of a buffer of n elements)
_DTYPES = {
    "|u1": (1, bytearray),
    "<f4": (4, lambda n: array("f", range(n))),
}


class NpyReader:
    """Rows of a C-ordered uint8 or float32 array of shape (N, ...).

    .shape, .dtype ("|u1" or "<f4"), .rows, .row_elems

    stream: seekable binary stream. Raises DataError on a file that is not this.
    Format: numpy.lib.format, versions 1 and 2.
    """

    def __init__(self, stream):
        self.stream = stream
        head = stream.read(8)
        if len(head) < 8 or head[:6] != b"\x93NUMPY":
            raise DataError("data file: expected .npy, got another kind; save it with numpy")
        wide = head[6] > 1
        size = stream.read(4 if wide else 2)
        if len(size) < (4 if wide else 2):
            raise DataError("data file: expected a whole header, got a part; push it again")
        (length,) = struct.unpack("<I" if wide else "<H", size)
        text = stream.read(length)
        if len(text) < length:
            raise DataError("data file: expected a whole header, got a part; push it again")
        text = text.decode()
        self.dtype = _field(text, "'descr': '", "'")
        if self.dtype not in _DTYPES or "'fortran_order': False" not in text:
            raise DataError(
                "data file: expected C-ordered uint8 or float32, got %s" % self.dtype
            )
        dims = _field(text, "'shape': (", ")")
        self.shape = tuple([int(d) for d in dims.split(",") if d.strip()])
        if not self.shape:
            raise DataError("data file: expected an array of rows, got a scalar")
        self.rows = self.shape[0]
        self.row_elems = 1
        for d in self.shape[1:]:
            self.row_elems *= d
        self._first = 8 + len(size) + length
        self._row_bytes = self.row_elems * _DTYPES[self.dtype][0]
        end = stream.seek(0, 2)
        if end != self._first + self.rows * self._row_bytes:
            raise DataError(
                "data file: expected %d bytes for shape %s, got %d; push it again"
                % (self._first + self.rows * self._row_bytes, self.shape, end)
            )
        self.rewind()

    def row_buffer(self):
        """A buffer for one row, of the file's dtype."""
        return _DTYPES[self.dtype][1](self.row_elems)

    def rewind(self):
        self.stream.seek(self._first)

    def read_row(self, buf):
        """Reads the next row into `buf`, from row_buffer()."""
        if self.stream.readinto(buf) != self._row_bytes:
            raise DataError("data file: expected %d rows, got fewer; push it again" % self.rows)


class Samples:
    """Labelled samples: a file of inputs, and a file of their labels or targets.

    y: labels, uint8 (N,), or the targets of a regression, float32 (N, ...). targets: the latter
    beside labels, for a model that does both; None without. Raises DataError.
    """

    def __init__(self, x_stream, y_stream, targets_stream=None):
        self.x = NpyReader(x_stream)
        self._answers = [self._answer(y_stream, "labels", targets_stream is None)]
        if targets_stream is not None:
            self._answers.append(self._answer(targets_stream, "targets", True))
        self._buf = self.x.row_buffer()

    def _answer(self, stream, what, may_regress):
        """(reader, buffer of a row) of labels, or where a model may regress of targets."""
        y = NpyReader(stream)
        is_label = y.dtype == "|u1" and y.row_elems == 1 and what == "labels"
        if y.rows != self.x.rows or not (is_label or (may_regress and y.dtype == "<f4")):
            expected = [] if what == "targets" else ["uint8 of shape (%d,)" % self.x.rows]
            if may_regress:
                expected.append("float32 of %d rows" % self.x.rows)
            raise DataError(
                "%s: expected %s, got %s of shape %s"
                % (what, " or ".join(expected), y.dtype, y.shape)
            )
        return y, y.row_buffer()

    def __len__(self):
        return self.x.rows

    def __iter__(self):
        """(x, y) pairs from the start, as Learner.observe() takes them: y is a label, targets or
        (label, targets). Inputs and targets are in buffers that are filled again and again."""
        self.x.rewind()
        for y, _ in self._answers:
            y.rewind()
        for _ in range(self.x.rows):
            self.x.read_row(self._buf)
            row = []
            for y, buf in self._answers:
                y.read_row(buf)
                row.append(buf[0] if y.dtype == "|u1" else buf)
            yield self._buf, row[0] if len(row) == 1 else tuple(row)


def open_samples(name):
    """The Samples that `engram push data` keeps as NAME.x.npy and NAME.y.npy, and where they have
    labels and targets as NAME.targets.npy; on a PC those of NAME.npz too.

    name: below the folder that a host pushes to, or as it is named. Raises DataError.
    """
    streams = npz(name)
    if streams is None:
        from .places import find

        streams = []
        for ending in (".x.npy", ".y.npy"):
            advice = "send it: engram push data FILE --name %s" % name
            path = find(name + ending, files_root(), DataError, advice)
            streams.append(open(path, "rb"))
        try:
            streams.append(open(path[:-6] + ".targets.npy", "rb"))
        except OSError:  # labels or targets alone
            pass
    return Samples(*streams)


def _field(text, before, after):
    at = text.find(before)
    if at < 0:
        raise DataError("data file: its .npy header lacks %s" % before.strip("'( :"))
    at += len(before)
    return text[at : text.index(after, at)]

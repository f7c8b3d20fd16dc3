"""Tapes of the kernels in Python: rows of calls that are made again and again.

The C kernels have the same three functions. They check a row when it is bound; here a row is
checked each time it runs.
"""


def _check_index(place, value, low, high):
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("%s: expected an int, got %s" % (place, type(value).__name__))
    if not low <= value <= high:
        raise ValueError("%s: expected an int from %d to %d, got %d" % (place, low, high, value))


def bind(rows):
    """A tape of rows. rows: a list or tuple of tuples (kernel, argument, ...)."""
    return [(row[0], row[1:]) for row in rows]


def run(tape, first=0, last=None):
    """Calls rows first to last - 1 of a tape in order, last None: to its end; returns what the
    last kernel returns.

    An error of a row is the kernel's own; the rows before it have run. Raises ValueError or
    TypeError where the tape has no such rows.
    """
    if last is None:
        last = len(tape)
    _check_index("run: first", first, 0, len(tape))
    _check_index("run: last", last, first, len(tape))
    result = None
    for i in range(first, last):
        kernel, args = tape[i]
        result = kernel(*args)
    return result


def put(tape, at, row):
    """Replaces row `at` of a tape by another of the same kernel. Raises ValueError or TypeError
    where there is no such row, ValueError where the kernel is another.
    """
    _check_index("put: at", at, 0, len(tape) - 1)
    kernel = tape[at][0]
    if row[0] is not kernel:
        name = getattr(row[0], "__name__", row[0])
        raise ValueError("put: row %d: expected %s, got %s" % (at, kernel.__name__, name))
    tape[at] = kernel, row[1:]

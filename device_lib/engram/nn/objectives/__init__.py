"""Objectives: the losses that outputs are trained for, one per file, found by name.

Such a file has

    STATS      numbers that its loss kernel writes, the sum of the losses first
    EXPECTED   the buffer of what is expected: "labels" or "targets"
    loss(gradient, stats, out, expected, batch, n), answer(out, n)   rows of kernels
    value(window)           what predict() answers

scores.py has what evaluate() counts.
"""

from ...errors import ModelError

NAMES = ("classify", "regress")


def load(name):
    """The module of an objective. Raises ModelError."""
    if name not in NAMES:
        raise ModelError("expected an objective of %s, got %s" % (", ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("value",))

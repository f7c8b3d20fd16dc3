"""Modules of engram.watch that firmware with little flash lacks (SHORT in manifest.py)."""

from ..errors import DataError


def part(name, does):
    """A module of engram.watch. does: what it is for, as a verb and its object. Raises DataError
    where the firmware was built without it."""
    try:
        return __import__("engram.watch." + name, None, None, ("part",))
    except ImportError:
        raise DataError(
            "expected firmware that %s, got one with a short library, as little flash holds no "
            "more; take MicroPython's own firmware and `engram install --kernels all`" % does
        )

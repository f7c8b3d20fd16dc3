"""Flash of a SAMD board: the serial flash that the port's driver reads by commands."""

from _part import Part
from engram_firmware import ERASE_BYTES
from samd import Flash as _Flash


def Flash(start, length):
    """Block device of `length` bytes from the start of the data flash on; not mapped."""
    return Part(_Flash(), start // ERASE_BYTES, length // ERASE_BYTES, ERASE_BYTES)

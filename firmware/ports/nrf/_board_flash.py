"""Flash of the nRF52 behind the firmware: a part of it is named by its address."""

from _part import Part
from engram_firmware import DATA_AT, ERASE_BYTES
from nrf import Flash as _Flash


def Flash(start, length):
    """Block device of `length` bytes from the start of the data flash on; mapped."""
    at = DATA_AT + start
    return Part(_Flash(start=at, len=length), 0, length // ERASE_BYTES, ERASE_BYTES, at)

"""This board, as the library sees it. Sizes in bytes."""

from _board import COUNTER_KIND, COUNTER_UNIT, ERASE_BYTES, FS_BYTES, NAME, PROGRAM_BYTES
from _board import STORE_BYTES, Flash, counter, memory

FS_ROOT = "/flash"


def fs_device():
    """Block device of the file system (mounted at FS_ROOT by _boot)."""
    return Flash(0, FS_BYTES)


def store_device():
    """Block device of the replay region, extended protocol, NOR rules."""
    return Flash(FS_BYTES, STORE_BYTES)

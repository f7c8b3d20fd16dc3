"""Flash of an i.MX RT: the serial flash, where the port keeps files behind the firmware. The
processor sees it; the port's driver empties the data cache when it has changed something."""

from _part import Part
from engram_firmware import DATA_AT, ERASE_BYTES
from mimxrt import Flash as _Flash


def Flash(start, length):
    """Block device of `length` bytes from the start of the data flash on; mapped."""
    first, count = start // ERASE_BYTES, length // ERASE_BYTES
    return Part(_Flash(), first, count, ERASE_BYTES, DATA_AT + start)

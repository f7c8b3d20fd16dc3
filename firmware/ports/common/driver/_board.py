"""Module _board where the flash has a driver of the port's: what modboard.c is on other boards."""

import gc
from time import ticks_us as counter

from _board_flash import Flash
from engram_firmware import BOARD as NAME
from engram_firmware import ERASE_BYTES, FS_BYTES, MAX_PAYLOAD_BYTES, PROGRAM_BYTES, PROGRAM_ONCE
from engram_firmware import STORE_BYTES

COUNTER_KIND = "device"
COUNTER_UNIT = "us"


def memory():
    """Sizes in bytes: heap. The port does not tell the rest."""
    heap = gc.mem_alloc() + gc.mem_free()
    return {"ram": heap, "heap": heap}

"""The geometry of a block device's flash: asked at run time, the rest given by the caller.

MicroPython's extended block-device protocol tells the erase unit (ioctl 5) but neither how much
is programmed at once nor whether a word may be programmed twice between erases. Both are taken
from the attributes program_bytes and program_once of the device, else from the caller. They are
not tried out: drivers take whole pages for granted (RP2040), and a word with ECC that was
programmed twice cannot be read without a fault on some chips (STM32H7).
"""

from ..errors import StoreError

_INIT, _COUNT, _SIZE = 1, 4, 5
_DEFAULT_BLOCK_BYTES = 512  # of the protocol, where ioctl 5 answers None
_ADVICE = (
    ": pass the part of the flash itself, as in rp2.Flash(start=, len=), esp32.Partition or a "
    "driver for SPI flash; pyb.Flash only where it lies on external flash, with start= and len=; "
    "no SD card and no RAM disk"
)


class Geometry:
    """Flash as its device and the caller describe it.

    blocks         erase units
    erase_bytes    bytes of an erase unit
    program_bytes  programs start and end on multiples of it
    once           True: no page of program_bytes may be programmed twice between erases
    """

    def __init__(self, dev, program_bytes=None, once=None):
        """program_bytes, once: None for what the device says. Raises StoreError when neither
        says it, when both do and the caller's would harm, and when the device is no flash with
        the extended protocol."""
        self.blocks, self.erase_bytes = extended(dev)
        own = getattr(dev, "program_bytes", None)
        page = self.program_bytes = own if program_bytes is None else program_bytes
        if page is None:
            raise StoreError(
                "expected program_bytes, how many bytes this flash programs at once: 256 on most "
                "serial NOR flash, 4 on nRF52, 8 on STM32L4; got none, and the device has no "
                "attribute of that name"
            )
        if not 1 <= page <= self.erase_bytes or self.erase_bytes % page:
            raise StoreError(
                "program_bytes must divide the erase unit of %d bytes; %d does not"
                % (self.erase_bytes, page)
            )
        if own and page % own:
            raise StoreError(
                "expected a multiple of the device's own program_bytes of %d, got %d"
                % (own, page)
            )
        own = getattr(dev, "program_once", None)
        self.once = own if once is None else once
        if self.once is None:
            raise StoreError(
                "expected align, whether no page may be programmed twice between erases: False "
                "for serial NOR flash, True for flash with ECC (STM32 L4, G4, H7); got none, and "
                "the device has no attribute program_once"
            )
        if own and not self.once:
            raise StoreError(
                "expected align=True, got False; the device says that a page is programmed only "
                "once between erases"
            )


def extended(dev):
    """(blocks, bytes of one) of a device, which is told that the extended protocol is used.

    Told first: pyb.Flash counts in other blocks from then on. Raises StoreError when the device
    has only the simple protocol, which hides erase units behind a cache.
    """
    answer = dev.ioctl(_INIT, 1)
    if answer:
        raise StoreError(
            "this block device refuses the extended protocol, ioctl(1, 1) answered %r: it caches "
            "whole blocks, and a power cut would lose what was acknowledged%s" % (answer, _ADVICE)
        )
    blocks, size = dev.ioctl(_COUNT, 0), dev.ioctl(_SIZE, 0)
    if not blocks or size == 0:
        raise StoreError(
            "expected a block device with a block count and a block size (ioctl 4 and 5), "
            "got %r and %r" % (blocks, size)
        )
    try:
        answer = dev.readblocks(0, bytearray(1), 0)
    except (TypeError, OSError) as error:
        answer = repr(error)
    if answer:
        raise StoreError(
            "this block device has only the simple protocol, readblocks(0, buf, 0) of one byte "
            "gave %s%s" % (answer, _ADVICE)
        )
    return blocks, size or _DEFAULT_BLOCK_BYTES


def no_flash(what):
    """StoreError for a device that took the extended protocol but does not behave as flash."""
    return StoreError("this block device %s%s" % (what, _ADVICE))

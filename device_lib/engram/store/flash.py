"""Whole-page programming, erasing and checking on an extended block device."""

from ..errors import StoreError
from .format import round_up

_IOCTL_INIT, _IOCTL_SYNC, _IOCTL_COUNT, _IOCTL_SIZE, _IOCTL_ERASE = 1, 3, 4, 5, 6


class Flash:
    """A block device seen as NOR flash.

    dev: readblocks(n, buf, off), writeblocks(n, buf, off), ioctl(op, arg) as in
    MicroPython's vfs documentation. program_bytes: a program's offset and length are
    multiples of it. The rest of a page is filled with ones, which leave bits alone.

    blocks, erase_bytes: geometry. programmed: bytes given to the device so far, whole pages.
    erases: units erased so far.
    """

    def __init__(self, dev, program_bytes):
        dev.ioctl(_IOCTL_INIT, 1)
        self.dev = dev
        self.blocks = dev.ioctl(_IOCTL_COUNT, 0)
        self.erase_bytes = dev.ioctl(_IOCTL_SIZE, 0)
        if not self.blocks or not self.erase_bytes:
            raise StoreError(
                "a block device with a block count and a block size expected (ioctl 4 and 5), "
                "%r and %r came" % (self.blocks, self.erase_bytes)
            )
        if not 1 <= program_bytes <= self.erase_bytes or self.erase_bytes % program_bytes:
            raise StoreError(
                "program_bytes must divide the erase unit of %d bytes; %d does not"
                % (self.erase_bytes, program_bytes)
            )
        self.program_bytes = program_bytes
        self.programmed = 0
        self.erases = 0
        self._pages = bytearray(0)

    def read(self, block, buf, offset):
        """Fills buf from `offset` of a block; offset and length may be any."""
        self.dev.readblocks(block, buf, offset)

    def program(self, block, data, offset):
        """Programs data at `offset`, padded with ones to whole pages."""
        page = self.program_bytes
        start = offset // page * page
        end = round_up(offset + len(data), page)
        if len(self._pages) < end - start:
            self._pages = bytearray(end - start)
        window = memoryview(self._pages)[: end - start]
        for i in range(offset - start):
            window[i] = 0xFF
        window[offset - start : offset - start + len(data)] = data
        for i in range(offset - start + len(data), end - start):
            window[i] = 0xFF
        self.programmed += end - start
        self.dev.writeblocks(block, window, start)
        self.dev.ioctl(_IOCTL_SYNC, 0)

    def erase(self, block):
        """Erases a block; whether it then reads as ones."""
        self.erases += 1
        self.dev.ioctl(_IOCTL_ERASE, block)
        self.dev.ioctl(_IOCTL_SYNC, 0)
        return self.is_blank(block)

    def is_blank(self, block, offset=0):
        """Whether a block reads as ones from an offset on."""
        chunk = bytearray(min(256, self.erase_bytes - offset))
        ones = b"\xff" * len(chunk)
        while offset < self.erase_bytes:
            if offset + len(chunk) > self.erase_bytes:
                chunk = bytearray(self.erase_bytes - offset)
                ones = b"\xff" * len(chunk)
            self.read(block, chunk, offset)
            if chunk != ones:
                return False
            offset += len(chunk)
        return True

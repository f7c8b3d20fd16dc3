"""Whole-page programming, erasing and checking on an extended block device."""

from ..errors import StoreError
from .format import round_up
from .geometry import Geometry

_IOCTL_SYNC, _IOCTL_ERASE = 3, 6


class Flash:
    """A block device seen as NOR flash.

    dev: readblocks(n, buf, off), writeblocks(n, buf, off), ioctl(op, arg) as in
    MicroPython's vfs documentation. program_bytes: a program's offset and length are
    multiples of it; None for what the device says. The rest of a page is filled with ones, which
    leave bits alone. once: True where the caller programs no page twice between erases, False
    where it does, None where it does unless the device forbids it. beat: None, or called after
    each program and erase: many of them take long, and a host may wait for a sign of life.

    blocks, erase_bytes, once: geometry. programmed: bytes given to the device so far, whole
    pages. erases: units erased so far. mapped: the device as memory (memoryview), None where the
    processor cannot see it.
    """

    def __init__(self, dev, program_bytes=None, once=True, beat=None):
        geometry = Geometry(dev, program_bytes, once)
        self.dev = dev
        self.blocks = geometry.blocks
        self.erase_bytes = geometry.erase_bytes
        self.program_bytes = geometry.program_bytes
        self.once = geometry.once
        self.programmed = 0
        self.erases = 0
        self.answer = 0
        self.mapped = mapping(dev)
        self.beat = beat or _silent
        self._pages = bytearray(0)
        self._ones = memoryview(b"\xff" * min(256, self.erase_bytes))

    def read(self, block, buf, offset):
        """Fills buf from `offset` of a block; offset and length may be any."""
        self.dev.readblocks(block, buf, offset)

    def program(self, block, data, offset):
        """Programs data at `offset`, padded with ones to whole pages; what the device answers.

        It is in flash then, not in a cache of the driver. StoreError where the device cannot say
        so. Whether it took is for the caller to read: cells fail without an answer.
        """
        page = self.program_bytes
        start = offset // page * page
        size = round_up(offset + len(data), page) - start
        if size != len(data):
            data = self._padded(data, offset - start, size)
        self.programmed += size
        answer = self.dev.writeblocks(block, data, start)
        self._sync()
        return answer

    def _sync(self):
        self.beat()
        answer = self.dev.ioctl(_IOCTL_SYNC, 0)
        if answer:
            raise StoreError(
                "the device could not write what it caches: ioctl(3, 0) answered %r" % answer
            )

    def _padded(self, data, at, size):
        """data from offset `at` on in a window of `size` ones."""
        if len(self._pages) < size:
            self._pages = bytearray(size)
        window = memoryview(self._pages)[:size]
        end = 0
        while end < size:
            n = min(size - end, len(self._ones))
            window[end : end + n] = self._ones[:n]
            end += n
        window[at : at + len(data)] = data
        return window

    def erase(self, block):
        """Erases a block; whether it then reads as ones. What the device answers is in .answer."""
        self.erases += 1
        self.answer = self.dev.ioctl(_IOCTL_ERASE, block)
        self._sync()
        return not self.answer and self.is_blank(block)

    def is_blank(self, block, offset=0):
        """Whether a block reads as ones from an offset on."""
        chunk = memoryview(bytearray(len(self._ones)))
        while offset < self.erase_bytes:
            n = min(self.erase_bytes - offset, len(chunk))
            part = chunk[:n]
            self.read(block, part, offset)
            if part != self._ones[:n]:
                return False
            offset += n
        return True


def _silent():
    pass


def mapping(dev):
    """The memory of a device that the processor sees, as a memoryview; None for others.

    rp2.Flash and the boards of ours have the buffer protocol; what wraps a device in Python has a
    method of this name.
    """
    if hasattr(dev, "mapping"):
        return dev.mapping()
    try:
        return memoryview(dev)
    except TypeError:
        return None

"""NOR flash on hosts that have none: in RAM, or in a file."""

import os

from .nor import anded


class RamFlash:
    """NOR flash in RAM: erased to ones, programming only clears bits, in whole pages.

    blocks of erase_bytes; program_bytes: programs start and end on multiples of it.
    program_once: what is said of programming a page twice between erases, which works here.
    A program that would set a bit is refused with OSError, a byte of ones changes nothing.
    """

    def __init__(self, blocks, erase_bytes=4096, program_bytes=256, program_once=False):
        self.blocks = blocks
        self.erase_bytes = erase_bytes
        self.program_bytes = program_bytes
        self.program_once = program_once
        self.data = bytearray(blocks * erase_bytes)
        self._view = memoryview(self.data)
        for at in range(0, len(self.data), erase_bytes):
            self.data[at : at + erase_bytes] = b"\xff" * erase_bytes

    def mapping(self):
        return self._view

    def _at(self, block, offset, length):
        if not 0 <= block < self.blocks or not 0 <= offset <= self.erase_bytes - length:
            raise OSError(22, "bytes %d..%d of block %d" % (offset, offset + length, block))
        return block * self.erase_bytes + offset

    def readblocks(self, block, buf, offset=0):
        at = self._at(block, offset, len(buf))
        buf[:] = self._view[at : at + len(buf)]

    def writeblocks(self, block, buf, offset):
        if offset % self.program_bytes or len(buf) % self.program_bytes:
            raise OSError(22, "whole pages of %d bytes" % self.program_bytes)
        at = self._at(block, offset, len(buf))
        self._store(at, anded(self.data, at, buf))

    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.erase_bytes
        if op == 6:
            self._store(self._at(arg, 0, self.erase_bytes), b"\xff" * self.erase_bytes)
        return 0

    def _store(self, at, data):
        self.data[at : at + len(data)] = data


class FileFlash(RamFlash):
    """NOR flash in a host file, created blank when there is none.

    Every program and erase reaches the operating system before the call returns, so that the
    file survives the end of the process at any instant.
    """

    def __init__(self, path, blocks, erase_bytes=4096, program_bytes=256, program_once=False):
        super().__init__(blocks, erase_bytes, program_bytes, program_once)
        try:
            size = os.stat(path)[6]
        except OSError:
            size = 0
        if size == 0:
            with open(path, "wb") as file:
                file.write(self.data)
        elif size != len(self.data):
            raise OSError(
                22, "%s: expected a flash of %d bytes, got %d" % (path, len(self.data), size)
            )
        # buffering=0 is unknown to MicroPython, whose files never buffer.
        self._file = _open_raw(path)
        self._file.readinto(self.data)

    def _store(self, at, data):
        super()._store(at, data)
        self._file.seek(at)
        self._file.write(data)

    def close(self):
        self._file.close()


def _open_raw(path):
    try:
        return open(path, "r+b", 0)
    except TypeError:
        return open(path, "r+b")

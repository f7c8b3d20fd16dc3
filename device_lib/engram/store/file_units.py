"""NOR flash of files: an erase unit is a file, for boards whose file system has all of the flash.

What is programmed is in the file system when the call returns; how much a power cut can take of
it then is the file system's promise (littlefs: nothing). A file holds what was programmed of its
unit, from the unit's start on; the rest of the unit is blank. A unit without a file is blank: to
look at a hundred of those, as a mount does, takes no time.
"""

import os

from .nor import anded

_HELD = 1  # files that stay open: each takes more than 1 kB of heap
_ONES = memoryview(b"\xff" * 256)  # kept: a mount reads blank units all over


class FileUnits:
    """blocks units of erase_bytes in `folder`, which is made if need be.

    program_bytes, program_once: any byte may be programmed, and again, as long as bits are only
    cleared. A program that would set a bit is refused with OSError. OSError too when the file
    system is full: nothing reserves the room of units that are blank.
    """

    def __init__(self, folder, blocks, erase_bytes=4096):
        self.folder = folder
        self.blocks = blocks
        self.erase_bytes = erase_bytes
        self.program_bytes = 1
        self.program_once = False
        self._open = []  # (block, file), the one used last at the end
        self._there = bytearray(blocks)  # 1: the unit has a file
        try:
            os.mkdir(folder)
        except OSError:
            for name in os.listdir(folder):  # OSError unless it is there
                if name.isdigit() and int(name) < blocks:
                    self._there[int(name)] = 1

    def mapping(self):
        """None: files are no memory."""
        return None

    def _path(self, block):
        return "%s/%d" % (self.folder, block)

    def _file(self, block):
        """The open file of a unit, made if there is none."""
        for i in range(len(self._open)):
            if self._open[i][0] == block:
                pair = self._open.pop(i)
                self._open.append(pair)
                return pair[1]
        if len(self._open) == _HELD:
            self._open.pop(0)[1].close()
        file = open(self._path(block), "r+b" if self._there[block] else "w+b")
        self._there[block] = 1
        self._open.append((block, file))
        return file

    def _check(self, block, offset, length):
        if not 0 <= block < self.blocks or not 0 <= offset <= self.erase_bytes - length:
            raise OSError(22, "bytes %d..%d of unit %d" % (offset, offset + length, block))

    def readblocks(self, block, buf, offset=0):
        self._check(block, offset, len(buf))
        n = 0
        if self._there[block]:
            file = self._file(block)
            file.seek(offset)
            n = file.readinto(buf) or 0
        while n < len(buf):
            count = min(len(buf) - n, len(_ONES))
            buf[n : n + count] = _ONES[:count]
            n += count

    def writeblocks(self, block, buf, offset):
        self._check(block, offset, len(buf))
        file = self._file(block)
        end = file.seek(0, 2)
        if end < offset:
            file.write(b"\xff" * (offset - end))
        elif end > offset:
            file.seek(offset)
            buf = anded(file.read(len(buf)) + b"\xff" * len(buf), 0, buf)
            file.seek(offset)
        file.write(buf)
        file.flush()

    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.erase_bytes
        if op == 6:
            self._check(arg, 0, self.erase_bytes)
            self._open = [pair for pair in self._open if pair[0] != arg or pair[1].close()]
            if self._there[arg]:
                os.remove(self._path(arg))
                self._there[arg] = 0
        return 0

    def release(self):
        """Closes the files, which are opened again when they are needed."""
        while self._open:
            self._open.pop()[1].close()

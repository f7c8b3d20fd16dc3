"""A file of this computer as memory."""

import mmap

from ..errors import ModelError


class Mapped(mmap.mmap):
    """A file as memory (.mapped) and as a stream, which lasts as long as a view of it does."""

    @classmethod
    def of(cls, path):
        """The file at `path`. Raises ModelError where it is empty."""
        with open(path, "rb") as file:
            if not file.read(1):
                raise ModelError("%s: expected a model file, got an empty file" % path)
            return cls(file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def mapped(self):
        return memoryview(self)

    def seek(self, offset, whence=0):
        super().seek(offset, whence)
        return self.tell()

    def readinto(self, buf):
        data = self.read(len(buf))
        buf[: len(data)] = data
        return len(data)

    def __exit__(self, *_):
        """Views of it may be in use."""

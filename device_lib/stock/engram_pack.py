"""The library's modules out of a few files: a file system on flash keeps each file in blocks of
its own, and 60 modules would take three times their length.

A pack: u16 count; for each module u8 length of its path, path, u32 offset, u32 length; modules.
texts: u16 count; for each text u32 offset, the last one's end; texts. They are read when they are
wanted, which is when an error is raised: as constants of the code they would take RAM.
"""

import gc
import io
import os
import struct

_AT = "/engram_lib"
_COLLECT_BYTES = 8192
_folder = ""


class Packs:
    """The packs of a folder as a read-only file system: what MicroPython's import asks of one."""

    def __init__(self, folder):
        self.packs = [folder + "/" + n for n in os.listdir(folder) if n.endswith(".pack")]
        self._place = None

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def _find(self, path):
        """(pack, offset, length) of a module, () for a folder, None."""
        path = path.lstrip("/").encode()
        for pack in self.packs:
            with open(pack, "rb") as file:
                for _ in range(struct.unpack("<H", file.read(2))[0]):
                    name = file.read(file.read(1)[0])
                    at, size = struct.unpack("<II", file.read(8))
                    if name == path:
                        return pack, at, size
                    if name.startswith(path + b"/"):
                        return ()
        return None

    def stat(self, path):
        place = self._find(path)
        if place is None:
            raise OSError(2)
        if place:
            self._place = place
            # The bytes that the search read are freed before the module is made and loaded: the
            # module then lies low in the heap, and above it is one large hole.
            gc.collect()
        return (0x8000 if place else 0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def open(self, path, mode):
        """The module that stat() found last: import asks in that order."""
        pack, at, size = self._place
        with open(pack, "rb") as file:
            file.seek(at)
            return io.BytesIO(file.read(size))


def mounted(path):
    """The folder that the packs beside the file `path` are mounted at.

    From here on the heap is collected often: a learner needs its arena in one piece, and objects
    that outlive the load of a module, a model or a store lie low then.
    """
    global _folder
    if hasattr(gc, "threshold"):  # SAMD's port has none
        gc.threshold(_COLLECT_BYTES)
    try:
        from vfs import mount
    except ImportError:
        from os import mount
    _folder = path.rsplit("/", 1)[0]
    try:
        mount(Packs(_folder), _AT)
    except OSError:
        pass  # it is there
    return _AT


def text(n):
    """Text n of the messages."""
    with open(_folder + "/texts", "rb") as file:
        file.seek(2 + 4 * n)
        at, end = struct.unpack("<II", file.read(8))
        file.seek(at)
        return str(file.read(end - at), "utf-8")

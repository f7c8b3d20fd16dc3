"""A PC as the library sees a board: its flash is a file in a folder beside the model.

    board = FolderBoard("state", 1 << 20)
    learner = engram.load("digits.safetensors", board)
"""

import os
import time
import weakref

from ..errors import StoreError
from ..store.blockdev import FileFlash

try:
    import fcntl
except ImportError:  # Windows: nothing keeps a second process away
    fcntl = None

ENDING = ".engram"  # of the folder that holds the state of a model file
_ERASE_BYTES = 4096
_STORE_BYTES = 1 << 20  # of samples, beside the learned states
# A learned state is the float32 tensors of a model file and what a strategy keeps beside them:
# less than three times as much. Flash holds two states.
_PER_MODEL_BYTE = 8

_devices = weakref.WeakValueDictionary()  # {path of a file: SyncedFlash in use}


class SyncedFlash(FileFlash):
    """NOR flash in a file that one process uses; what is programmed is on the disk when the
    library asks for that, so that a power cut of the PC takes nothing that was acknowledged.

    sync: False leaves that to the operating system, which is faster; then only the end of the
    process takes nothing.

    .most_slots   of a store in it: as many as there are numbers for
    .changed   whether the file holds what may not be on the disk yet
    """

    most_slots = 65536

    def __init__(self, path, blocks, sync=True):
        self.lock = _locked(path)
        super().__init__(path, blocks, _ERASE_BYTES, 1)
        self.sync = sync
        self.changed = False

    def is_at(self, path):
        """Whether its file is still the one at `path`."""
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def ioctl(self, op, arg):
        if op == 3 and self.sync and self.changed:
            os.fsync(self._file.fileno())
            self.changed = False
        return super().ioctl(op, arg)

    def _store(self, at, data):
        super()._store(at, data)
        self.changed = True

    def __del__(self):
        if hasattr(self, "_file"):
            self.close()
        if getattr(self, "lock", None):
            self.lock.close()


def _locked(path):
    """The open file that keeps other processes away from the file at `path`. Raises StoreError."""
    lock = open(path + ".lock", "w")
    try:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError(
            "expected a state that no other process uses, got %s, which one does; end that "
            "process, or name another folder=" % path
        )
    return lock


class FolderBoard:
    """The board of this computer: it stands for the module engram_board of a microcontroller.

    folder: of the state; made when it is first needed. store_bytes: size of the flash, rounded up
    to erase units of 4096 bytes; None: the flash keeps its size, and a new one has fresh_bytes.
    sync: as SyncedFlash takes it.
    """

    NAME = "pc"
    FS_ROOT = ""  # names of files are those of this computer
    COUNTER_KIND, COUNTER_UNIT = "host", "us"
    PROGRAM_BYTES, PROGRAM_ONCE = 1, False

    def __init__(self, folder, store_bytes=None, sync=True, fresh_bytes=_STORE_BYTES):
        self.folder = os.fspath(folder)
        self._store_bytes, self._fresh, self._sync = store_bytes, fresh_bytes, sync
        self._device = None

    def store_device(self):
        """Block device of samples and learned states.

        Raises StoreError when the flash that is there has another size, or another process uses
        it.
        """
        if self._device is None:
            self._device = self._opened()
        return self._device

    def _opened(self):
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(os.path.realpath(self.folder), "flash.bin")
        size = os.path.getsize(path) if os.path.exists(path) else 0
        blocks = -(-(self._store_bytes or size or self._fresh) // _ERASE_BYTES)
        if size and size != blocks * _ERASE_BYTES:
            raise StoreError(
                "expected the flash of %d bytes that is in %s, got store_bytes=%d; leave "
                "store_bytes out, or name another folder=" % (size, self.folder, self._store_bytes)
            )
        device = _devices.get(path)  # of a learner that is open: opening again closes it
        if device is None or not device.is_at(path):
            device = _devices[path] = SyncedFlash(path, blocks, self._sync)
        device.sync = self._sync
        return device

    def memory(self):
        """Sizes in bytes. A PC has no heap of a fixed size."""
        return {}

    @staticmethod
    def counter():
        """Microseconds modulo 2**30."""
        return time.monotonic_ns() // 1000 & 0x3FFFFFFF


def board_of(path, options):
    """The FolderBoard of the model file at `path`.

    options: of open_learner(); "folder" (default: beside the model, its name with the ending
    .engram), "store_bytes" and "sync" are taken out of it.
    """
    folder = options.pop("folder", None) or os.path.splitext(path)[0] + ENDING
    size = os.path.getsize(path) if os.path.exists(path) else 0
    return FolderBoard(
        folder, options.pop("store_bytes", None), options.pop("sync", True),
        _STORE_BYTES + _PER_MODEL_BYTE * size,
    )

"""File transfers: a file arrives as NAME.part and becomes NAME only when its CRC matches.

A transfer that broke off (link, reset, power) goes on where the part file ends.
"""

import os
from binascii import crc32

from ..errors import CommandError
from ..compat import forget
from ..places import IN_FLASH
from .wire import PART

_BLOCK_BYTES = 512
_CODE = ("engram.store.slots", "engram.places")  # of models in flash; it leaves the heap
_SYNC_BYTES = 16384  # a power cut loses at most this much of a transfer


def safe_path(root, name):
    """Path of `name` below `root`. Raises CommandError if it would lead out of it."""
    parts = name.split("/")
    if not name or "" in parts or "." in parts or ".." in parts or "\\" in name:
        raise CommandError(
            "expected a file name such as 'model.engram' or 'data/x.npy', got %r; "
            "names are relative to the board's own directory" % name
        )
    return root + "/" + name


def size_of(path):
    """Length of a file in bytes, -1 if there is none."""
    try:
        return os.stat(path)[6]
    except OSError:
        return -1


def _own(name):
    """The name of a model in flash without what says that it lies there; "" of others."""
    return name[len(IN_FLASH) :] if name.startswith(IN_FLASH) else ""


def crc_of(path):
    """(length, crc32) of a file; (0, 0) if there is none."""
    length = 0
    crc = 0
    try:
        stream = open(path, "rb")
    except OSError:
        return 0, 0
    block = bytearray(_BLOCK_BYTES)
    view = memoryview(block)
    with stream:
        while True:
            n = stream.readinto(block)
            if not n:
                return length, crc & 0xFFFFFFFF
            crc = crc32(view[:n], crc)
            length += n


def make_parents(root, name):
    """Create the directories of `name` that are missing."""
    path = root
    for part in name.split("/")[:-1]:
        path += "/" + part
        if size_of(path) < 0:
            os.mkdir(path)


def replace(source, target):
    """Rename, replacing what is there (FAT file systems refuse, so ask twice)."""
    try:
        os.rename(source, target)
    except OSError:
        os.remove(target)
        os.rename(source, target)


class Files:
    """One file coming in and one going out at a time, below the directory `root`.

    A name that begins with "flash:" is a model's, in memory-mapped flash of `board`. beat: None,
    or called during long work.

    .keep   the name of the model in use, which no file that comes takes away
    .make_way   as store.slots.Slots takes it
    """

    def __init__(self, root, board=None, beat=None):
        self.root, self._board, self._beat = root, board, beat
        self.keep, self.make_way = "", None
        self._slots = None  # while a model comes into flash
        self._in = None
        self._path = ""
        self._size = 0
        self._crc = 0
        self._at = 0
        self._unsynced = 0
        self._out = None
        self._out_name = ""

    def space(self):
        """The room of the file system: {"total_bytes", "free_bytes", "block_bytes"}.

        littlefs counts the blocks of a file with unwritten data twice, so such data is written
        first. A file that a user's own program keeps open can still make its count of free blocks
        negative: nothing is free then.
        """
        if self._in is not None:
            try:
                self._in.flush()
            except OSError:
                self.close()
        fs = os.statvfs(self.root)
        free = fs[3] if 0 <= fs[3] <= fs[2] else 0
        return {"total_bytes": fs[1] * fs[2], "free_bytes": fs[1] * free, "block_bytes": fs[1]}

    def slots(self):
        """store.slots.Slots of the board."""
        from ..places import slots_of

        slots = slots_of(self._board, self._beat, self.make_way)
        forget(_CODE)
        return slots

    def put_open(self, name, size, crc):
        """Begin or resume receiving: {"have": bytes kept so far, "crc": their crc32, "same",
        "space": of the file system}.

        "same" says that the board already holds exactly this file: nothing needs to be sent.
        """
        if name.startswith(IN_FLASH):
            self._slots = slots = self._slots or self.slots()
            return slots.put_open(_own(name), size, crc, _own(self.keep or ""))
        self.close()
        path = safe_path(self.root, name)
        if size_of(path) == size and crc_of(path)[1] == crc:
            return {"have": size, "crc": crc, "same": True}
        make_parents(self.root, name)
        part_size, part_crc = crc_of(path + PART)
        self._path = path
        self._size = size
        self._crc = crc
        self._at = part_size
        return {"have": part_size, "crc": part_crc, "same": False, "space": self.space()}

    def put_data(self, offset, data):
        """Append `data` at `offset`; offset 0 starts again. Returns the bytes held now."""
        if self._slots:
            return self._slots.put_data(offset, data)
        if not self._path:
            raise CommandError("no transfer is open: send PUT_OPEN first")
        if self._in is None:
            self._in = open(self._path + PART, "wb" if offset == 0 else "ab")
            self._at = 0 if offset == 0 else self._at
        if offset != self._at:
            raise CommandError("expected data for offset %d, got it for %d" % (self._at, offset))
        if offset + len(data) > self._size:
            total = offset + len(data)
            raise CommandError("expected the announced %d bytes, got %d" % (self._size, total))
        try:
            self._in.write(data)
            self._unsynced += len(data)
            if self._unsynced >= _SYNC_BYTES:
                self._in.flush()
                self._unsynced = 0
        except OSError:
            self.close()  # open, it would hold blocks that nobody can use
            raise
        self._at += len(data)
        return self._at

    def put_close(self):
        """Check the whole file as it stands in flash and give it its name.

        Returns {"size", "crc"}.
        """
        if self._slots:
            slots, self._slots = self._slots, None
            return slots.put_close()
        path, size, crc = self._path, self._size, self._crc
        if not path:
            raise CommandError("no transfer is open: send PUT_OPEN first")
        if self._in is None and size == 0:
            self._in = open(path + PART, "wb")
        self.close()
        part_size, part_crc = crc_of(path + PART)
        if part_size < size:
            raise CommandError(
                "expected the announced %d bytes, got only %d; send the rest" % (size, part_size)
            )
        if part_size != size or part_crc != crc:
            os.remove(path + PART)
            raise CommandError(
                "expected the announced crc32 %08x, got %08x; the part is thrown away, send it "
                "again" % (crc, part_crc)
            )
        replace(path + PART, path)
        return {"size": part_size, "crc": part_crc}

    def get_data(self, name, offset, count):
        """At most `count` bytes of a file from `offset` on; b"" at its end."""
        if name != self._out_name:
            self._close_out()
            self._out = self.open(name)
            self._out_name = name
        self._out.seek(offset)
        return self._out.read(count)

    def rename(self, name, new):
        """Gives a file another name, in the place of the file that has it."""
        self.close()
        if name.startswith(IN_FLASH):
            self.slots().rename(_own(name), _own(new))
            return
        replace(safe_path(self.root, name), safe_path(self.root, new))

    def name_of(self, path):
        """The name of a file that a program opened by a path; None where it lies elsewhere."""
        if path.startswith(IN_FLASH):
            return path
        root = self.root + "/"
        name = path[len(root) :] if path.startswith(root) else path
        return None if name.startswith("/") or size_of(root + name) < 0 else name

    def place(self, name):
        """The path by which a program on the board opens a file."""
        return name if name.startswith(IN_FLASH) else safe_path(self.root, name)

    def has(self, name):
        """Whether a file of this name is whole on the board."""
        if name.startswith(IN_FLASH):
            return self.slots().find(_own(name)) is not None
        return size_of(safe_path(self.root, name)) >= 0

    def open(self, name):
        """The file as a readable byte stream. Raises CommandError if there is none."""
        if name.startswith(IN_FLASH):
            return self.slots().open(_own(name))
        try:
            return open(safe_path(self.root, name), "rb")
        except OSError:
            raise CommandError(
                "expected a file on the board, got no file %r; push it first" % name
            )

    def stat(self, name):
        """{"size", "crc"} of a file."""
        self.open(name).close()
        if name.startswith(IN_FLASH):
            slot = self.slots().find(_own(name))
            return {"size": slot.size, "crc": slot.crc}
        size, crc = crc_of(safe_path(self.root, name))
        return {"size": size, "crc": crc}

    def list(self):
        """[[name, bytes]], directories walked; models in flash come first."""
        rows = []
        if hasattr(self._board, "has_slots") and self._board.has_slots():
            slots = self.slots().slots()
            rows = [[IN_FLASH + slot.name, slot.size] for slot in slots]
            rows = [row for i, row in enumerate(rows) if row not in rows[:i]]
        for name in sorted(os.listdir(self.root)):
            self._list_into(rows, name)
        return rows

    def _list_into(self, rows, name):
        path = self.root + "/" + name
        if os.stat(path)[0] & 0x4000:
            for inner in sorted(os.listdir(path)):
                self._list_into(rows, name + "/" + inner)
        else:
            rows.append([name, os.stat(path)[6]])

    def remove(self, name):
        """Delete a file (and its part file). Raises CommandError if there is neither."""
        self.close()
        if name.startswith(IN_FLASH):
            if not self.slots().remove(_own(name)):
                raise CommandError("expected a model in flash, got none of name %r" % name)
            return
        path = safe_path(self.root, name)
        count = 0
        for each in (path, path + PART):
            if size_of(each) >= 0:
                os.remove(each)
                count += 1
        if not count:
            raise CommandError("expected a file on the board, got no file %r" % name)

    def _close_out(self):
        if self._out is not None:
            self._out.close()
        self._out = None
        self._out_name = ""

    def close(self):
        """Close what is open; a part file keeps what it has."""
        stream, self._in, self._slots = self._in, None, None
        self._path = ""
        self._unsynced = 0
        self._close_out()
        if stream is not None:
            try:
                stream.close()
            except OSError:
                pass  # the file system is full: the part file keeps what was flushed

"""Model files in flash that the processor reads as memory, in two slots: one is written while the
other serves. SLOT_FORMAT.md, beside this file, describes every byte.

    slots = Slots(device, program_bytes)
    slots.put_open("kws", size, crc)
    slots.put_data(0, data)
    slots.put_close()
    with slots.open("kws") as stream:
        stream.mapped          # the file as memory

The slots are the last erase units of the flash of a replay store, which gets those before them.
"""

import struct
from binascii import crc32

from ..errors import StoreError
from .flash import Flash
from .format import CRC_RESIDUE, round_up
from .region import Region

NAME_BYTES = 48
_RESERVED, _HEADER = "<4sII", "<4sIII%ds" % NAME_BYTES
_RESERVED_MAGIC, _MAGIC, _VERSION = b"EGSR", b"EGSM", 1
_RESERVED_BYTES = struct.calcsize(_RESERVED) + 4
HEADER_BYTES = struct.calcsize(_HEADER) + 4
_HEADERS = 4  # a slot has room for so many: each new name is one more
_CHUNK = 256  # bytes programmed at a time, at least
_LEAST_UNITS = 8  # that are left to the replay store


def units_for(size, erase_bytes, program_bytes):
    """Erase units of a slot for a first file of so many bytes: one more, for a later model that
    is a little longer."""
    return round_up(_data_at(program_bytes) + size, erase_bytes) // erase_bytes + 1


def _data_at(program_bytes):
    return round_up(_HEADERS * round_up(HEADER_BYTES, program_bytes), _CHUNK)


def left_by(units, blocks):
    """Erase units that two slots leave of so many, for the replay store; 0 for too few."""
    left = blocks - 1 - 2 * units
    return left if left >= _LEAST_UNITS else 0


def reserved(dev):
    """Erase units of a slot at the end of a flash device; 0 where it has no slots."""
    raw = bytearray(_RESERVED_BYTES)
    dev.readblocks(dev.ioctl(4, 0) - 1, raw, 0)
    if raw[:4] != _RESERVED_MAGIC or crc32(raw) != CRC_RESIDUE:
        return 0
    return struct.unpack(_RESERVED, bytes(raw[:-4]))[2]


def beside(dev):
    """The block device that the slots of a flash device leave: without slots, the device."""
    units = reserved(dev)
    return Region(dev, 0, dev.ioctl(4, 0) - 1 - 2 * units) if units else dev


class Slot:
    """A model file in a slot.

    .number   0 or 1
    .name, .size, .crc   of the file, bytes
    .sequence  of its transfer: the newest has the largest
    .headers  how many of the places for headers are taken
    """

    def __init__(self, number, sequence, size, crc, name, headers):
        self.number, self.sequence, self.size, self.crc = number, sequence, size, crc
        self.name, self.headers = name, headers


class Slots:
    """The model slots of a flash device, and the file that comes into one of them.

    dev: block device, mapped into memory. program_bytes: as store.ReplayStore takes it. beat:
    None, or called after each program and erase. make_way: None, or function(block device,
    program_bytes, StoreError) that erases a replay log which holds nothing, or raises.

    .units   erase units of a slot; 0 until the first file comes
    """

    def __init__(self, dev, program_bytes, beat=None, make_way=None):
        self._make_way = make_way
        self._flash = flash = Flash(dev, program_bytes, beat=beat)
        if flash.mapped is None:
            raise StoreError(
                "expected flash that the processor reads as memory, got a device without; push "
                "the model as a file"
            )
        self.units = reserved(dev)
        if not left_by(self.units, flash.blocks):
            self.units = 0  # of a device of another size
        self._header_bytes = round_up(HEADER_BYTES, flash.program_bytes)
        self._data_at = _data_at(flash.program_bytes)
        self._incoming = None

    # -- reading -----------------------------------------------------------------------------

    def _first(self, number):
        return self._flash.blocks - 1 - (2 - number) * self.units

    def _memory(self, number):
        """A slot as memory."""
        at, size = self._first(number), self._flash.erase_bytes
        return self._flash.mapped[at * size : (at + self.units) * size]

    def _data(self, slot):
        return self._memory(slot.number)[self._data_at : self._data_at + slot.size]

    def slots(self):
        """Every Slot with an intact header, the newest first."""
        rows = [self._read(number) for number in (0, 1)] if self.units else []
        return sorted([row for row in rows if row], key=lambda slot: -slot.sequence)

    def _read(self, number):
        """The Slot of a number, by its last intact header; None without."""
        memory, found, taken = self._memory(number), None, 0
        for i in range(_HEADERS):
            raw = memory[i * self._header_bytes :][:HEADER_BYTES]
            if raw != b"\xff" * HEADER_BYTES:
                taken = i + 1
            if raw[:4] == _MAGIC and crc32(raw) == CRC_RESIDUE:
                found = struct.unpack(_HEADER, bytes(raw[:-4]))
        if found is None or found[2] > self._room():
            return None
        return Slot(number, found[1], found[2], found[3], found[4].rstrip(b"\0").decode(), taken)

    def _room(self):
        """The most bytes of a file."""
        return self.units * self._flash.erase_bytes - self._data_at

    def find(self, name):
        """The newest Slot of a name, None without."""
        for slot in self.slots():
            if slot.name == name:
                return slot
        return None

    def open(self, name):
        """A Mapped stream of a file. Raises StoreError where there is none, or its bytes are not
        those that came."""
        slot = self.find(name)
        if slot is None:
            raise StoreError("expected a model in flash, got none of name %r; push it" % name)
        if not self._is_intact(slot):
            raise StoreError(
                "expected model %s with crc32 %08x, got other bytes; push it again"
                % (name, slot.crc)
            )
        return Mapped(self._data(slot))

    def _is_intact(self, slot):
        return crc32(self._data(slot)) & 0xFFFFFFFF == slot.crc

    # -- writing -----------------------------------------------------------------------------

    def put_open(self, name, size, crc, keep=""):
        """Begins to receive a file, or goes on: {"have": bytes that came, "crc" of them, "same"}.

        keep: the name of a file that stays, whatever comes. Raises StoreError where the file has
        no room.
        """
        if not size:
            raise StoreError("expected a model, got a file of 0 bytes")
        if not 0 < len(name.encode()) <= NAME_BYTES:
            raise StoreError("expected a name of 1 to %d bytes, got %r" % (NAME_BYTES, name))
        slot = self.find(name)
        if slot and (slot.size, slot.crc) == (size, crc) and self._is_intact(slot):
            return {"have": size, "crc": crc, "same": True}
        coming = self._incoming
        if not coming or coming.facts != (name, size, crc):
            self._reserve(size)
            coming = self._incoming = _Incoming(self._free(keep), name, size, crc)
        return {"have": coming.at, "crc": coming.crc, "same": False}

    def _free(self, keep):
        """The number of the slot that the next file takes."""
        rows = self.slots()
        if len(rows) < 2:
            return 1 - rows[0].number if rows else 0
        kept = self.find(keep)
        return rows[1].number if kept is None or kept is rows[0] else 1 - kept.number

    def _reserve(self, size):
        """Sets erase units aside for two files of so many bytes."""
        from .wipe import first_header

        flash = self._flash
        if self.units and size <= self._room():
            return
        if self.slots():
            raise StoreError(
                "expected a model of at most %d bytes, the room of a slot in flash, got %d; "
                "remove the models in flash and erase the samples, or push it as a file"
                % (self._room(), size)
            )
        units = units_for(size, flash.erase_bytes, flash.program_bytes)
        if not left_by(units, flash.blocks):
            raise StoreError(
                "expected %d bytes of flash for two slots and a store, got %d; push the model as "
                "a file" % ((2 * units + 1 + _LEAST_UNITS) * flash.erase_bytes,
                            flash.blocks * flash.erase_bytes)
            )
        log = beside(flash.dev)
        if first_header(log) is not None:
            error = StoreError(
                "expected a flash without a replay log to set %d bytes aside for models, got one; "
                "erase it (engram push model --fresh), or push the model as a file" % (2 * size)
            )
            if not self._make_way:
                raise error
            self._make_way(log, flash.program_bytes, error)
        self._write_reservation(units)

    def _write_reservation(self, units):
        self._erase(self._flash.blocks - 1)
        self.units = units
        for number in (0, 1):
            self._erase(self._first(number))  # no header of earlier use
        body = struct.pack(_RESERVED, _RESERVED_MAGIC, _VERSION, units)
        self._flash.program(self._flash.blocks - 1, body + struct.pack("<I", crc32(body)), 0)

    def _erase(self, unit):
        if not self._flash.erase(unit):
            raise StoreError(
                "block %d does not read as 0xFF after an erase: the flash is worn out or "
                "write-protected" % unit
            )

    def put_data(self, offset, data):
        """Writes `data` at `offset`, where the last piece ended; offset 0 begins again. Returns
        the bytes that came."""
        coming = self._need_incoming()
        if offset == 0:
            coming.begin()
        if offset != coming.at or offset + len(data) > coming.facts[1]:
            raise StoreError(
                "expected data for offset %d of %d bytes, got %d at %d"
                % (coming.at, coming.facts[1], len(data), offset)
            )
        coming.add(data, self._program)
        return coming.at

    def _program(self, number, at, chunk):
        """Programs a chunk of a file's data; its erase units are blank from their first on."""
        at += self._data_at
        unit, offset = at // self._flash.erase_bytes, at % self._flash.erase_bytes
        if offset == 0 or at == self._data_at:
            self._erase(self._first(number) + unit)
        self._flash.program(self._first(number) + unit, chunk, offset)

    def put_close(self):
        """Ends a file: it has its name from here on. Returns {"size", "crc"}."""
        coming = self._need_incoming()
        name, size, crc = coming.facts
        if coming.at < size:
            raise StoreError("expected %d bytes, got only %d; send the rest" % (size, coming.at))
        coming.end(self._program)
        self._incoming = None
        newest = self.slots()
        slot = Slot(coming.number, 1 + (newest[0].sequence if newest else 0), size, crc, name, 0)
        if not self._is_intact(slot):
            raise StoreError(
                "expected data with crc32 %08x in flash, got other bytes; send it again" % crc
            )
        self._write_header(slot)
        return {"size": size, "crc": crc}

    def _need_incoming(self):
        if self._incoming is None:
            raise StoreError("no transfer is open: send PUT_OPEN first")
        return self._incoming

    def _write_header(self, slot):
        name = slot.name.encode()
        name += bytes(NAME_BYTES - len(name))
        body = struct.pack(_HEADER, _MAGIC, slot.sequence, slot.size, slot.crc, name)
        self._flash.program(
            self._first(slot.number), body + struct.pack("<I", crc32(body)),
            slot.headers * self._header_bytes,
        )

    def rename(self, name, new):
        """Gives a file another name; an older one of that name is found no more."""
        slot = self.find(name)
        if slot is None or slot.headers >= _HEADERS:
            raise StoreError("expected a model in flash that can be renamed, got %r" % name)
        slot.name = new
        self._write_header(slot)

    def remove(self, name):
        """Erases the files of a name; how many there were."""
        rows = [slot for slot in self.slots() if slot.name == name]
        for slot in rows:
            self._erase(self._first(slot.number))
        return len(rows)


class _Incoming:
    """A file on its way into a slot.

    .facts   (name, size, crc); .number of the slot; .at: bytes that came; .crc of them
    """

    def __init__(self, number, name, size, crc):
        self.number, self.facts = number, (name, size, crc)
        self._chunk = bytearray(_CHUNK)
        self.begin()

    def begin(self):
        self.at = self.crc = 0

    def add(self, data, program):
        """Takes data; program(slot, offset, chunk) gets each chunk that is full."""
        self.crc = crc32(data, self.crc) & 0xFFFFFFFF
        data = memoryview(data)
        while len(data):
            filled = self.at % _CHUNK
            n = min(_CHUNK - filled, len(data))
            self._chunk[filled : filled + n] = data[:n]
            data = data[n:]
            self.at += n
            if self.at % _CHUNK == 0:
                program(self.number, self.at - _CHUNK, self._chunk)

    def end(self, program):
        """Programs the last chunk, where it is not full."""
        filled = self.at % _CHUNK
        if filled:
            program(self.number, self.at - filled, memoryview(self._chunk)[:filled])


class Mapped:
    """A readable stream over memory.

    .mapped   all of it, a memoryview
    """

    def __init__(self, memory):
        self.mapped, self._at = memory, 0

    def seek(self, offset, whence=0):
        self._at = offset + (0, self._at, len(self.mapped))[whence]
        return self._at

    def read(self, n=-1):
        data = bytes(self.mapped[self._at :] if n < 0 else self.mapped[self._at : self._at + n])
        self._at += len(data)
        return data

    def readinto(self, buf):
        data = self.mapped[self._at : self._at + len(buf)]
        buf[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self):
        """Nothing is held."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing is held."""

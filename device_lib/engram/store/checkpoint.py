"""Atomic checkpoints: two generations, each in erase units of its own."""

import struct
from binascii import crc32

from ..compat import bytes_of
from ..errors import DataError, StoreError
from .flash import Flash
from .format import corrected, could_become, describe, is_blank, round_up

MAGIC = b"EGCP"
_VERSION = 1
# magic, version, reserved 0, parts, model_id, generation, payload bytes, crc32 of the payload
_HEADER = "<4sBBHIIII"
HEADER_BYTES = struct.calcsize(_HEADER) + 4
_CHUNK = 256  # bytes streamed at a time, at most
MAX_PARTS = 16
_POLYNOMIAL, _ONES = 0xEDB88320, 0xFFFFFFFF  # of crc32, reflected
TARGETS = ("last", "previous", "factory")  # of roll_back()


def _chunk_bytes(erase_bytes, program_bytes):
    """Whole pages, so many that an erase unit is whole chunks."""
    chunk = program_bytes
    while chunk * 2 <= _CHUNK and erase_bytes % (chunk * 2) == 0:
        chunk *= 2
    return chunk


def units_for(checkpoint_bytes, erase_bytes, program_bytes):
    """Erase units that one generation of so many bytes takes."""
    header = round_up(HEADER_BYTES, _chunk_bytes(erase_bytes, program_bytes))
    return round_up(header + 4 * MAX_PARTS + checkpoint_bytes, erase_bytes) // erase_bytes


def unpack_header(raw):
    """(magic, version, 0, parts, model_id, generation, length, crc32) of HEADER_BYTES bytes, None
    where they are no header. One bit that fell over is put right."""
    fixed = None if is_blank(raw) else corrected(raw)
    if fixed is None or fixed[:4] != MAGIC:
        return None
    return struct.unpack(_HEADER, bytes(fixed[:-4]))


def _flipped(crc, length):
    """(offset, mask) of the one bit of `length` bytes whose fall changes their crc32 by `crc`;
    None where there is none.

    A bit that falls changes the CRC by F(F(...(1))), F being the shift of one bit through the
    register, as often as bits follow it, its own one included.
    """
    bits, value = {}, crc
    for bit in range(8):
        bits[value] = bit
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    value = 1
    for at in range(length - 1, -1, -1):
        value = crc32(b"\x00", value ^ _ONES) ^ _ONES  # by eight bits
        if value in bits:
            return at, 1 << bits[value]
    return None


class Checkpoints:
    """The learned state in flash: save() leaves the old one or the new one, never a mixture.

    dev            block device (MicroPython's extended protocol)
    program_bytes  programs start and end on multiples of it
    model_id       u32: whose state this is
    first_block, blocks   the part of the device to use; by default all of it
    erase          True: erases the region first, whatever it holds, as format() does
    beat           None, or called after each program and erase

    One bit of a state that fell over is put right where it is read, and stays as it is in flash.

    Raises StoreError when the region is too small, holds something else, or the state of
    another model or version.
    """

    def __init__(self, dev, program_bytes, model_id, first_block=0, blocks=None, *, erase=False,
                 beat=None):
        self._flash = flash = Flash(dev, program_bytes, beat=beat)
        blocks = flash.blocks - first_block if blocks is None else blocks
        if first_block < 0 or blocks < 2 or first_block + blocks > flash.blocks:
            raise StoreError(
                "expected at least 2 erase units of %d bytes for checkpoints, got units %d to "
                "%d of %d"
                % (flash.erase_bytes, first_block, first_block + blocks - 1, flash.blocks)
            )
        self.model_id = model_id & 0xFFFFFFFF
        self._first = first_block
        self._units = blocks // 2  # of one generation
        self._buffer = bytearray(_chunk_bytes(flash.erase_bytes, program_bytes))
        self._data_at = round_up(HEADER_BYTES, len(self._buffer))
        self._is_read = False
        self._area = self._header = None  # of the newest valid generation
        self._fixes = [None, None]  # of each area: (offset, mask) of a bit that fell over
        if erase:
            for unit in range(2 * self._units):
                self._erase(self._first + unit)
        self._check_owner()

    @classmethod
    def format(cls, dev, program_bytes, model_id, first_block=0, blocks=None):
        """Erases the region, whatever it holds, and returns it without a saved state."""
        return cls(dev, program_bytes, model_id, first_block, blocks, erase=True)

    @property
    def capacity(self):
        """Bytes that one checkpoint can hold, the table of its parts included."""
        return self._units * self._flash.erase_bytes - self._data_at

    def save(self, buffers):
        """Saves a list of buffers as one state; returns its generation (1, 2, ...).

        A cut at any point leaves the state that was saved before. Raises StoreError when it
        does not fit (nothing has changed then) or the flash fails (the old state is intact).
        """
        parts = [_window(buf) for buf in buffers]
        if not 1 <= len(parts) <= MAX_PARTS:
            raise DataError("expected 1 to %d buffers, got %d" % (MAX_PARTS, len(parts)))
        sizes = struct.pack("<%dI" % len(parts), *[len(part) for part in parts])
        length = len(sizes) + sum([len(part) for part in parts])
        if length > self.capacity:
            raise StoreError(
                "the state needs %d bytes of flash a generation, %d are available: make the "
                "checkpoint region larger or train fewer layers" % (length, self.capacity)
            )
        self._find()
        area = self._claimed()
        generation = self._last + 1
        self._is_read, self._fixes[area] = False, None
        for i in range(round_up(self._data_at + length, self._flash.erase_bytes)
                       // self._flash.erase_bytes):
            self._erase(self._block(area, 0) + i)
        crc = self._write(area, [memoryview(sizes)] + parts)
        if self._payload_crc(area, length) != crc:
            raise StoreError("the state was not programmed as given: the flash is worn out; "
                             "the state saved before is intact")
        header = struct.pack(_HEADER, MAGIC, _VERSION, 0, len(parts), self.model_id, generation,
                             length, crc)
        header += struct.pack("<I", crc32(header))
        self._commit(area, header)
        self._find()
        if self._area != area:
            raise StoreError("the state was not programmed as given: the flash is worn out; "
                             "the state saved before is intact")
        return generation

    def load_into(self, buffers):
        """Fills the buffers with the newest valid state; its generation, or None if none is.

        Raises StoreError when the saved buffers have other sizes; nothing has changed then.
        """
        self._find()
        if self._area is None:
            return None
        parts = [_window(buf) for buf in buffers]
        generation, crc = self._header[5], self._header[7]
        sizes = self._read_sizes()
        old = struct.unpack("<%dI" % (len(sizes) // 4), sizes)
        lengths = tuple([len(part) for part in parts])
        if old != lengths:
            raise StoreError(
                "expected buffers of %r bytes, the parts of the saved state, got %r: it was saved "
                "by another version of this model" % (old, lengths)
            )
        at = self._data_at + len(sizes)
        check = crc32(sizes)
        for part in parts:
            self._read(self._area, part, at)
            check = crc32(part, check)
            at += len(part)
        if check & 0xFFFFFFFF != crc:
            raise StoreError("reading the saved state failed; read it again")
        return generation

    def sizes(self):
        """Bytes of each buffer of the newest valid state; () when there is none."""
        self._find()
        if self._area is None:
            return ()
        sizes = self._read_sizes()
        return struct.unpack("<%dI" % (len(sizes) // 4), sizes)

    def read_part(self, index, window, offset=0):
        """Fills a byte window with bytes of one buffer of the newest valid state."""
        sizes = self.sizes()
        at = self._data_at + 4 * len(sizes) + sum(sizes[:index]) + offset
        self._read(self._area, window, at)

    def _read_sizes(self):
        """The table of the parts of the newest state, as it lies in flash."""
        sizes = bytearray(4 * self._header[3])
        self._read(self._area, sizes, self._data_at)
        return sizes

    def room_for(self, buffers):
        """Whether one state can hold these buffers."""
        length = sum([4 + len(_window(buf)) for buf in buffers])
        return len(buffers) <= MAX_PARTS and length <= self.capacity

    def roll_back(self, to):
        """Gives up saved states for good; returns the generation that is left, 0: none.

        to: "last", none is given up; "previous", the newest one is; "factory", all are. A cut at
        any point leaves the newest state, or what was asked for. Raises StoreError, and changes
        nothing, when there is no state to go back to.
        """
        if to not in TARGETS:
            raise DataError("expected %s, got %r" % (" or ".join(TARGETS), to))
        self._find()
        newest = self._area
        if to == "factory":
            # The newest one last: else a cut would bring the one before it back.
            last = 1 if newest == 1 else 0
            self._give_up(1 - last)
            if self._header_of(last):
                self._claim(1 - last)
            self._give_up(last)
        elif newest is None:
            raise StoreError(
                "no saved state is there to go back to: what there is without one is the model "
                'file, "factory"'
            )
        elif to == "previous":
            if not self._holds_older(1 - newest):
                raise StoreError(
                    "generation %d is the only saved state that is intact, there is none before "
                    'it: go back to "last" or to "factory"' % self._header[5]
                )
            self._give_up(newest)
        self._find()
        return self._header[5] if self._header else 0

    def info(self):
        """In figures: generation (0: none), bits of it put right, capacity, blocks, erases
        and bytes since opening."""
        self._find()
        return {
            "generation": self._header[5] if self._header else 0,
            "corrected": 1 if self._header and self._fixes[self._area] else 0,
            "capacity": self.capacity,
            "blocks": 2 * self._units,
            "erases": self._flash.erases,
            "bytes_programmed": self._flash.programmed,
        }

    # -- the two areas -----------------------------------------------------------------

    def _block(self, area, offset):
        return self._first + area * self._units + offset // self._flash.erase_bytes

    def _erase(self, block):
        if not self._flash.erase(block):
            raise StoreError(
                "expected NOR flash with MicroPython's extended block-device protocol, got block "
                "%d that does not read as 0xFF after an erase" % block
            )

    def _raw_header(self, area):
        raw = bytearray(HEADER_BYTES)
        self._flash.read(self._block(area, 0), raw, 0)
        return raw

    def _check_owner(self):
        """StoreError unless both areas are ours, blank, or what a cut can leave of ours."""
        raws = [self._raw_header(area) for area in (0, 1)]
        valid = [header for header in [unpack_header(raw) for raw in raws] if header]
        for header in valid:
            if header[1] != _VERSION:
                raise StoreError(
                    "the region holds a state of format version %d, this library reads version "
                    "%d: erase it with Checkpoints.format(...)" % (header[1], _VERSION)
                )
            model_id = header[4]
            if model_id != self.model_id:
                raise StoreError(
                    "expected a state of model %08x in the region, got one of model %08x; "
                    "load that model, or erase the region with Checkpoints.format(...)"
                    % (self.model_id, model_id)
                )
        # A blank header could become one of ours, and so could a torn one.
        ours = struct.pack("<4sBBHI", MAGIC, _VERSION, 0, 0, self.model_id)
        for area, raw in enumerate(raws):
            if not valid and not could_become(raw, ours):
                start = bytearray(min(128, self._flash.erase_bytes))
                self._flash.read(self._block(area, 0), start, 0)
                raise StoreError(
                    "the checkpoint region holds no saved state: block %d has %s; if that may "
                    "be erased, call Checkpoints.format(...)"
                    % (self._block(area, 0), describe(start))
                )

    def _find(self):
        """Finds the newest generation whose header and payload are intact."""
        if self._is_read:
            return
        self._area = self._header = None
        self._last = 0
        for area in (0, 1):
            header = self._header_of(area)
            if header is None:
                continue
            self._last = max(self._last, header[5])
            newer = self._header is None or header[5] > self._header[5]
            if newer and self._holds(area, header):
                self._area, self._header = area, header
        self._is_read = True

    def _header_of(self, area):
        """The fields of an intact header, else None."""
        return unpack_header(self._raw_header(area))

    def _holds_older(self, area):
        """Whether an area holds an intact state that is older than the newest."""
        header = self._header_of(area)
        return (
            header is not None
            and header[5] < self._header[5]
            and self._holds(area, header)
        )

    def _holds(self, area, header):
        """Whether an area holds the payload of a header, but for one bit that is put right."""
        self._fixes[area] = None
        change = self._payload_crc(area, header[6]) ^ header[7]
        if change > 0:
            self._fixes[area] = _flipped(change, header[6])
        return change == 0 or self._fixes[area] is not None

    def _give_up(self, area):
        """Erases the unit with the header, without which an area holds nothing."""
        self._is_read = False
        if not self._is_empty(area):
            self._erase(self._block(area, 0))

    def _claimed(self):
        """The area to write: never that of the newest valid generation. Where that would be the
        last with an intact header, the other one gets one."""
        if self._area is not None:
            return 1 - self._area
        headers = [self._header_of(area) for area in (0, 1)]
        generations = [header[5] if header else -1 for header in headers]
        if max(generations) < 0 and self._is_empty(0) and not self._is_empty(1):
            area = 1
        else:
            area = 1 if generations[1] < generations[0] else 0
        if generations[1 - area] < 0 and self._is_empty(1 - area):
            self._claim(1 - area)
        return area

    def _is_empty(self, area):
        return self._flash.is_blank(self._block(area, 0))

    def _claim(self, area):
        """Programs a header without a state into a blank area: it says whose the region is while
        the other area is erased. Its crc32 fits no state, so it is none."""
        header = struct.pack(_HEADER, MAGIC, _VERSION, 0, 0, self.model_id, 0, 0, 0xFFFFFFFF)
        self._commit(area, header + struct.pack("<I", crc32(header)))

    def _payload_crc(self, area, length):
        if length > self.capacity:
            return -1
        crc = 0
        at, end = self._data_at, self._data_at + length
        while at < end:
            part = memoryview(self._buffer)[: min(len(self._buffer), end - at)]
            self._read(area, part, at)
            crc = crc32(part, crc)
            at += len(part)
        return crc & 0xFFFFFFFF

    def _read(self, area, window, at):
        """Fills a byte window from an offset of an area, across erase units."""
        erase_bytes = self._flash.erase_bytes
        count = 0
        while count < len(window):
            offset = (at + count) % erase_bytes
            n = min(len(window) - count, erase_bytes - offset)
            self._flash.read(
                self._block(area, at + count), memoryview(window)[count : count + n], offset
            )
            count += n
        if self._fixes[area]:
            place, mask = self._fixes[area]
            place += self._data_at - at
            if 0 <= place < len(window):
                window[place] ^= mask

    def _write(self, area, parts):
        """Streams byte windows into an erased area, a chunk at a time; their crc32."""
        buffer = self._buffer
        at, fill, crc = self._data_at, 0, 0
        for part in parts:
            crc = crc32(part, crc)
            start = 0
            while start < len(part):
                n = min(len(part) - start, len(buffer) - fill)
                buffer[fill : fill + n] = memoryview(part)[start : start + n]
                fill += n
                start += n
                if fill == len(buffer):
                    self._program(area, buffer, at)
                    at += fill
                    fill = 0
        if fill:
            self._program(area, memoryview(buffer)[:fill], at)
        return crc & 0xFFFFFFFF

    def _program(self, area, data, at):
        self._flash.program(self._block(area, at), data, at % self._flash.erase_bytes)

    def _commit(self, area, header):
        """The header last: it makes the payload valid."""
        self._program(area, header, 0)


def _window(buf):
    """A byte window onto a flat buffer of any item size."""
    try:
        # Boards' memoryviews do not tell their item size; one item does.
        itemsize = len(bytes(buf[:1])) if len(buf) else 1
        return bytes_of(buf, itemsize)
    except (TypeError, ValueError):
        raise DataError("expected flat buffers, got a %s" % type(buf).__name__)

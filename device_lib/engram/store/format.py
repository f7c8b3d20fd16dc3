"""The bytes of the replay log, as REPLAY_FORMAT.md describes them. Pure: no device, no state."""

import struct
from binascii import crc32

MAGIC = b"EGRL"
VERSIONS = (1, 2)  # of records without targets, and with them

KIND_STORE = 0x53  # 'S': an erase unit of the log
KIND_FORMATTING = 0x46  # 'F': unit 0 while the region is being formatted

EMPTY = 255  # label of a slot that holds no record; labels are 0..254
NO_CLASS = 254  # label of a record without a class, in a store of targets; its classes are 0..253
MAX_TARGETS = 64  # float32 values of a record
MAX_SESSION = 65535

# magic, version, kind, bits, targets (0 in version 1), erase_bytes, units, page_bytes,
# latent_bytes, slots, model_id, unit sequence, erase count
_HEADER = "<4sBBBBIHHHHIII"
_HEADER_BODY = struct.calcsize(_HEADER)
COUNT_AT = _HEADER_BODY - 4  # offset of the erase count
HEADER_BYTES = _HEADER_BODY + 4  # with the crc32 of the body
MARK_BYTES = 4

_RECORD = "<BHI"  # label, session, sequence
RECORD_HEAD = struct.calcsize(_RECORD)
CRC_BYTES = 4

# crc32(m + crc32(m) as little-endian) of any m. Below 2**30: a board's small integer, so that
# checking an intact record allocates nothing.
CRC_RESIDUE = 0x2144DF1C


def round_up(n, multiple):
    return (n + multiple - 1) // multiple * multiple


def is_blank(buf):
    """Whether every byte of a bytearray or bytes is 0xFF, as an erase leaves it."""
    return buf == b"\xff" * len(buf)


def is_cleared(buf):
    """Whether a mark (state byte of a slot, retired word of a unit) was programmed.

    A mark is all ones or all zeros; two zero bits make it cleared, so that one bit that fell
    over neither kills what lives nor revives what was deleted.
    """
    zeros = 0
    for value in buf:
        value ^= 0xFF
        while value:
            value &= value - 1
            zeros += 1
    return zeros >= 2


def could_become(raw, whole):
    """Whether raw can be what a cut left of programming `whole`: it has every bit that is set."""
    for i in range(len(whole)):
        if raw[i] & whole[i] != whole[i]:
            return False
    return True


class Layout:
    """Where things lie in an erase unit.

    erase_bytes   bytes of an erase unit
    page_bytes    1: slots follow one another; else every part starts on a program page of its
                  own, for flashes that forbid programming a page twice between erases
    latent_bytes  payload of a record
    targets       float32 values behind the latent

    mark_at       offset of the retired word
    first_at      offset of slot 0
    slot_bytes    from slot to slot
    record_at     offset of the record in its slot; the state byte is at 0
    record_bytes  label, session, sequence, latent, targets, crc32
    slots         in a unit; 0 when none fits
    """

    def __init__(self, erase_bytes, page_bytes, latent_bytes, targets=0):
        self.erase_bytes = erase_bytes
        self.page_bytes = page_bytes
        self.latent_bytes = latent_bytes
        self.targets = targets
        self.record_bytes = RECORD_HEAD + latent_bytes + 4 * targets + CRC_BYTES
        self.record_at = page_bytes
        self.mark_at = round_up(HEADER_BYTES, page_bytes)
        self.first_at = round_up(self.mark_at + MARK_BYTES, page_bytes)
        # Slots start on words: some flashes allow only a few writes a word between erases.
        align = page_bytes if page_bytes > 4 else 4
        self.slot_bytes = round_up(self.record_at + self.record_bytes, align)
        self.slots = max(0, (erase_bytes - self.first_at) // self.slot_bytes)
        self.latent_at = self.record_at + RECORD_HEAD
        self.targets_at = self.latent_at + latent_bytes
        self.crc_at = self.targets_at + 4 * targets

    def slot_at(self, index):
        """Offset of slot `index` in its unit."""
        return self.first_at + index * self.slot_bytes


class UnitHeader:
    """The header of an erase unit, decoded."""

    def __init__(self, kind, bits, erase_bytes, units, page_bytes, latent_bytes, slots,
                 model_id, sequence, erases, targets=0):
        self.kind = kind
        self.bits = bits
        self.erase_bytes = erase_bytes
        self.units = units
        self.page_bytes = page_bytes
        self.latent_bytes = latent_bytes
        self.slots = slots
        self.model_id = model_id
        self.sequence = sequence  # of the opening of units: the newest has the largest
        self.erases = erases  # of this unit, this one included
        self.targets = targets  # float32 values of a record

    def pack(self):
        """HEADER_BYTES bytes."""
        body = struct.pack(
            _HEADER, MAGIC, self.version(), self.kind, self.bits, self.targets,
            self.erase_bytes, self.units, self.page_bytes, self.latent_bytes, self.slots,
            self.model_id, self.sequence, self.erases,
        )
        return body + struct.pack("<I", crc32(body))

    def version(self):
        """The format version that this header has in flash."""
        return 2 if self.targets else 1

    def geometry(self):
        """The sizes that must agree before a record can be found, in words."""
        return "%d units of %d bytes, %d-byte latents of %d bits%s, %s" % (
            self.units, self.erase_bytes, self.latent_bytes, self.bits,
            ", %d targets" % self.targets if self.targets else "",
            "packed" if self.page_bytes == 1 else "aligned to %d bytes" % self.page_bytes,
        )


def unpack_header(raw):
    """(UnitHeader, bits corrected: 0 or 1) from HEADER_BYTES bytes, or (None, 0).

    One bit that fell over is put right: a flip must not cost a whole unit.
    """
    fixed = corrected(raw)
    return (_decode(fixed), fixed != raw) if fixed else (None, 0)


def corrected(raw):
    """Bytes that end in their crc32, with the one bit that fell over put right; None where more
    of them did."""
    if crc32(raw) == CRC_RESIDUE:
        return raw
    fixed = bytearray(raw)
    for i in range(len(fixed)):
        for bit in (1, 2, 4, 8, 16, 32, 64, 128):
            fixed[i] ^= bit
            if crc32(fixed) == CRC_RESIDUE:
                return fixed
            fixed[i] ^= bit
    return None


def _decode(raw):
    fields = struct.unpack(_HEADER, bytes(raw[:_HEADER_BODY]))
    if fields[0] != MAGIC or fields[1] not in VERSIONS:
        return None
    targets = fields[4] if fields[1] == 2 else 0
    return UnitHeader(fields[2], fields[3], *fields[5:], targets)


def foreign_version(raw):
    """The format version of a header of another version, or None."""
    return raw[4] if bytes(raw[:4]) == MAGIC and raw[4] not in VERSIONS else None


def describe(raw):
    """The likely owner of a block that is not ours, from its first bytes, for an error message."""
    raw = bytes(raw)
    if raw[8:16] == b"littlefs":
        return "a littlefs file system"
    if raw[54:57] == b"FAT" or raw[82:85] == b"FAT":
        return "a FAT file system"
    return "data that starts with " + " ".join("%02x" % b for b in raw[:8])


def put_record_head(buf, at, label, session, sequence):
    struct.pack_into(_RECORD, buf, at, label, session, sequence)


def record_session(buf, at):
    """The session of the record at offset `at`."""
    return buf[at + 1] | buf[at + 2] << 8


def record_sequence(buf, at):
    """The sequence of the record at offset `at`. Without a tuple: boards are slow to make one."""
    return buf[at + 3] | buf[at + 4] << 8 | buf[at + 5] << 16 | buf[at + 6] << 24


def put_crc(buf, at, body):
    """Writes the crc32 of `body` at offset `at`."""
    struct.pack_into("<I", buf, at, crc32(body))

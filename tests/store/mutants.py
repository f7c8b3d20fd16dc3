"""Mistakes that one could make in the store, each as a patch that a test must catch.

A mutant is a function of pytest's monkeypatch that plants the mistake. The tables at the end say
which kind of test has to catch it.
"""

import struct
from binascii import crc32

from engram.continual import reading
from engram.errors import StoreError
from engram.store import checkpoint, flash, log, units
from engram.store import format as fmt


def no_record_checksum(patch):
    """Whatever is in a slot that is not blank is a record."""
    real = log.ReplayStore._read_slot

    def read_slot(self, unit, index):
        real(self, unit, index)
        return bytes(self._slot) != b"\xff" * len(self._slot)

    patch.setattr(log.ReplayStore, "_read_slot", read_slot)


def torn_slot_is_written_again(patch):
    """The next record goes where a torn one lies."""
    real = log.ReplayStore._inspect

    def inspect(self, unit, index):
        torn = self.torn
        what = real(self, unit, index)
        return log._UNWRITTEN if self.torn > torn else what

    patch.setattr(log.ReplayStore, "_inspect", inspect)


def tombstone_only_in_ram(patch):
    patch.setattr(log.ReplayStore, "_bury", lambda self, slot: self._index.forget(slot))


def victim_retired_before_survivors_move(patch):
    def move_all(self, victim):
        first = victim * self._slots_per_unit
        self._units.retire(victim)
        for index in range(self._slots_per_unit):
            if self.labels[first + index] != log.EMPTY:
                self._move(victim, index)

    patch.setattr(log.ReplayStore, "_move_all", move_all)


def victim_erased_before_survivors_move(patch):
    """The survivors are kept in RAM meanwhile."""

    def collect(self, victim):
        first = victim * self._slots_per_unit
        survivors = []
        for index in range(self._slots_per_unit):
            if self.labels[first + index] != log.EMPTY:
                self._read_slot(victim, index)
                survivors.append((first + index, bytes(self._slot)))
        self._open(victim)
        self.collections += 1
        for slot, data in survivors:
            self._index.forget(slot)
            self._slot[:] = data
            self._program_slot(data[self._record_at], data[self._record_at + 1])

    patch.setattr(log.ReplayStore, "_collect", collect)


def victim_not_retired(patch):
    def retire(self, unit):
        self.status[unit] = units.FREE

    patch.setattr(units.Units, "retire", retire)


def half_done_collection_is_left(patch):
    patch.setattr(log.ReplayStore, "_resolve", lambda self, newest, twins: None)


def no_unit_kept_for_collection(patch):
    real = units.Units.free
    patch.setattr(units.Units, "free", lambda self: real(self) and real(self) + 1)


def torn_header_is_foreign(patch):
    """A header that does not verify is never erased."""
    real = units.Units.survey

    def survey(self):
        state = real(self)
        for unit in range(self.count):
            if self.status[unit] == units.TORN:
                self.status[unit] = units.BAD
        return state

    patch.setattr(units.Units, "survey", survey)


def format_without_a_mark(patch):
    """Nothing says that a format was begun."""

    def format_units(self):
        for unit in range(self.count):
            self._erase_to_format(unit)
            self._leave_free(unit)

    patch.setattr(units.Units, "format", format_units)


def foreign_content_is_blank(patch):
    patch.setattr(units.Units, "_first_foreign", lambda self: -1)


def unit_reused_without_erase(patch):
    """A retired unit is not erased before it is opened."""
    patch.setattr(flash.Flash, "erase", lambda self, block: True)


def record_sequence_restarts(patch):
    """Numbers are given again after a mount."""
    real = log.ReplayStore._scan

    def scan(self):
        real(self)
        self._sequence = 1

    patch.setattr(log.ReplayStore, "_scan", scan)


def padding_with_zeros(patch):
    def program(self, block, data, offset):
        page = self.program_bytes
        start, end = offset // page * page, -(-(offset + len(data)) // page) * page
        window = bytearray(end - start)
        window[offset - start : offset - start + len(data)] = data
        self.dev.writeblocks(block, window, start)

    patch.setattr(flash.Flash, "program", program)


def no_padding(patch):
    patch.setattr(
        flash.Flash, "program",
        lambda self, block, data, offset: self.dev.writeblocks(block, data, offset),
    )


def slot_counted_after_its_program(patch):
    """An interrupted program is tried again in the same slot, in the same boot."""
    real = log.ReplayStore._program_slot

    def program_slot(self, label, session):
        before = self._next
        try:
            return real(self, label, session)
        except BaseException:
            self._next = before
            raise

    patch.setattr(log.ReplayStore, "_program_slot", program_slot)
    patch.setattr(log.ReplayStore, "settle", lambda self: None)


def interrupted_change_is_not_settled(patch):
    patch.setattr(log.ReplayStore, "settle", lambda self: None)


def one_bit_retires_a_unit(patch):
    patch.setattr(units, "is_cleared", lambda buf: bytes(buf) != b"\xff" * len(buf))


def one_bit_revives_a_record(patch):
    patch.setattr(log, "is_cleared", lambda buf: bytes(buf) == bytes(len(buf)))


def header_bit_costs_the_unit(patch):
    def unpack(raw):
        return (fmt.unpack_header(raw)[0], 0) if crc32(raw) == fmt.CRC_RESIDUE else (None, 0)

    patch.setattr(units, "unpack_header", unpack)


def _trusted_crc(self, area, length):
    """The crc that the header of an area states, whatever is there."""
    raw = self._raw_header(area)
    return struct.unpack(checkpoint._HEADER, bytes(raw[:-4]))[7]


def checkpoint_header_first(patch):
    """The header is programmed before the payload that it vouches for, and trusted."""
    real = checkpoint.Checkpoints._write

    def write(self, area, parts):
        crc = 0
        for part in parts:
            crc = crc32(part, crc)
        length = sum([len(part) for part in parts])
        header = struct.pack(checkpoint._HEADER, checkpoint.MAGIC, checkpoint._VERSION, 0,
                             len(parts) - 1, self.model_id, self._last + 1, length, crc)
        self._program(area, header + struct.pack("<I", crc32(header)), 0)
        return real(self, area, parts)

    patch.setattr(checkpoint.Checkpoints, "_write", write)
    patch.setattr(checkpoint.Checkpoints, "_commit", lambda self, area, header: None)
    patch.setattr(checkpoint.Checkpoints, "_payload_crc", _trusted_crc)


def checkpoint_over_the_newest(patch):
    patch.setattr(checkpoint.Checkpoints, "_claimed", lambda self: self._area or 0)


def erased_with_a_header_alive(patch):
    patch.setattr(units.Units, "_clear", lambda self, unit: self.flash.erase(unit))


def blank_region_begun_without_a_claim(patch):
    """The only header of a region is erased, for the first unit to be opened."""
    real = units.Units._leave_free

    def leave_free(self, unit):
        if self._newest or self.status[0] != units.FREE or unit != 1:
            real(self, unit)

    patch.setattr(units.Units, "_leave_free", leave_free)


def state_saved_without_a_claim(patch):
    patch.setattr(checkpoint.Checkpoints, "_claim", lambda self, area: None)


def state_not_put_right(patch):
    """A fallen bit costs the newest state."""
    patch.setattr(checkpoint, "_flipped", lambda change, length: None)


def wrong_bit_of_a_state_put_right(patch):
    real = checkpoint._flipped

    def flipped(change, length):
        place = real(change, length)
        return place and (place[0], place[1] ^ 3)

    patch.setattr(checkpoint, "_flipped", flipped)


def checkpoint_payload_unchecked(patch):
    """A header that verifies is enough."""
    real = checkpoint.Checkpoints._payload_crc

    def payload_crc(self, area, length):
        intact = crc32(self._raw_header(area)) == fmt.CRC_RESIDUE
        return (_trusted_crc if intact else real)(self, area, length)

    patch.setattr(checkpoint.Checkpoints, "_payload_crc", payload_crc)


def checkpoint_oldest_wins(patch):
    """Generations are compared the wrong way round."""

    def find(self):
        self._area = self._header = None
        self._last = 0
        for area in (0, 1):
            raw = self._raw_header(area)
            if crc32(raw) != fmt.CRC_RESIDUE:
                continue
            header = struct.unpack(checkpoint._HEADER, bytes(raw[:-4]))
            self._last = max(self._last, header[5])
            if self._header is None or header[5] < self._header[5]:
                self._area, self._header = area, header

    real = checkpoint.Checkpoints.save

    def save(self, buffers):
        try:
            return real(self, buffers)
        except StoreError:  # the check after the write notices, but who does not check ...
            return self._last

    patch.setattr(checkpoint.Checkpoints, "_find", find)
    patch.setattr(checkpoint.Checkpoints, "save", save)


class _Reads:
    """The kernels, but gather_latents reads from a copy of the log that `forge` has changed."""

    def __init__(self, real, forge):
        self._real, self._forge = real, forge

    def __getattr__(self, name):
        return getattr(self._real, name)

    def gather_latents(self, out, labels, raw, slots, layout, codes, at, count):
        raw = bytearray(raw)
        per_unit, unit_bytes, first_at, slot_bytes, record_at, _, _, end = layout
        for slot in slots[at : at + count]:
            start = slot // per_unit * unit_bytes + first_at + slot % per_unit * slot_bytes
            self._forge(raw, start, start + record_at, start + end)
        return self._real.gather_latents(out, labels, raw, slots, layout, codes, at, count)


def read_without_checksum(patch):
    """A batch takes a record whatever its checksum says."""

    def forge(raw, start, record, end):
        raw[end - 4 : end] = struct.pack("<I", crc32(raw[record : end - 4]))

    patch.setattr(reading, "kernels", _Reads(reading.kernels, forge))


def read_of_deleted_records(patch):
    """A batch does not look at the state of a record."""

    def forge(raw, start, record, end):
        raw[start] = 0xFF

    patch.setattr(reading, "kernels", _Reads(reading.kernels, forge))


def read_goes_on_behind_a_bad_record(patch):
    """The row of a damaged record keeps what was there, and counts as read."""
    real = reading.LatentReader._gather

    def gather(self, out, raw, at, count):
        real(self, out, raw, at, count)
        return at + count

    patch.setattr(reading.LatentReader, "_gather", gather)


def one_record_for_another(patch):
    """Slots are counted from one."""
    real = log.ReplayStore.gather_layout

    def gather_layout(self):
        layout = real(self)
        layout[2] += layout[3]
        return layout

    patch.setattr(log.ReplayStore, "gather_layout", gather_layout)


def targets_beside_the_checksum(patch):
    """The crc32 is that of the record without its targets."""
    real = log.ReplayStore._setup

    def setup(self, *args):
        real(self, *args)
        layout = self._layout
        window = memoryview(self._slot)
        self._body = window[layout.record_at : layout.targets_at]

    def intact(self, unit, index):
        self._readblocks(unit, self._slot, self._first_at + index * self._slot_bytes)
        at = self._layout.crc_at
        return self._slot[at : at + 4] == struct.pack("<I", crc32(self._body))

    patch.setattr(log.ReplayStore, "_setup", setup)
    patch.setattr(log.ReplayStore, "_read_slot", intact)
    patch.setattr(log, "_CRC_RESIDUE", _Anything())


class _Anything:
    """Equal to all."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


def targets_of_the_row_before(patch):
    """A batch has the targets of one record with the latent of another."""

    class Kernels(_Reads):
        def gather_targets(self, out, raw, slots, layout, at, count):
            others = slots[:1] + slots[:-1]
            self._real.gather_targets(out, raw, others, layout, at, count)

    patch.setattr(reading, "kernels", Kernels(reading.kernels, lambda *where: None))


def format_starts_anew_at_each_mount(patch):
    """A format that goes on erases first what says that it was begun."""
    real = units.Units.format

    def format_units(self):
        self.flash.erase(0)
        real(self)

    patch.setattr(units.Units, "format", format_units)


def dropped_unit_erased_before_survivors_move(patch):
    """The survivors of a drop are kept in RAM meanwhile."""

    def drop_unit(self, unit, keeps):
        first = unit * self._slots_per_unit
        survivors = []
        for index in range(self._slots_per_unit):
            if self.labels[first + index] != log.EMPTY:
                if keeps(self.labels[first + index]):
                    self._read_slot(unit, index)
                    survivors.append(bytes(self._slot))
                self._index.forget(first + index)
        self.collections += 1
        self._units.retire(unit)
        if survivors:
            self._open(self._units.next_free())
        for data in survivors:
            self._slot[:] = data
            self._program_slot(data[self._record_at], data[self._record_at + 1])

    patch.setattr(log.ReplayStore, "drop_unit", drop_unit)


def drop_only_in_ram(patch):
    """A dropped unit is free, but nothing in flash says so."""
    real = log.ReplayStore.drop_unit

    def drop_unit(self, unit, keeps):
        with_mark = self._units.retire

        def retire(unit):
            self._units.status[unit] = units.FREE
            if unit == self._units.open:
                self._units.open = -1

        self._units.retire = retire
        try:
            real(self, unit, keeps)
        finally:
            self._units.retire = with_mark

    patch.setattr(log.ReplayStore, "drop_unit", drop_unit)


def dropped_one_by_one(patch):
    """Records that a drop takes are deleted before it, so that a cut leaves some of them."""
    real = log.ReplayStore.drop_unit

    def drop_unit(self, unit, keeps):
        first = unit * self._slots_per_unit
        for slot in range(first, first + self._slots_per_unit):
            if self.labels[slot] != log.EMPTY and not keeps(self.labels[slot]):
                self._bury(slot)
        real(self, unit, keeps)

    patch.setattr(log.ReplayStore, "drop_unit", drop_unit)


def dropped_records_move_too(patch):
    """A unit with survivors moves as a whole: what was dropped comes back at the next mount."""
    real = log.ReplayStore.drop_unit

    def drop_unit(self, unit, keeps):
        first = unit * self._slots_per_unit
        labels = bytes(self.labels[first : first + self._slots_per_unit])
        if not any(label != log.EMPTY and keeps(label) for label in labels):
            return real(self, unit, keeps)
        start = self._slots_per_unit
        real(self, unit, lambda label: True)
        for slot in range(self._units.open * start, self._units.open * start + self._next):
            if self.labels[slot] != log.EMPTY and not keeps(self.labels[slot]):
                self._index.forget(slot)

    patch.setattr(log.ReplayStore, "drop_unit", drop_unit)


def laggard_retired_before_its_records_move(patch):
    """Wear levelling marks the least worn unit as soon as it has chosen it."""
    real = units.Units.laggard

    def laggard(self, spread, live):
        unit = real(self, spread, live)
        if unit >= 0:
            self.flash.program(unit, bytes(units.MARK_BYTES), self.layout.mark_at)
        return unit

    patch.setattr(units.Units, "laggard", laggard)


CUT_MUTANTS = (
    no_record_checksum,
    torn_slot_is_written_again,
    tombstone_only_in_ram,
    victim_retired_before_survivors_move,
    victim_erased_before_survivors_move,
    victim_not_retired,
    half_done_collection_is_left,
    no_unit_kept_for_collection,
    torn_header_is_foreign,
    unit_reused_without_erase,
    record_sequence_restarts,
    padding_with_zeros,
    no_padding,
    checkpoint_header_first,
    checkpoint_over_the_newest,
    checkpoint_oldest_wins,
)

INTERRUPT_MUTANTS = (
    slot_counted_after_its_program,
    interrupted_change_is_not_settled,
)

FLIP_MUTANTS = (
    no_record_checksum,
    one_bit_retires_a_unit,
    one_bit_revives_a_record,
    header_bit_costs_the_unit,
    checkpoint_payload_unchecked,
    state_not_put_right,
    wrong_bit_of_a_state_put_right,
    targets_beside_the_checksum,
)

FORMAT_MUTANTS = (
    format_without_a_mark,
    foreign_content_is_blank,
)

READ_MUTANTS = (
    read_without_checksum,
    read_of_deleted_records,
    read_goes_on_behind_a_bad_record,
    one_record_for_another,
    targets_of_the_row_before,
)

DROP_MUTANTS = (
    dropped_unit_erased_before_survivors_move,
    drop_only_in_ram,
    dropped_one_by_one,
    dropped_records_move_too,
    laggard_retired_before_its_records_move,
)

STRONG_MUTANTS = (
    (erased_with_a_header_alive, "fields"),
    (blank_region_begun_without_a_claim, "clearing"),
    (state_saved_without_a_claim, "clearing"),
)

REFORMAT_MUTANTS = (format_starts_anew_at_each_mount,)

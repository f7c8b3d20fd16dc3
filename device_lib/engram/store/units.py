"""The erase units of the replay log: which are free, open, used, torn; their headers and wear."""

from array import array

from ..errors import StoreError
from .format import (
    COUNT_AT,
    HEADER_BYTES,
    KIND_FORMATTING,
    KIND_STORE,
    MARK_BYTES,
    VERSIONS,
    UnitHeader,
    could_become,
    describe,
    foreign_version,
    is_blank,
    is_cleared,
    unpack_header,
)
from .geometry import no_flash

# Status of a unit
FREE = 0  # holds nothing of value: erased before it is opened
USED = 1  # holds slots
TORN = 2  # its header is damaged: a power cut while it was erased or opened; free
BAD = 3  # does not erase, or damaged beyond what a power cut explains; left alone

# What survey() found
FOUND, BLANK, FORMATTING = 0, 1, 2


class Units:
    """The units of a region, without their slots.

    flash: flash.Flash; layout: format.Layout; model_id u32; bits of a latent element.

    .status    one byte a unit
    .erases    erase count of each unit over its life
    .open      the unit opened last, -1 when none is
    .corrected, .bad   headers put right, units given up since survey()
    """

    def __init__(self, flash, layout, model_id, bits):
        self.flash = flash
        self.layout = layout
        self.model_id = model_id
        self.bits = bits
        self.count = flash.blocks
        self.status = bytearray(self.count)
        self.erases = array("I", range(self.count))
        self.open = -1
        self.corrected = self.bad = 0
        self._newest = 0  # sequence of the unit opened last, retired or not
        self._open_sequence = 0  # during a survey: of the open unit

    def survey(self):
        """Reads every header: FOUND, BLANK or FORMATTING. Changes nothing in flash.

        Raises StoreError when the region holds something else, or a store of another model,
        geometry or version.
        """
        self.open, self._open_sequence, self._newest = -1, 0, 0
        self.corrected = self.bad = 0
        ours = damage = 0
        version = None
        unknown, least = [], None
        raw = bytearray(HEADER_BYTES)
        for unit in range(self.count):
            self.flash.beat()
            self.flash.read(unit, raw, 0)
            self.status[unit] = FREE
            header, fixed = (None, 0) if is_blank(raw) else unpack_header(raw)
            if header:
                self._check(header)
                if header.kind == KIND_FORMATTING:
                    return FORMATTING
                ours += 1
                self.corrected += fixed
                self._take(unit, header)
                if least is None or header.erases < least:
                    least = header.erases
                continue
            unknown.append(unit)
            if not is_blank(raw):
                self.status[unit] = TORN
                damage += 1
                version = version or foreign_version(raw)
        for unit in unknown:
            self.erases[unit] = least or 0
        if ours:
            if damage > 1:
                self._give_up_torn()
            return FOUND
        foreign = self._first_foreign()
        if foreign < 0:
            return BLANK
        if version is not None:
            raise StoreError(
                "expected a store of format version %d or %d, got version %d; use the library "
                "that wrote it, or erase it with ReplayStore.format(...)" % (VERSIONS + (version,))
            )
        raw = bytearray(min(128, self.layout.erase_bytes))
        self.flash.read(foreign, raw, 0)
        raise StoreError(
            "the flash region holds no replay store: block %d has %s; if that may be erased, "
            "call ReplayStore.format(...)" % (foreign, describe(raw))
        )

    def _take(self, unit, header):
        self.erases[unit] = header.erases
        if not self._is_retired(unit):
            self.status[unit] = USED
            if header.sequence > self._open_sequence:
                self.open, self._open_sequence = unit, header.sequence
        self._newest = max(self._newest, header.sequence)

    def _is_retired(self, unit):
        mark = bytearray(MARK_BYTES)
        self.flash.read(unit, mark, self.layout.mark_at)
        return is_cleared(mark)

    def _give_up_torn(self):
        """A power cut tears one unit; more were overwritten by something: not ours to erase."""
        for unit in range(self.count):
            if self.status[unit] == TORN:
                self.status[unit] = BAD
                self.bad += 1

    def _check(self, header):
        mine = self._header(KIND_STORE, 0, 0)
        if header.model_id != mine.model_id:
            raise StoreError(
                "expected latents of model %08x in the region, got those of model %08x; "
                "load that model, or erase the region with ReplayStore.format(...)"
                % (mine.model_id, header.model_id)
            )
        if header.targets != mine.targets:
            raise StoreError(
                "expected records with %d targets, got a store of records with %d; open it with "
                "targets=%d, or erase the region with ReplayStore.format(...)"
                % (mine.targets, header.targets, header.targets)
            )
        if header.geometry() != mine.geometry():
            raise StoreError(
                "the region: expected a store of %s, got one of %s; open it as it was made, "
                "or erase it with ReplayStore.format(...)" % (mine.geometry(), header.geometry())
            )

    def _first_foreign(self):
        """The first unit that is not blank, -1 if none; a torn header of ours counts as blank."""
        raw = bytearray(HEADER_BYTES)
        firsts = [
            self._header(kind, sequence, 0).pack()[:COUNT_AT]  # the erase count may be any
            for kind, sequence in ((KIND_STORE, 0), (KIND_STORE, 1), (KIND_FORMATTING, 0))
        ]
        begun_to = self.layout.mark_at + MARK_BYTES
        for unit in range(self.count):
            self.flash.beat()
            self.flash.read(unit, raw, 0)
            is_begun = any([could_become(raw, first) for first in firsts])
            if not self.flash.is_blank(unit, begun_to if is_begun else 0):
                return unit
        return -1

    def _header(self, kind, sequence, erases):
        layout = self.layout
        return UnitHeader(
            kind, self.bits, layout.erase_bytes, self.count, layout.page_bytes,
            layout.latent_bytes, layout.slots, self.model_id, sequence, erases, layout.targets,
        )

    # -- changes -----------------------------------------------------------------------

    def format(self):
        """Erases everything; unit 0 says so meanwhile, so that a mount can go on with it."""
        raw = bytearray(HEADER_BYTES)
        is_ours = False
        for unit in range(self.count):
            self.flash.read(unit, raw, 0)
            old = None if is_blank(raw) else unpack_header(raw)[0]
            self.erases[unit] = old.erases if old else 0
            if unit == 0 and old and old.kind == KIND_FORMATTING:
                mine = self._header(KIND_FORMATTING, 0, 0)
                is_ours = old.model_id == mine.model_id and old.geometry() == mine.geometry()
        if not is_ours:  # else what says so is left until all else is done
            self._erase_to_format(0)
            self.flash.program(0, self._header(KIND_FORMATTING, 0, self.erases[0]).pack(), 0)
        for unit in range(1, self.count):
            self._erase_to_format(unit)
            self._leave_free(unit)
        self._erase_to_format(0)
        self._leave_free(0)

    def begin(self):
        """Opens the first unit of a blank region, after trying there what flash does.

        What is tried is a header of kind `F` and its mark: a mount that finds it formats. Another
        unit gets a retired header first: while one is erased, the region is known by the other.
        """
        for unit in range(1, self.count):
            if self.flash.is_blank(unit):
                self.erases[unit] = 1  # as of unit 0: units without a header count as the least
                self._leave_free(unit)
                self.erases[unit] = 0
                break
        if not self.flash.is_blank(0):
            self._erase_to_format(0)
        self._try(0, KIND_FORMATTING)
        if not self.open_unit(0):
            raise self._does_not_erase(0)

    def _try(self, unit, kind):
        """Programs a header, then its mark, and sees that the mark left the header as it was.

        Raises StoreError for a device that caches, erases or overwrites, but not for a worn cell.
        """
        flash = self.flash
        header = self._header(kind, 0, self.erases[unit]).pack()
        before, after = bytearray(HEADER_BYTES), bytearray(HEADER_BYTES)
        try:
            answer = flash.program(unit, header, 0)
            flash.read(unit, before, 0)
            if not flash.once and not answer:
                answer = flash.program(unit, b"\xff" * HEADER_BYTES, 0)
            answer = answer or flash.program(unit, bytes(MARK_BYTES), self.layout.mark_at)
        except (TypeError, OSError) as error:
            answer = repr(error)
        if answer or is_blank(before):
            raise no_flash(
                "does not program part of a block, writeblocks(%d, buf, 0) gave %s"
                % (unit, answer)
            )
        flash.read(unit, after, 0)
        if after != before:
            raise no_flash(
                "overwrites what flash would keep: a program in block %d changed bytes beside "
                "its own or set bits, as caches, SD cards and RAM disks do" % unit
            )

    def _erase_to_format(self, unit):
        self.erases[unit] += 1
        if not self.flash.erase(unit):
            raise self._does_not_erase(unit)

    def _does_not_erase(self, unit):
        return no_flash(
            "does not erase: unit %d does not read as 0xFF after an erase, ioctl(6, %d) answered "
            "%r" % (unit, unit, self.flash.answer)
        )

    def _leave_free(self, unit):
        """A header that is retired at once: it keeps the erase count."""
        self._try(unit, KIND_STORE)
        self._is_free(unit)

    def retire(self, unit):
        """Nothing in the unit is valid from here on."""
        mark = bytearray(b"\xff" * MARK_BYTES)
        if self.flash.once:
            self.flash.read(unit, mark, self.layout.mark_at)
        if is_blank(mark):  # else begun, and cut: it is erased
            self.flash.program(unit, bytes(MARK_BYTES), self.layout.mark_at)
        self._is_free(unit)

    def _is_free(self, unit):
        if not self._is_retired(unit):
            self._clear(unit)
        self.status[unit] = FREE
        if unit == self.open:
            self.open = -1

    def open_unit(self, unit):
        """Erases a free unit and makes it the open one; False if it fails, it is bad then."""
        self.erases[unit] += 1
        self._newest += 1
        header = self._header(KIND_STORE, self._newest, self.erases[unit]).pack()
        good = self._clear(unit)
        if good:
            self.flash.program(unit, header, 0)
            raw = bytearray(HEADER_BYTES)
            self.flash.read(unit, raw, 0)
            good = raw == header
        if not good:
            self.status[unit] = BAD
            self.bad += 1
            return False
        self.status[unit] = USED
        self.open = unit
        return True

    def _clear(self, unit):
        """Erases a unit; whether it then reads as ones. Its header goes first, where a page may be
        programmed twice: an erase that is cut may raise the retired mark and leave the rest."""
        raw = bytearray(HEADER_BYTES)
        self.flash.read(unit, raw, 0)
        header = None if self.flash.once or is_blank(raw) else unpack_header(raw)[0]
        if header and header.kind == KIND_STORE:
            self.flash.program(unit, bytes(HEADER_BYTES), 0)
        return self.flash.erase(unit)

    # -- choices -----------------------------------------------------------------------

    def free(self):
        """How many units can be opened."""
        return sum([1 for status in self.status if status in (FREE, TORN)])

    def used(self):
        """The units that hold slots."""
        return [unit for unit in range(self.count) if self.status[unit] == USED]

    def next_free(self):
        """A torn unit first, so that there is never a second; else the least worn, in turns."""
        best = -1
        for i in range(1, self.count + 1):
            unit = (self.open + i) % self.count
            if self.status[unit] == TORN:
                return unit
            if self.status[unit] == FREE and (
                best < 0 or self.erases[unit] < self.erases[best]
            ):
                best = unit
        return best

    def laggard(self, spread, live):
        """The unit in use whose records have to move before another unit is opened, or -1.

        Units differ by `spread` erases at most as long as one is opened only while it is less
        than that ahead of the least worn. The last free unit that may be opened then takes in a
        least worn one, which may be opened next. live: records in each unit.
        """
        least = min([
            self.erases[unit] for unit in range(self.count) if self.status[unit] != BAD
        ])
        count, laggard = 0, -1
        for unit in range(self.count):
            if self.status[unit] == USED:
                if self.erases[unit] == least and (laggard < 0 or live[unit] < live[laggard]):
                    laggard = unit
            elif self.status[unit] != BAD and self.erases[unit] < least + spread:
                count += 1
        return laggard if count < 2 else -1

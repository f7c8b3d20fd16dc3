"""The replay store: an append-only log of latents in flash, as REPLAY_FORMAT.md describes it."""

from array import array
from binascii import crc32

from ..compat import bytes_of, const, ticks_diff, ticks_us
from ..errors import DataError, StoreError
from .flash import Flash
from .format import (
    EMPTY,
    MAX_SESSION,
    MAX_TARGETS,
    Layout,
    is_cleared,
    put_crc,
    put_record_head,
    record_session,
    record_sequence,
)
from .index import SlotIndex
from .units import BAD, BLANK, FORMATTING, Units

WEAR_SPREAD = 1  # erases by which two units may differ, unless a policy allows more
_CRC_RESIDUE = const(0x2144DF1C)  # format.CRC_RESIDUE, without a look-up for each read
_EMPTY = const(255)  # format.EMPTY
_SLOT_TRIES = 4  # slots of a unit tried for one record, then of the next, before giving up
# What a slot holds
_LIVE = const(0)
_DEAD = const(1)
_UNWRITTEN = const(2)


class _Subscript:
    """Gives its subscript back: the only way to a slice object that both Pythons have."""

    def __getitem__(self, subscript):
        return subscript


_ALL = _Subscript()[:]


class ReplayStore:
    """Latents with label, session and targets, in flash, found again after a reset.

    dev            block device of the replay region (MicroPython's extended protocol)
    program_bytes  programs start and end on multiples of it; None: as the device says
    model_id       u32: which model's latents these are
    latent_bytes   bytes of a latent
    bits           of a latent element, for whoever unpacks them
    format_if_blank  False: a blank region is refused
    align          True: no program page is ever programmed twice between erases; False: pages
                   are, other bytes of them each time; None: as the device says (geometry.py)
    reserve        units kept beyond the capacity, at least 1; None: an eighth. More of them
                   make replacing records in a full store cheaper.
    erase          True: erases the region first, whatever it holds, as format() does
    targets        float32 values that belong to each latent, 0 to 64
    beat           None, or called at each unit that a mount looks at, each program and each erase:
                   they may take long, and a host may wait for a sign of life

    .labels        bytearray, one byte per slot: 0..254, or 255 where there is no record; with
                   targets 254 is format.NO_CLASS
    .sessions      array('H'), one number per slot: the session of its record, 0..65535. Older
                   libraries stored it modulo 256: numbers.number_of() says what
                   their records count as
    .capacity      records it takes; slots are numbered 0 .. len(labels) - 1, which is more
    .collections   grows when records have moved: slot numbers from before are void then
    .wear_spread   erases by which units may differ
    .thinner       None, or a replacement policy that knows erase units: its thin(store) is called
                   when the open unit is full, and may drop_unit(); it returns whether it did
    .mapped        the log as memory, for kernels.gather_latents; None where the processor does
                   not see the flash: fetch() brings a slot to .fetched then

    A record is durable when append() returns. Raises StoreError when the region is too
    small, holds something else, or belongs to another model, geometry or version.
    """

    def __init__(self, dev, program_bytes, model_id, latent_bytes, bits=8, *,
                 format_if_blank=True, align=None, reserve=None, erase=False, beat=None,
                 targets=0):
        self._setup(
            dev, program_bytes, model_id, latent_bytes, bits, align, reserve, beat, targets
        )
        self._format_if_blank = format_if_blank
        if erase:
            self._units.format()
        self._mount()

    @classmethod
    def format(cls, dev, program_bytes, model_id, latent_bytes, bits=8, *,
               align=None, reserve=None, targets=0):
        """Erases the whole region, whatever it holds, and returns the empty store.

        A format that was cut short is finished by the next mount.
        """
        return cls(dev, program_bytes, model_id, latent_bytes, bits, align=align,
                   reserve=reserve, erase=True, targets=targets)

    def _setup(self, dev, program_bytes, model_id, latent_bytes, bits, align, reserve, beat,
               targets):
        if not 1 <= bits <= 32 or not 1 <= latent_bytes <= 65535:
            raise StoreError(
                "expected latents of 1 to 65535 bytes and 1 to 32 bits, got %r bytes of %r bits"
                % (latent_bytes, bits)
            )
        if not 0 <= targets <= MAX_TARGETS:
            raise StoreError(
                "expected 0 to %d targets, got %r; give the store fewer" % (MAX_TARGETS, targets)
            )
        self._flash = flash = Flash(dev, program_bytes, align, beat)
        self.mapped = flash.mapped
        page_bytes = flash.program_bytes if flash.once else 1
        layout = Layout(flash.erase_bytes, page_bytes, latent_bytes, targets)
        if layout.slots < 1 or flash.blocks < 2:
            unit = max(flash.erase_bytes, layout.first_at + layout.slot_bytes)
            raise StoreError(
                "a replay log of %d-byte latents needs %d bytes, 2 erase units of %d; %d bytes, "
                "%d units of %d, are available: give it a larger region or smaller latents"
                % (latent_bytes, 2 * unit, unit, flash.blocks * flash.erase_bytes, flash.blocks,
                   flash.erase_bytes)
            )
        reserve = max(1, flash.blocks // 8) if reserve is None else reserve
        if not 1 <= reserve < flash.blocks:
            raise StoreError(
                "expected a reserve of 1 to %d units, got %r" % (flash.blocks - 1, reserve)
            )
        self.model_id = model_id & 0xFFFFFFFF
        self.latent_bytes = latent_bytes
        self.bits = bits
        self.targets = targets
        self.capacity = (flash.blocks - reserve) * layout.slots
        self.bad = self.torn = self.collections = self.moved = 0
        self.appended = self.dropped = 0
        self.wear_spread = WEAR_SPREAD
        self.thinner = None
        self._mount_us = self._mount_slots = 0
        self._layout = layout
        # What every read needs, at hand.
        self._slots_per_unit = layout.slots
        self._first_at = layout.first_at
        self._slot_bytes = layout.slot_bytes
        self._record_at = layout.record_at
        self._units = Units(flash, layout, self.model_id, bits)
        self._index = SlotIndex(flash.blocks, layout.slots)
        self.labels = self._index.labels
        self.sessions = self._index.sessions
        # One slot, and windows onto it: reading a record must not allocate.
        self._slot = self.fetched = bytearray(layout.slot_bytes)
        window = memoryview(self._slot)
        self._record = window[layout.record_at : layout.crc_at + 4]
        self._body = window[layout.record_at : layout.crc_at]
        self._latent = window[layout.latent_at : layout.targets_at]
        self._target = window[layout.targets_at : layout.crc_at]
        self._blank = b"\xff" * layout.slot_bytes
        self._readblocks = flash.dev.readblocks
        self._next = layout.slots  # slot of the open unit that comes next
        self._sequence = 1  # of the record that comes next
        self._seen = 0  # sequence of the record inspected last
        self._levelled = False  # the victim before was chosen for its wear alone
        self._unsettled = False  # an exception cut a change short: mount before the next one

    # -- mounting ----------------------------------------------------------------------

    def _mount(self):
        """Builds the RAM index from flash, and finishes work that a power cut interrupted."""
        start = ticks_us()
        self._unsettled = True
        units = self._units
        state = units.survey()
        if state == FORMATTING:
            units.format()
            state = units.survey()
        if state == BLANK:
            if not self._format_if_blank:
                raise StoreError(
                    "expected a replay store, got blank flash; make one with "
                    "ReplayStore.format(...)"
                )
            units.begin()
        self._scan()
        self._unsettled = False
        self._mount_us = ticks_diff(ticks_us(), start)

    def _scan(self):
        """Enters every record. Two of one sequence number: a collection was cut short."""
        self._index.clear()
        self.torn = 0
        self._mount_slots = len(self._units.used()) * self._slots_per_unit
        self._next, self._sequence = self._slots_per_unit, 1
        newest = self._units.open
        copies = set()
        if newest >= 0:
            self._next = self._scan_unit(newest, None, copies)
        twins = set()
        for unit in self._units.used():
            if unit != newest:
                self._scan_unit(unit, copies, twins)
        if newest >= 0 and (twins or not self._units.free()):
            self._resolve(newest, twins)
        if not self._flash.once:
            return
        # A cut has begun the mark of a record: that page must not be programmed twice, so the
        # record could not be deleted. Its unit is left.
        state = bytearray(1)
        for slot in range(len(self.labels)):
            unit, index = slot // self._slots_per_unit, slot % self._slots_per_unit
            if self.labels[slot] != EMPTY and self._units.free():
                self._flash.read(unit, state, self._layout.slot_at(index))
                if state[0] != 0xFF:
                    self.drop_unit(unit, lambda label: True)

    def _scan_unit(self, unit, known, numbers):
        """Enters the records of a unit; returns the slot after the last written one.

        numbers: set that takes their sequence numbers; those in `known`, if that is a set.
        """
        self._flash.beat()
        end = 0
        slot = unit * self._slots_per_unit
        least = min(known) if known else 0  # most records are older: no look-up for them
        enter = self._index.enter
        label_at = self._record_at
        for index in range(self._slots_per_unit):
            what = self._inspect(unit, index)
            if what != _UNWRITTEN:
                end = index + 1
            if what == _LIVE:
                session = record_session(self._slot, label_at)
                enter(slot + index, self._slot[label_at], session)
                if known is None or self._seen >= least and self._seen in known:
                    numbers.add(self._seen)
        return end

    def _inspect(self, unit, index):
        """Reads a slot and says what it holds. An intact record's sequence is in self._seen then;
        the next sequence stays ahead of all of them, deleted ones too."""
        if self._read_slot(unit, index):
            self._seen = sequence = record_sequence(self._slot, self._record_at)
            if sequence >= self._sequence:
                self._sequence = sequence + 1
            return _DEAD if self._slot[0] != 0xFF and is_cleared(self._slot[:1]) else _LIVE
        if self._slot == self._blank:
            return _UNWRITTEN
        if not is_cleared(self._slot[:1]):
            self.torn += 1
        return _DEAD

    def _resolve(self, newest, twins):
        """Undoes or finishes a collection that stopped half-way.

        Its target is the unit opened last, and until the victim is retired all that is in
        there are copies: the target becomes free again. Should the original of a copy have
        rotted meanwhile, the copies stay and the originals go.
        """
        if len(twins) == self._index.live[newest]:
            self._index.forget_unit(newest)
            self._units.retire(newest)
            self._next = self._slots_per_unit
            return
        for unit in self._units.used():
            for index in range(self._slots_per_unit if unit != newest else 0):
                if self._inspect(unit, index) == _LIVE and self._seen in twins:
                    self._bury(unit * self._slots_per_unit + index)
        room = self._slots_per_unit - self._next
        for unit in self._units.used():
            if unit != newest and not self._units.free() and self._index.live[unit] <= room:
                self._move_all(unit)

    # -- records -----------------------------------------------------------------------

    def append(self, latent, label, session, target=None):
        """Adds a record; returns its slot. It is durable then.

        latent: latent_bytes bytes; label 0..254; session 0..65535; target: the bytes of
        `targets` float32 values, None where the store has none. May collect a unit, which moves
        records. Raises DataError on bad input and StoreError when the store is
        full, before anything changes; StoreError when the flash is worn out.
        """
        _check_bytes(latent, self.latent_bytes)
        self._check_target(target)
        if not isinstance(label, int) or not 0 <= label < EMPTY:
            raise DataError("expected a label from 0 to %d, got %r" % (EMPTY - 1, label))
        if not isinstance(session, int) or not 0 <= session <= MAX_SESSION:
            raise DataError(
                "expected a session from 0 to %d, got %r" % (MAX_SESSION, session)
            )
        self.settle()
        if self._index.total >= self.capacity:
            raise StoreError(
                "the store is full, %d records: delete some before appending" % self.capacity
            )
        self._unsettled = True
        for n in range(2 * _SLOT_TRIES):
            if n == _SLOT_TRIES:
                self._next = self._slots_per_unit  # something is wrong with this unit
            self._make_room()
            _copy(self._latent, latent)
            if target is not None:
                _copy(self._target, target)
            put_record_head(self._slot, self._layout.record_at, label, session, self._sequence)
            put_crc(self._slot, self._layout.crc_at, self._body)
            slot = self._program_slot(label, session)
            if slot >= 0:
                self._sequence += 1
                self.appended += 1
                self._unsettled = False
                return slot
        raise StoreError(
            "%d programs in a row failed verification: the flash is worn out or write-protected"
            % (2 * _SLOT_TRIES)
        )

    def _check_target(self, target):
        if self.targets and target is None:
            raise DataError(
                "expected a target of %d bytes, got None; give the %d float32 values of the record"
                % (4 * self.targets, self.targets)
            )
        if target is not None:
            if not self.targets:
                raise DataError("expected no target, got one; open a store with targets=")
            _check_bytes(target, 4 * self.targets, "target")

    def read_into(self, slot, buf, target=None):
        """Copies the latent of a record into buf; returns its label. Allocates nothing.

        buf: a writable buffer of latent_bytes bytes; target: None, or one of 4 * targets bytes,
        which takes the targets. Raises DataError when one has another length, StoreError when the
        slot is empty or its record is damaged; a damaged record is marked dead.
        """
        self.settle()
        try:
            label = self.labels[slot] if slot >= 0 else _EMPTY
        except (IndexError, TypeError):
            label = _EMPTY
        if label == _EMPTY:
            raise self._no_record(slot)
        if len(buf) != self.latent_bytes:
            _check_bytes(buf, self.latent_bytes)
        if target is not None:
            _check_bytes(target, 4 * self.targets, "target")
        self.fetch(slot)
        if crc32(self._record) != _CRC_RESIDUE:
            self._look_again(slot)
        try:
            buf[_ALL] = self._latent
        except (TypeError, ValueError):
            _copy(buf, self._latent)
        if target is not None:
            _copy(target, self._target)
        return label

    @property
    def next_sequence(self):
        """Sequence number of the record that comes next."""
        return self._sequence

    def sequence(self, slot):
        """Sequence number of a record: later records have higher ones, and it keeps its own when
        it moves to another slot. Raises StoreError as read_into() does."""
        self.settle()
        if self.labels[slot] == _EMPTY:
            raise self._no_record(slot)
        self.fetch(slot)
        if crc32(self._record) != _CRC_RESIDUE:
            self._look_again(slot)
        return record_sequence(self._slot, self._record_at)

    def gather_layout(self):
        """array('i') of 8, the layout that kernels.gather_latents takes: of .mapped, or of
        .fetched, where every slot lies at the start."""
        layout = self._layout
        strides = (layout.erase_bytes, layout.first_at, layout.slot_bytes)
        head = (layout.slots,) + ((0, 0, 0) if self.mapped is None else strides)
        record = (layout.record_at, layout.latent_at, layout.targets_at, layout.crc_at + 4)
        return array("i", head + record)

    def settle(self):
        """Before slots are read past read_into(): finishes what an exception cut short."""
        if self._unsettled:
            self._mount()

    def fetch(self, slot):
        """Reads a slot as it lies in flash into .fetched, unchecked. Allocates nothing."""
        self._readblocks(
            slot // self._slots_per_unit,
            self._slot,
            self._first_at + slot % self._slots_per_unit * self._slot_bytes,
        )

    def _look_again(self, slot):
        """Reads a slot once more, since reads can fail too, before its record is condemned."""
        unit, index = slot // self._slots_per_unit, slot % self._slots_per_unit
        if not self._read_slot(unit, index):
            self._condemn(slot)

    def delete(self, slot):
        """Deletes a record: it never comes back. Raises StoreError when the slot is empty."""
        self.settle()
        if not isinstance(slot, int) or not 0 <= slot < len(self.labels):
            raise self._no_record(slot)
        if self.labels[slot] == EMPTY:
            raise self._no_record(slot)
        self._unsettled = True
        self._bury(slot)
        self._unsettled = False

    def _no_record(self, slot):
        return StoreError(
            "expected a slot from 0 to %d with a record, got %r, which has none"
            % (len(self.labels) - 1, slot)
        )

    def _condemn(self, slot):
        self.settle()
        self._unsettled = True
        self.bad += 1
        self._bury(slot)
        self._unsettled = False
        raise StoreError(
            "the record in slot %d is damaged: its checksum fails; it is marked dead" % slot
        )

    def _bury(self, slot):
        """Clears the state byte of a slot, then forgets it."""
        unit, offset = slot // self._slots_per_unit, self._layout.slot_at(
            slot % self._slots_per_unit
        )
        state = bytearray(1)
        if self._flash.once:
            self._flash.read(unit, state, offset)
            if state[0] != 0xFF:  # begun, and cut: the mount leaves the unit
                self._index.forget(slot)
                return
        self._flash.program(unit, b"\x00", offset)
        self._flash.read(unit, state, offset)
        if not is_cleared(state):
            raise StoreError(
                "the record in slot %d could not be marked deleted: the flash is worn out or "
                "write-protected" % slot
            )
        self._index.forget(slot)

    def _read_slot(self, unit, index):
        """Reads a slot into self._slot; whether its record is intact."""
        self._readblocks(unit, self._slot, self._first_at + index * self._slot_bytes)
        return crc32(self._record) == _CRC_RESIDUE

    def _program_slot(self, label, session):
        """Programs the record in self._slot into the next slot; that slot, or -1 if it fails."""
        unit, index = self._units.open, self._next
        self._next += 1  # first: a slot that was begun is never begun again
        offset = self._layout.slot_at(index) + self._layout.record_at
        sequence = record_sequence(self._slot, self._record_at)
        self._flash.program(unit, self._record, offset)
        intact = self._read_slot(unit, index)
        if not intact or record_sequence(self._slot, self._record_at) != sequence:
            self.bad += 1
            return -1
        slot = unit * self._slots_per_unit + index
        self._index.enter(slot, label, session)
        return slot

    # -- collection --------------------------------------------------------------------

    def _make_room(self):
        """Opens a unit when the open one is full: after a policy has dropped one, after one that
        was worn less has moved, or by collecting one when it is the last free one."""
        units = self._units
        while self._next >= self._slots_per_unit:
            free = units.free()
            laggard = units.laggard(self.wear_spread, self._index.live) if free > 1 else -1
            if laggard >= 0:
                self._collect(laggard)
            elif self.thinner is not None and free > 1 and self.thinner.thin(self):
                continue
            elif free > 1:
                self._open(units.next_free())
            elif free:
                self._collect(self._victim())
            else:
                self._retire_emptied()

    def used_units(self):
        """The erase units that hold records, the open one among them."""
        return self._units.used()

    def free_units(self):
        """How many erase units can be opened."""
        return self._units.free()

    def drop_unit(self, unit, keeps):
        """Frees an erase unit: records with keeps(label) move on, the others are gone.

        For a .thinner. Without anything to move this is one program; a cut before it leaves all
        records, one after it none.
        """
        first = unit * self._slots_per_unit
        for slot in range(first, first + self._slots_per_unit):
            label = self.labels[slot]
            if label != EMPTY and not keeps(label):
                self._index.forget(slot)
                self.dropped += 1
        if self._index.live[unit]:
            self._collect(unit)
        else:
            self.collections += 1
            self._units.retire(unit)

    def _open(self, unit):
        if self._units.open_unit(unit):
            self._next = 0
            return True
        self.bad += 1
        return False

    def _victim(self):
        """The unit to erase next: among the units that wear allows, its collection moves least.

        Wear allows the least worn units. In a region that was worn unevenly before, they take
        turns with the unit that has the fewest records, because moving a full one frees no slot.
        """
        erases, live = self._units.erases, self._index.live
        all_units = self._units.used()
        fewest = min(all_units, key=lambda unit: live[unit]) if all_units else -1
        if fewest < 0 or live[fewest] == self._slots_per_unit:
            raise StoreError(
                "no slot can be freed, %d of %d units are damaged: delete records or format "
                "the region" % (self._bad_units(), self._units.count)
            )
        least = min([erases[unit] for unit in all_units])
        units = [unit for unit in all_units if erases[unit] < least + self.wear_spread]
        victim = min(units, key=lambda unit: live[unit])
        uneven = max([erases[unit] for unit in all_units]) > least + self.wear_spread + 1
        self._levelled = not (
            uneven and self._levelled and live[victim] == self._slots_per_unit
        )
        return victim if self._levelled else fewest

    def _collect(self, victim):
        """Moves the live records of a unit into the last free unit, which makes the victim free.

        Until the victim is marked retired its records are the valid ones, and all that is in
        the new unit is copies; the mark is one program, so a cut leaves one of the two.
        """
        if self._open(self._units.next_free()):
            self.collections += 1
            self._move_all(victim)

    def _move_all(self, victim):
        first = victim * self._slots_per_unit
        for index in range(self._slots_per_unit):
            if self.labels[first + index] != EMPTY:
                self._move(victim, index)
        self._units.retire(victim)

    def _move(self, victim, index):
        slot = victim * self._slots_per_unit + index
        while self._next < self._slots_per_unit:
            if not self._read_slot(victim, index) and not self._read_slot(victim, index):
                self.bad += 1
                self._index.forget(slot)
                return
            label = self._slot[self._record_at]
            session = record_session(self._slot, self._record_at)
            if self._program_slot(label, session) >= 0:
                self._index.forget(slot)
                self.moved += 1
                return
        raise StoreError("the flash is worn out: too many programs fail verification")

    def _retire_emptied(self):
        """Without a free unit, one that holds no record becomes free."""
        for unit in self._units.used():
            if not self._index.live[unit]:
                self._units.retire(unit)
                return
        raise StoreError(
            "no erase unit is left to collect into, %d of %d are damaged: save what can be "
            "read, then format the region" % (self._bad_units(), self._units.count)
        )

    def _bad_units(self):
        return sum([1 for status in self._units.status if status == BAD])

    # -- figures -----------------------------------------------------------------------

    def __len__(self):
        return self._index.total

    def counts(self, label):
        """Records of a label."""
        return self._index.count(label)

    def info(self):
        """The store in figures, as a dict of integers.

        torn: records that the mount found damaged; bad: records, programs and erases that
        failed since; corrected: unit headers with one bit put right; wear_min, wear_max: erases
        of a unit over its life; mount_us: time of the mount, which read the header of every unit
        and mount_slots slots, all those of units in use.
        Since the mount: appended records, those moved and dropped by collections, erases,
        bytes_programmed (whole pages). Write amplification is (appended + moved) / appended.
        """
        self.settle()
        flash, layout, units = self._flash, self._layout, self._units
        count = len(units.used()) * self._slots_per_unit
        if units.open >= 0:
            count -= self._slots_per_unit - self._next
        return {
            "capacity": self.capacity,
            "live": self._index.total,
            "dead": count - self._index.total,
            "torn": self.torn,
            "bad": self.bad,
            "corrected": units.corrected,
            "appended": self.appended,
            "collections": self.collections,
            "dropped": self.dropped,
            "moved": self.moved,
            "erases": flash.erases,
            "bytes_programmed": flash.programmed,
            "blocks": units.count,
            "free_blocks": units.free(),
            "bad_blocks": self._bad_units(),
            "erase_bytes": layout.erase_bytes,
            "program_bytes": flash.program_bytes,
            "program_once": flash.once,
            "slots_per_block": layout.slots,
            "slot_bytes": layout.slot_bytes,
            "latent_bytes": self.latent_bytes,
            "bits": self.bits,
            "targets": self.targets,
            "model_id": self.model_id,
            "wear_min": min(units.erases),
            "wear_max": max(units.erases),
            "mount_us": self._mount_us,
            "mount_slots": self._mount_slots,
            "slots": len(self.labels),
            "ram_bytes": self._index.ram_bytes() + 5 * units.count + layout.slot_bytes,
        }


def _check_bytes(buf, expected, what="latent"):
    try:
        size = len(memoryview(buf))
    except TypeError:
        raise DataError("expected %d bytes, got a %s" % (expected, type(buf).__name__))
    if size != expected:
        raise DataError("expected a %s of %d bytes, got %d" % (what, expected, size))


def _copy(to, data):
    """to[:] = data, both of single bytes and one length. Allocates nothing on MicroPython."""
    try:
        to[_ALL] = data
    except (TypeError, ValueError):  # CPython tells signed bytes from unsigned ones
        try:
            bytes_of(to, 1)[_ALL] = bytes_of(data, 1)
        except (TypeError, ValueError):
            raise DataError("expected a buffer of single bytes that can be written, got another")

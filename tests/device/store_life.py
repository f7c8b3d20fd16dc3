"""A scripted life of the replay store and the checkpoints, and the wrecks of it.

Runs on CPython and MicroPython. A life is run once with a journal of every byte that was
programmed and every part of an erase; the flash after each prefix of that journal is a wreck.
A wreck must mount, and must hold what was acknowledged: the records and the saved state from
before or from after the operation that was cut, whole and once.
"""

import struct
from array import array

from engram.errors import EngramError
from engram.store import Checkpoints, ReplayStore, regions
from nor import UP, Journal, NorFlash

EMPTY, NO_CLASS = 255, 254


class Scene:
    """A geometry, and the life that is lived on it.

    units, erase_bytes, program_bytes, latent_bytes, align: of the store
    parts: sizes in int32 and float32 of the saved state
    order, erase_steps: how the flash tears
    targets: float32 values of a record
    unlabelled: whether two records of three have the label of samples without one
    """

    def __init__(self, units, erase_bytes, program_bytes, latent_bytes, align=False, order=UP,
                 erase_steps=6, parts=(3, 5), reserve=None, targets=0, unlabelled=False):
        self.units = units
        self.erase_bytes = erase_bytes
        self.program_bytes = program_bytes
        self.latent_bytes = latent_bytes
        self.align = align
        self.order = order
        self.erase_steps = erase_steps
        self.parts = parts
        self.reserve = reserve
        self.targets = targets
        self.unlabelled = unlabelled
        self.data_bytes = latent_bytes + 4 * targets

    def __repr__(self):
        return "%dx%d program %d latent %d%s%s%s %s" % (
            self.units, self.erase_bytes, self.program_bytes, self.latent_bytes,
            " targets %d" % self.targets if self.targets else "",
            " unlabelled" if self.unlabelled else "", " align" if self.align else "", self.order,
        )

    def label(self, number):
        """That of a record, of a number below EMPTY."""
        return NO_CLASS if self.unlabelled and number % 3 else number

    def flash(self):
        return NorFlash(self.units, self.erase_bytes, self.program_bytes, self.order,
                        self.erase_steps, self.align)

    def regions(self, flash):
        return regions(flash, 4 * sum(self.parts), self.program_bytes)

    def store(self, flash, how=ReplayStore):
        """Mounts (how=ReplayStore) or formats (how=ReplayStore.format) the store."""
        return how(self.regions(flash)[0], self.program_bytes, 0xC0FFEE11, self.latent_bytes,
                   align=self.align, reserve=self.reserve, targets=self.targets)

    def checkpoints(self, flash):
        return Checkpoints(self.regions(flash)[1], self.program_bytes, 0xC0FFEE11)


class Life:
    """One boot: store, checkpoints, and what they must hold.

    .records  {payload: (label, session)}; a payload is a latent and the targets behind it
    .saved    payload of the saved state, or None
    .intent   (records, saved) as they are to be after the operation under way
    .acts     [(steps before, steps after, state before, state after)] of each operation
    """

    def __init__(self, scene, flash, boot, records=None, saved=None):
        self.scene = scene
        self.flash = flash
        self.boot = boot
        self.records = dict(records or {})
        self.saved = saved
        self.intent = self.state()
        self.acts = []
        self.made = 0
        self.store = self.checkpoints = None
        self._random = boot * 7919 + 1

    def below(self, n):
        self._random = (self._random * 4093 + 12829) & 0xFFFFFF
        return (self._random >> 4) % n

    def payload(self, n):
        """n bytes that no other record and no other boot has."""
        self.made += 1
        head = struct.pack("<HH", self.boot, self.made)
        return (head + bytes([self.below(256) for _ in range(n - len(head))]))[:n]

    def state(self):
        return self.records, self.saved  # a change makes a new dictionary

    def act(self, operation, *args):
        journal = self.flash.journal
        before, start = self.state(), len(journal) if journal is not None else 0
        operation(*args)
        if journal is not None:
            self.acts.append((start, len(journal), before, self.state()))

    def mount(self):
        self.store = self.scene.store(self.flash)
        self.checkpoints = self.scene.checkpoints(self.flash)

    def append(self):
        data = self.payload(self.scene.data_bytes)
        label, session = self.scene.label(self.below(EMPTY)), self.below(400)
        records = dict(self.records)
        records[data] = (label, session)
        self.intent = records, self.saved
        append_record(self.store, data, label, session)
        self.records = records

    def delete(self):
        slots = [s for s in range(len(self.store.labels)) if self.store.labels[s] != EMPTY]
        if not slots:
            return
        slot = slots[self.below(len(slots))]
        self.intent = self.state()
        data = read_record(self.store, slot)[1]
        records = dict(self.records)
        assert data in records, "a record is served that is not there"
        del records[data]
        self.intent = records, self.saved
        self.store.delete(slot)
        self.records = records

    def save(self):
        data = self.payload(4 * sum(self.scene.parts))
        parts = state_buffers(self.scene)
        split_into(parts, data)
        self.intent = self.records, data
        self.checkpoints.save(parts)
        self.saved = data

    def live(self, steps):
        """Runs a list of (operation name, times)."""
        for name, times in steps:
            for _ in range(times):
                self.act(getattr(self, name))


def append_record(store, data, label, session):
    """data: a latent, and behind it the bytes of the targets."""
    latent_bytes = store.latent_bytes
    store.append(data[:latent_bytes], label, session, data[latent_bytes:] or None)


def read_record(store, slot):
    """(label, latent and behind it the bytes of the targets) of a record."""
    data = bytearray(store.latent_bytes + 4 * store.targets)
    window = memoryview(data)
    targets = window[store.latent_bytes :] if store.targets else None
    return store.read_into(slot, window[: store.latent_bytes], targets), bytes(data)


def state_buffers(scene):
    ints, floats = scene.parts
    return array("i", [0] * ints), array("f", [0.0] * floats)


def split_into(parts, data):
    """Spreads bytes over an int32 and a float32 buffer, which keep every bit pattern."""
    ints, floats = parts
    for i in range(len(ints)):
        ints[i] = struct.unpack_from("<i", data, 4 * i)[0]
    for i in range(len(floats)):
        # Through a whole number, because a NaN's bits need not survive a float.
        at = 4 * (len(ints) + i)
        floats[i] = float(data[at] + 256 * data[at + 1] + 65536 * (data[at + 2] & 0x7F))


def joined(parts):
    """The bytes that split_into() would turn into the same buffers, as far as they tell."""
    ints, floats = parts
    out = b"".join([struct.pack("<i", v) for v in ints])
    return out + b"".join([struct.pack("<i", int(v))[:3] for v in floats])


def comparable(scene, data):
    """What of a saved payload joined() gives back."""
    parts = state_buffers(scene)
    split_into(parts, data)
    return joined(parts)


def records_of(store):
    """{payload: (label, session)} of all that the store serves.

    AssertionError when it serves a record twice, or its figures disagree.
    """
    contents = {}
    by_label = {}
    for slot in range(len(store.labels)):
        label = store.labels[slot]
        if label == EMPTY:
            continue
        found_label, data = read_record(store, slot)
        assert found_label == label
        assert data not in contents, "a record is served twice"
        contents[data] = (label, store.sessions[slot])
        by_label[label] = by_label.get(label, 0) + 1
    assert len(store) == len(contents), "len() and the index disagree"
    for label in by_label:
        assert store.counts(label) == by_label[label], "counts() and the index disagree"
    return contents


def saved_of(scene, checkpoints):
    parts = state_buffers(scene)
    return None if checkpoints.load_into(parts) is None else joined(parts)


def check(scene, flash, allowed, boot=0):
    """Mounts a flash and compares what it holds with the allowed states.

    A state is (records, saved). boot: if not 0, life goes on from there for a few operations
    and is checked once more. Returns the state found.
    """
    store = scene.store(flash)
    checkpoints = scene.checkpoints(flash)
    state = records_of(store), saved_of(scene, checkpoints)
    for records, last in allowed:
        if state == (records, None if last is None else comparable(scene, last)):
            break
    else:
        explain(scene, state, allowed)
    info = store.info()
    assert info["live"] == len(store) and info["free_blocks"] > 0, info
    if boot:
        after = Life(scene, flash, boot, records, last)
        after.mount()
        if len(after.store) == after.store.capacity:
            after.delete()
        after.append()
        after.delete()
        after.append()
        after.save()
        assert records_of(after.store) == after.records, "the running store differs"
        check(scene, flash, [after.state()])
    return records, last


def explain(scene, state, allowed):
    lost = [len([d for d in records if d not in state[0]]) for records, _ in allowed]
    odd = [len([d for d in state[0] if d not in records]) for records, _ in allowed]
    raise AssertionError(
        "%r: not an allowed state: lost %r, not expected %r, saved state %s"
        % (scene, lost, odd, "ok" if state[1] in [
            None if s is None else comparable(scene, s) for _, s in allowed] else "wrong")
    )


# The life of which every cut is tried: format, fill, delete, collect, save.
FULL_LIFE = (
    ("mount", 1), ("append", 3), ("save", 1), ("append", 1), ("delete", 1), ("mount", 1),
    ("fill", 1), ("save", 1), ("churn", 2), ("mount", 1), ("save", 1), ("churn", 3),
)


class FullLife(Life):
    """A life with the operations that need many acts."""

    def act(self, operation, *args):
        if operation in (self.fill, self.churn):  # many acts, not one
            operation()
        else:
            super().act(operation, *args)

    def fill(self):
        while len(self.store) < self.store.capacity:
            self.act(self.append)

    def churn(self):
        """Deletes and appends until one more unit has been collected."""
        collections = self.store.collections
        while self.store.collections == collections:
            for _ in range(2):
                self.act(self.delete)
            for _ in range(2):
                self.act(self.append)


def journaled(scene, image=None, boot=1, records=None, saved=None, steps=FULL_LIFE):
    """Lives a life on a copy of `image` (blank: None): (first image, journal, acts)."""
    flash = scene.flash()
    if image is not None:
        flash = flash.like(image)
    first = bytearray(flash.data)
    flash.journal = Journal()
    life = FullLife(scene, flash, boot, records, saved)
    life.live(steps)
    return first, flash.journal, life.acts


def wrecks(first, journal, acts):
    """(number, image, allowed states) after each prefix of a journal. The image is reused."""
    image = bytearray(first)
    at = 0
    for cut in range(len(journal) + 1):
        if cut:
            journal.apply(cut - 1, image)
        while at + 1 < len(acts) and acts[at][1] <= cut:
            at += 1
        start, end, before, after = acts[at]
        allowed = [after] if cut >= end else [before] if cut <= start else [before, after]
        yield cut, image, allowed


def try_cuts(scene, every=1, goes_on=3, second=0, steps=FULL_LIFE, on_cut=None):
    """Cuts a full life after every `every`-th step; (cuts, second cuts).

    goes_on: each so-many-th wreck lives on after the check. second: each so-many-th wreck's
    further life is cut too, at about 20 places. on_cut: called with the number of each cut and
    of the records found. AssertionError or an engram error on failure.
    """
    first, journal, acts = journaled(scene, steps=steps)
    kind = scene.flash()
    cuts = cuts2 = 0
    for cut, image, allowed in wrecks(first, journal, acts):
        if cut % every:
            continue
        cuts += 1
        boot = 2 + cut % 30000
        state = check(scene, kind.like(image), allowed, boot if cuts % goes_on == 0 else 0)
        if second and cuts % second == 0:
            cuts2 += _cut_again(scene, kind, image, boot, state, cut)
        if on_cut:
            on_cut(cut, len(state[0]))
    return cuts, cuts2


_AFTERWARDS = (("mount", 1), ("replace", 3), ("save", 1), ("mount", 1))


class SecondLife(FullLife):
    def replace(self):
        if len(self.store) == self.store.capacity:
            self.act(self.delete)
        self.act(self.append)

    def act(self, operation, *args):
        if operation == self.replace:
            operation()
        else:
            super().act(operation, *args)


def _cut_again(scene, kind, image, boot, state, salt):
    flash = kind.like(image)
    flash.journal = Journal()
    life = SecondLife(scene, flash, boot, state[0], state[1])
    life.live(_AFTERWARDS)
    stride = max(1, len(flash.journal) // 20)
    count = 0
    for cut, wreck, allowed in wrecks(image, flash.journal, life.acts):
        # All of the first steps, which are the recovery, then samples.
        if cut > 12 and (cut + salt) % stride:
            continue
        count += 1
        check(scene, kind.like(wreck), allowed, (boot + 1) if count % 3 == 0 else 0)
    return count


def refused(error, function, *args, **kwargs):
    """The message of the expected error; AssertionError when it does not come."""
    try:
        function(*args, **kwargs)
    except error as e:
        return str(e)
    except EngramError as e:
        raise AssertionError("another error came: %r" % e)
    raise AssertionError("%r was not refused" % (args,))

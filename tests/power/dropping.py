"""A scripted life in which a policy drops erase units, and the least worn unit moves.

A thinner in the place of `flash_balanced`: which unit goes and which labels lose are drawn from
the life's own numbers. A drop is an act of its own within the append that needs the room: a cut in
it leaves all of the unit's records or those that were to stay.
"""

from nor import Journal
from store_life import EMPTY, FullLife, append_record, check, read_record, wrecks

LIFE = (
    ("mount", 1), ("flow", 3), ("save", 1), ("flow", 3), ("mount", 1), ("flow", 3), ("save", 1),
)  # fmt: skip

# What a drop takes of a unit: all, the odd labels, those that the third divides
LOSES = (lambda label: True, lambda label: label % 2 == 1, lambda label: label % 3 == 0)


class DropLife(FullLife):
    """.drops  units dropped. .moving  of these with records to move. .levelled  units that moved
    because they were worn least."""

    drops = moving = levelled = 0

    def mount(self):
        super().mount()
        self.store.thinner = self
        self._units = self.store.info()["blocks"]
        self._collections = 0  # of this boot that are in one of the figures

    def act(self, operation, *args):
        if operation == self.flow:
            operation()
            return
        self._since = self._at(), self.state()
        operation(*args)
        self._note()
        if self.store is not None:
            self.levelled += self.store.collections - self._collections
            self._collections = self.store.collections

    def flow(self):
        """Appends until one more unit was dropped."""
        drops = self.drops
        while self.drops == drops:
            self.act(self.append)

    def append(self):
        """As Life does it; what is dropped for it is gone before."""
        data = self.payload(self.scene.data_bytes)
        label, session = self.below(EMPTY), self.below(400)
        append_record(self.store, data, label, session)
        self.records = dict(self.records)
        self.records[data] = (label, session)

    def thin(self, store):
        used = store.used_units()
        if len(used) < self._units - 2:
            return False
        unit, loses = used[self.below(len(used))], LOSES[self.below(len(LOSES))]
        lost_records, left = self._divided(unit, loses)
        self._note()
        store.drop_unit(unit, lambda label: not loses(label))
        self.records = {
            data: fact for data, fact in self.records.items() if data not in lost_records
        }
        self._note()
        self.drops += 1
        self.moving += bool(left)
        self._collections += 1
        return True

    def _divided(self, unit, loses):
        """Payloads of the records of a unit: (those that lose, the others)."""
        store, parts = self.store, (set(), set())
        slots = len(store.labels) // self._units
        for slot in range(unit * slots, unit * slots + slots):
            if store.labels[slot] != EMPTY:
                label, data = read_record(store, slot)
                parts[not loses(label)].add(data)
        return parts

    def _at(self):
        return len(self.flash.journal) if self.flash.journal is not None else 0

    def _note(self):
        """What happened since the last note is an act."""
        start, before = self._since
        self.acts.append((start, self._at(), before, self.state()))
        self._since = self._at(), self.state()


def lived(scene, boot=1):
    """(the life, (first image, journal, acts)) on a blank flash."""
    flash = scene.flash()
    first = bytearray(flash.data)
    flash.journal = Journal()
    life = DropLife(scene, flash, boot)
    life.live(LIFE)
    return life, (first, flash.journal, life.acts)


def cut_everywhere(scene):
    """Cuts the life after each step; (the life, cuts). AssertionError or an engram error where
    something is lost, torn or back again."""
    life, wreckage = lived(scene)
    kind = scene.flash()
    for cut, image, allowed in wrecks(*wreckage):
        check(scene, kind.like(image), allowed, 2 + cut % 30000 if cut % 7 == 0 else 0)
    return life, cut + 1

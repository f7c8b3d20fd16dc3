"""The RAM index of the replay log: three bytes per slot and a few counters."""

from array import array

from .format import EMPTY


class SlotIndex:
    """An index of the slots that hold a record.

    .labels       bytearray, one byte per slot; EMPTY where there is no record
    .sessions     array('H'), the session of each slot's record
    .live         records in each unit
    .total        records in all
    """

    def __init__(self, units, slots_per_unit):
        self.slots_per_unit = slots_per_unit
        self.labels = bytearray(units * slots_per_unit)
        self.sessions = array("H", range(units * slots_per_unit))
        self.live = array("H", range(units))
        self._by_label = array("H", range(EMPTY))
        self.clear()

    def clear(self):
        """Forgets every slot; the arrays stay the same objects."""
        for slot in range(len(self.labels)):
            self.labels[slot] = EMPTY
            self.sessions[slot] = 0
        for counts in (self.live, self._by_label):
            for i in range(len(counts)):
                counts[i] = 0
        self.total = 0

    def enter(self, slot, label, session):
        self.labels[slot] = label
        self.sessions[slot] = session
        self._by_label[label] += 1
        self.live[slot // self.slots_per_unit] += 1
        self.total += 1

    def forget(self, slot):
        self._by_label[self.labels[slot]] -= 1
        self.live[slot // self.slots_per_unit] -= 1
        self.total -= 1
        self.labels[slot] = EMPTY
        self.sessions[slot] = 0

    def count(self, label):
        """Records of a label; 0 for a label that cannot be."""
        return self._by_label[label] if 0 <= label < EMPTY else 0

    def forget_unit(self, unit):
        first = unit * self.slots_per_unit
        for slot in range(first, first + self.slots_per_unit):
            if self.labels[slot] != EMPTY:
                self.forget(slot)

    def ram_bytes(self):
        return 3 * len(self.labels) + 2 * len(self.live) + 2 * len(self._by_label)

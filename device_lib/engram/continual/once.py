"""Each new record once, however often learning is asked for."""

from array import array

from ..errors import StoreError

_TAKEN = 0xFFFF  # in place of a slot; a store has fewer


class Once:
    """The new records that have not been taken in, in the order in which they came.

    mark: float32 window of 2 that is saved with what was taken in: the highest sequence number
    among it, its upper and its lower 16 bits. Whatever came up to it is in, nothing that came
    later. So a run that was stopped half-way, or begins anew from a saved state, takes the rest.

    Needs 6 bytes per record that is to be taken, from one begin() to the next.
    """

    def __init__(self, mark):
        self._mark = mark
        self._labels = b""
        self._todo = self._sequences = ()
        self._at = 0

    def begin(self, store, sampler):
        """A run begins: the sampler draws what is to be taken first, in its order."""
        mark = int(self._mark[0]) << 16 | int(self._mark[1])
        if mark >= store.next_sequence:
            mark = 0  # the store was formatted: its numbers began anew
        keys = []
        for slot in sampler.order[: sampler.new]:
            try:
                sequence = store.sequence(slot)
            except StoreError:
                sequence = 0  # damaged: the store knows now
            keys.append(max(0, sequence - mark) << 16 | slot)
        if any([keys[i] > keys[i + 1] for i in range(len(keys) - 1)]):
            keys.sort()
        slots = array("H", [key & 0xFFFF for key in keys])
        first = sum([1 for key in keys if not key >> 16])
        sampler.in_order(slots, first)
        self._todo = slots[first:]
        self._sequences = array("I", [mark + (key >> 16) for key in keys[first:]])
        self._labels = store.labels
        self._at = 0

    def left(self):
        """How many are to be taken."""
        return len(self._todo) - self._at

    def spread(self, n):
        """At most n slots of records that are to be taken, evenly apart."""
        todo = self._todo[self._at :]
        n = min(n, len(todo))
        return [todo[i * len(todo) // n] for i in range(n)]

    def take(self, slot):
        """Whether the record in a slot is to be taken; from now on it is not."""
        todo = self._todo
        for at in range(self._at, len(todo)):
            if todo[at] == slot:
                todo[at] = _TAKEN
                return True
        return False

    def settle(self, dead):
        """A batch has been taken in: moves the mark. dead: label of a slot without a record."""
        todo, at = self._todo, self._at
        while at < len(todo) and (todo[at] == _TAKEN or self._labels[todo[at]] == dead):
            at += 1
        if at > self._at:
            self._at = at
            sequence = self._sequences[at - 1]
            self._mark[0] = sequence >> 16
            self._mark[1] = sequence & 0xFFFF

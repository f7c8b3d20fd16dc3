"""Which records go into a mini-batch: new ones once an epoch, old ones by class."""

from array import array

DEAD = 255  # label of a slot that holds no record


class Sampler:
    """Composes mini-batches of slots of a replay store. Picking allocates nothing.

    slots: capacity of the store. classes: number of classes.
    After begin(): .new, .old records found, .new_per_batch, .steps_per_epoch.
    """

    def __init__(self, slots, classes, rng):
        self.rng = rng
        self.order = array("H", range(slots))  # new records first, then old ones by class
        self.start = array("H", range(classes + 1))  # first old record of each class
        self.present = bytearray(classes)  # classes that have old records
        self.present_count = 0
        self.new = self.old = 0
        self.new_per_batch = self.steps_per_epoch = 0
        self._next = self._turn = 0

    def begin(self, labels, experiences, current, batch, replay):
        """Sorts the records for a learning run.

        labels, experiences: one byte a slot; current: experience byte of the new ones;
        replay: mix in old records.

        The share of new records is that of AR1* (Pellegrini et al. 2020, latent replay): with
        n new and r old, n // ((n + r) // batch) of a batch, at least one.
        """
        self._sort(labels, experiences, current, replay)
        batches = (self.new + self.old) // batch
        share = self.new // batches if batches else batch
        self.new_per_batch = min(batch, max(1, share)) if self.old else batch
        self.steps_per_epoch = (self.new + self.new_per_batch - 1) // self.new_per_batch
        self._next = self.new  # the first pick shuffles
        self._turn = self.rng.below(self.present_count) if self.old else 0

    def _sort(self, labels, experiences, current, replay):
        start = self.start
        classes = len(start) - 1
        counts = array("H", range(classes))
        for c in range(classes):
            counts[c] = 0
        new = 0
        for slot in range(len(labels)):
            label = labels[slot]
            if label == DEAD:
                continue
            if experiences[slot] == current:
                self.order[new] = slot
                new += 1
            elif replay:
                counts[label] += 1
        self.new = at = new
        self.present_count = 0
        for c in range(classes):
            start[c] = at
            at += counts[c]
            if counts[c]:
                self.present[self.present_count] = c
                self.present_count += 1
            counts[c] = start[c]
        start[classes] = at
        self.old = at - new
        if not self.old:
            return
        for slot in range(len(labels)):
            label = labels[slot]
            if label != DEAD and experiences[slot] != current:
                self.order[counts[label]] = slot
                counts[label] += 1

    def pick_new(self):
        """The next new record; each one comes once an epoch, in random order."""
        if self._next >= self.new:
            self.rng.shuffle(self.order, self.new)
            self._next = 0
        slot = self.order[self._next]
        self._next += 1
        return slot

    def pick_old(self):
        """A random old record; the classes take turns, so every batch is balanced."""
        self._turn = turn = (self._turn + 1) % self.present_count
        c = self.present[turn]
        first = self.start[c]
        return self.order[first + self.rng.below(self.start[c + 1] - first)]

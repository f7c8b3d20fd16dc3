"""Which records go into a mini-batch: new ones once an epoch, old ones by class."""

from array import array

from ..backend import kernels
from .numbers import DEAD, group_of

_TURNS = 64  # that the classes of "as_seen" share among them, at least


class Sampler:
    """Composes mini-batches of slots of a replay store. Drawing allocates nothing.

    slots: capacity of the store. classes: number of classes, and one more where records may have
    none: these take their turns as a class does. composition: one of
    composition.COMPOSITIONS. new_share:
    share of a batch that is new, above 0 and at most 1; None: what the composition says.
    After begin(): .new, .old records found, .new_per_batch, .steps_per_epoch.
    New records come once an epoch, in random order, at least one in a batch.
    """

    def __init__(self, slots, classes, rng, composition="balanced", new_share=None):
        self.rng = rng
        self.composition, self.new_share = composition, new_share
        self.order = array("H", range(slots))  # new records first, then old ones by class
        self.start = array("H", range(classes + 1))  # first old record of each class
        # Classes that have old records, as they take turns.
        turns = max(_TURNS, classes) if composition == "as_seen" else classes
        self.present = bytearray(turns)
        self.present_count = 0
        self.new = self.old = 0
        self.new_per_batch = self.steps_per_epoch = 0
        self._place = array("i", (0, 0))  # next new record, class served last
        self._one = array("i", (0,))

    def begin(self, labels, experiences, current, batch, replay, brought=None):
        """Sorts the records for a learning run.

        labels, experiences: of each slot; current: experience number of the new ones;
        replay: mix in old records. brought: (classes) how many records of each class earlier
        experiences have brought; None: as many as are stored.
        """
        self._sort(labels, experiences, current, replay)
        self.new_per_batch = batch
        if self.old:
            share = _SHARES[self.composition](self, labels, batch, brought)
            if self.new_share is not None:
                share = batch * self.new_share
            self.new_per_batch = min(batch, max(1, int(share + 0.5)))
        self.steps_per_epoch = (self.new + self.new_per_batch - 1) // self.new_per_batch
        self._place[0] = self.new  # the first draw shuffles
        self._place[1] = self.rng.below(self.present_count) if self.old else 0

    def in_order(self, slots, first):
        """The new records come as `slots` (new) has them, from `first` on; after the last one
        in random order again."""
        for i in range(self.new):
            self.order[i] = slots[i]
        self._place[0] = first

    def _by_class(self, labels, batch, brought):
        """New records for the share of their classes: two thirds of it where a class has old
        ones too, so that a few new records of what is known weigh more than many old ones."""
        fresh = set(
            [group_of(labels[self.order[i]], len(self.start) - 1) for i in range(self.new)]
        )
        old = set([self.present[i] for i in range(self.present_count)])
        return batch * (len(fresh) - len(fresh & old) / 3) / len(fresh | old)

    def _by_record(self, labels, batch, brought):
        self._one_group()
        return batch * self.new / (self.new + self.old)

    def _by_stream(self, labels, batch, brought):
        """Old classes take turns as often as the stream has brought them."""
        weights = {}
        for i in range(self.present_count):
            c = self.present[i]
            stored = self.start[c + 1] - self.start[c]
            weights[c] = max(stored, brought[c] if brought else 0)
        total = sum(weights.values())
        due = dict(weights)
        for turn in range(len(self.present)):
            c = max(sorted(due), key=lambda c: due[c])
            self.present[turn] = c
            for other in due:
                due[other] += weights[other]
            due[c] -= total
        self.present_count = len(self.present)
        return batch * self.new / (self.new + total)

    def _of_ar1(self, labels, batch, brought):
        self._one_group()
        return self.new // max(1, (self.new + self.old) // batch)

    def _one_group(self):
        """All old records are drawn alike."""
        for c in range(1, len(self.start)):
            self.start[c] = self.start[-1]
        self.present[0], self.present_count = 0, 1

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
                counts[group_of(label, classes)] += 1
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
                group = group_of(label, classes)
                self.order[counts[group]] = slot
                counts[group] += 1

    def row(self, slots, fresh):
        """The row of a tape that does what draw() does, for the learning run that has begun."""
        return (kernels.draw_batch, slots, self.rng.state, self._place, self.order, self.start,
                self.present, fresh, self.present_count)

    def draw(self, slots, fresh=None):
        """Fills slots, array('i'): `fresh` new records (None: new_per_batch), then old ones."""
        self._draw(slots, self.new_per_batch if fresh is None else fresh)

    def draw_again(self, slots, row, fresh=None):
        """Another record in the place of slots[row], new or old as that was."""
        fresh = self.new_per_batch if fresh is None else fresh
        self._draw(self._one, 1 if row < fresh else 0)
        slots[row] = self._one[0]

    def _draw(self, slots, fresh):
        kernels.draw_batch(
            slots, self.rng.state, self._place, self.order, self.start, self.present, fresh,
            self.present_count,
        )


# New records of a batch, and how old ones take turns.
_SHARES = {
    "balanced": Sampler._by_class,
    "as_stored": Sampler._by_record,
    "as_seen": Sampler._by_stream,
    "ar1": Sampler._of_ar1,
}

"""The choice of records for a mini-batch: new ones once per epoch, old ones by class."""

from array import array

from ..backend import kernels
from ..compat import forget
from .numbers import DEAD, group_of

TURNS = 64  # that the classes of "as_seen" share among them, at least


class Sampler:
    """Composes mini-batches of slots of a replay store. Drawing allocates nothing.

    slots: capacity of the store. classes: number of classes, and one more where records may have
    none: these take their turns as a class does. composition: one of composition.COMPOSITIONS.
    new_share: share of a batch that is new, above 0 and at most 1; None: that of the composition.
    After begin(): .new, .old records found, .new_per_batch, .steps_per_epoch.
    New records come once an epoch, in random order, at least one in a batch.
    """

    def __init__(self, slots, classes, rng, composition="balanced", new_share=None):
        self.rng = rng
        self.composition, self.new_share = composition, new_share
        self.order = array("H", range(slots))  # new records first, then old ones by class
        self.start = array("H", range(classes + 1))  # first old record of each class
        # Classes that have old records, as they take turns.
        turns = max(TURNS, classes) if composition == "as_seen" else classes
        self.present = bytearray(turns)
        self.present_count = 0
        self.new = self.old = 0
        self.new_per_batch = self.steps_per_epoch = 0
        self._place = array("i", (0, 0))  # next new record, class served last
        self._one = array("i", (0,))

    def begin(self, labels, sessions, current, batch, replay, brought=None):
        """Sorts the records for a learning run.

        labels, sessions: of each slot; current: session number of the new ones;
        replay: mix in old records. brought: (classes) how many records of each class earlier
        sessions have brought; None: as many as are stored.
        """
        self._sort(labels, sessions, current, replay)
        self.new_per_batch = batch
        if self.old:
            from .shares import SHARES  # code that only the beginning of a run needs

            share = SHARES[self.composition](self, labels, batch, brought)
            if self.new_share is not None:
                share = batch * self.new_share
            self.new_per_batch = min(batch, max(1, int(share + 0.5)))
            forget(("engram.continual.shares",))
        self.steps_per_epoch = (self.new + self.new_per_batch - 1) // self.new_per_batch
        self._place[0] = self.new  # the first draw shuffles
        self._place[1] = self.rng.below(self.present_count) if self.old else 0

    def in_order(self, slots, first):
        """The new records come as `slots` (new) has them, from `first` on; after the last one
        in random order again."""
        for i in range(self.new):
            self.order[i] = slots[i]
        self._place[0] = first

    def _sort(self, labels, sessions, current, replay):
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
            if sessions[slot] == current:
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
            if label != DEAD and sessions[slot] != current:
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

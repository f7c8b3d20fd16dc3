"""A replacement policy that knows erase units: it drops a whole unit instead of moving it.

A store that replaces records at random must move the live records of a unit before it can erase
the unit: at 80 % fill it writes more moved records than new ones. This policy drops records by
the unit, so that hardly any has to move, and the store stays a fair sample of each class:

* A label's record is *admitted* with the keep probability p of its class, 1 at first.
* When `units` erase units are full, a coin is thrown for each class, and one of the K units that
  hold records of a class whose coin says so is drawn at random, the open one included. These
  classes lose their records in that unit, and their p is multiplied by (K - 1) / K. The records
  of the other classes move.

Why it is fair: a record of a class that loses lies in exactly one of the K units, so it survives
with probability (K - 1) / K, whatever its age and wherever it has moved. A record counts 1 / p
while it is in the store and 0 afterwards: the draw leaves the mean of that as it is, and so does
the admission of a new one, so that all records that were ever seen of a class count 1 on average,
and those in the store count alike. This is Bernoulli sampling with a falling rate (Gibbons and
Matias, SIGMOD 1998, concise samples) where a draw decides for a unit at once: neighbours in a unit
go together, which costs variance, not bias.

Why it hardly moves: where classes come mixed, most of them lose at once; where they come one after
the other, the current class fills units of its own, and the draw is among these.

Why it is balanced: the coin of a class depends on e = p times the records seen of it, the number
to be expected in the store. Below half its share a class never loses, from its share on it always
does; in between the chance of losing is 1 - 2 d when it lacks the part d of its share. A hard
bound would move the records of every class that is a little below it by chance. Shares are those
of max-min fairness: what small classes leave is divided among the large ones. Classes above
their share shrink faster, until all that can have it do.

Seen numbers, not those in the store, decide: what is drawn does not depend on what was kept.

What is not admitted, and what is dropped while a session is under way, takes no part in its
learning: the store is all that a learner learns from.

After a power cut. p and the seen numbers are part of the learned state, so those of the last save
come back, while the store holds all that was acknowledged. What happened between is worked out
from the sequence numbers of the records: of those that were there at the save (fewer than the
number noted then) the part that is left tells what the class lost in draws since, and p takes it;
those with higher numbers are what was admitted since, each for 1 / p seen. The part and p times
seen, by which draws go, are right on average; seen itself comes out a little high, as 1 / p does.
The sample goes on from these estimates as from any other p. A class
that had no record at the save keeps its p, so that its records since then may be rarer than the
later ones by what it lost in draws since, a factor (K - 1) / K each.

All in integers: the same draws on every host, whatever its floats are.
"""

from array import array

from ...errors import DataError, StoreError
from ..numbers import DEAD, NO_CLASS, group_of
from ..rng import ONE, happens
from . import TakesAll

_COIN = 1 << 24
# At 80 % fill 1 writes about 1.6 times what is stored, 2 about 1.2 times, 3 about 1.1 times.
_WEAR_SPREAD = 2
_PART = 15, 16  # of what is to be expected: the largest class is always over its share
_FRACTION_BITS = 10  # of the records that are to be expected


class Policy(TakesAll):
    """Admits records and drops units of one store, of which it becomes the .thinner.

    store    store.ReplayStore
    classes  how many labels there may be
    rng      Rng of the draws
    budget   records that may stay: K is as many erase units as they fill, at least 2. A smaller
             budget than before is reached as new records fill units.
    wear_spread  erases by which units may differ; 2 is each within 1 of the middle

    .keep    p of each class, in parts of ONE. .seen  records seen of each class.
    Raises DataError on a budget below two units, StoreError on a store without enough of them.
    """

    def __init__(self, store, classes, rng, budget, wear_spread=_WEAR_SPREAD):
        # One buffer: sequence number at the save, then keep, seen, and stored at the save.
        self._state = state = array("i", [0] * (1 + 3 * classes))
        self.saved = (state,)
        window = memoryview(state)
        self.keep = window[1 : 1 + classes]
        self.seen = window[1 + classes : 1 + 2 * classes]
        self._records = window[1 + 2 * classes :]
        self._rng = rng
        self._losers = bytearray(classes)
        self._behind = True  # the store may know more than the state
        self._store = store
        if store is not None:
            self.units = _units(store, budget)
            self._slots = store.info()["slots_per_block"]
            store.wear_spread = wear_spread
            store.thinner = self

    @staticmethod
    def saved_bytes(classes):
        return 4 * (1 + 3 * classes)

    def admit(self, label):
        """Whether the next record of a class is to be stored; counts it as seen."""
        self._catch_up()
        label = group_of(label, len(self.seen))
        self.seen[label] += 1
        return happens(self._rng, self.keep[label])

    def make_room(self, learner):
        """thin() has made it before the store is full."""

    def end(self, learner):
        """The stream brought what was seen; the budget was kept all along."""
        self._catch_up()
        for label, seen in enumerate(self.seen):
            learner.brought[label] = seen

    def thin(self, store):
        """Drops a random unit of those that may go, if all that may be are in use; whether it
        did."""
        units = store.used_units()
        k = len(units)
        if k < 2 or k < self.units and store.free_units() > 3:  # fewer are free where some are bad
            return False
        self._catch_up()
        expected = self._expected()
        numerator, denominator = _PART
        fair = share(expected, sum(expected) * numerator // denominator)
        for label, target in enumerate(expected):
            # 1 - 2 lack = 2 target / fair - 1
            self._losers[label] = self._rng.below(_COIN) * fair < (2 * target - fair) * _COIN
        losers = [unit for unit in units if self._loses_in(unit)]
        if len(losers) > 1:
            units, k = losers, len(losers)
        store.drop_unit(units[self._rng.below(k)], self._stays)
        for label, is_loser in enumerate(self._losers):
            if is_loser:
                self.keep[label] = max(1, (self.keep[label] * (k - 1) + k // 2) // k)
        return True

    def _expected(self):
        """Records of each class that the store holds on average, in fixed point."""
        drop = 28 - _FRACTION_BITS
        return [keep * seen >> drop for keep, seen in zip(self.keep, self.seen)]

    def _loses_in(self, unit):
        """Whether a class that loses has a record in a unit."""
        for label in self._store.labels[unit * self._slots : unit * self._slots + self._slots]:
            if label != DEAD and not self._stays(label):
                return True
        return False

    def _stays(self, label):
        return not self._losers[group_of(label, len(self._losers))]

    # -- the saved state ---------------------------------------------------------------

    def saving(self):
        if self._store is None:
            return
        self._catch_up()
        self._state[0] = self._store.next_sequence
        last = len(self._records) - 1
        for label in range(last + 1):
            self._records[label] = self._store.counts(label)
        self._records[last] += self._store.counts(NO_CLASS)

    def loaded(self):
        self._behind = True

    def _catch_up(self):
        """Works out what happened to the store after the state was saved."""
        if not self._behind:
            return
        self._behind = False
        if not len(self._store):  # formatted since
            for i in range(len(self._state)):
                self._state[i] = 0
        older, newer = self._counts()
        for label, count in enumerate(self._records):
            keep = self.keep[label] or ONE  # 0: nothing was ever saved
            if count:
                rest = min(max(1, older[label]), count)
                keep = max(1, (keep * rest + count // 2) // count)
            self.keep[label] = keep
            self.seen[label] += (newer[label] * ONE + keep // 2) // keep

    def _counts(self):
        """([records of each class from before the save], [from after it])"""
        store, saved_at = self._store, self._state[0]
        counts = [0] * len(self.keep), [0] * len(self.keep)
        for slot, label in enumerate(store.labels):
            if label != DEAD:
                group = group_of(label, len(self.keep))
                try:
                    counts[store.sequence(slot) >= saved_at][group] += 1
                except StoreError:
                    pass  # damaged: the store knows now
        return counts


def _units(store, budget):
    """How many erase units a policy may use: two stay free for what moves, one for a bad one."""
    if not hasattr(store, "drop_unit"):
        raise StoreError("expected a store in flash, got none; this policy drops erase units")
    facts = store.info()
    slots = facts["slots_per_block"]
    most = min(facts["blocks"] - 3, store.capacity // slots - 1)
    if most < 2:
        raise StoreError(
            "expected a replay region of which this policy may fill 2 erase units, got %d of %d; "
            "make the region larger" % (max(0, most), facts["blocks"])
        )
    if budget < 2 * slots:
        raise DataError(
            "expected a budget of at least %d latents, two erase units, for this policy, got %d"
            % (2 * slots, budget)
        )
    return min(budget // slots, most)


def share(sizes, total):
    """The share s with sum(min(w, s)) = total: what small ones leave goes to the large ones.

    sizes: ints; total: less than their sum, so that the largest is more than s.
    """
    count = len(sizes)
    for i, w in enumerate(sorted(sizes)):
        if w * (count - i) > total:
            return total // (count - i)
        total -= w
    return 0

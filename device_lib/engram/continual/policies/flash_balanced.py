"""A replacement policy that knows erase units: it drops a whole unit instead of moving it.

A store that replaces records at random must move what still lives in a unit before it can erase
it: at 80 % fill that is more writing than the records themselves. This policy chooses what goes by
the unit, so that hardly anything has to move, and stays a fair sample of each class:

* A label's record is *admitted* with the keep probability p of its class, 1 at first.
* When `units` erase units are full, one of these K, the open one included, is drawn at random,
  and a coin is thrown for each class. A class whose coin says so loses its records in that unit,
  and its p is multiplied by (K - 1) / K. The records of the other classes move.

Why it is fair: a record lies in exactly one of the K units, so if its class loses, it survives
with probability (K - 1) / K, whatever its age and wherever it has moved. By induction every
record that was ever seen of a class is in the store with the class's p of now: those from before
the draw had p and keep it with (K - 1) / K, those after it are admitted with the product.
This is Bernoulli sampling with a falling rate (Gibbons and Matias, SIGMOD 1998, concise samples)
where a draw decides for a unit at once: neighbours in a unit go together, which costs variance,
not bias.

Why it is balanced: the coin of a class depends on e = p times the records seen of it, the number
to be expected in the store. Below half its share a class never loses, from its share on it always
does; in between the chance of losing is 1 - 2 d when it lacks the part d of its share. A hard
bound would move the records of every class that is a little below it by chance. Shares are those
of max-min fairness: what small classes leave is divided among the large ones. Classes above
their share shrink faster, until all that can have it do.

Seen numbers, not those in the store, decide: what is drawn does not depend on what was kept.
"""

from array import array

_ONE = 1 << 24  # draws are in [0, _ONE)
# At 80 % fill 1 writes about 1.6 times what is stored, 2 about 1.2 times, 3 about 1.1 times.
_WEAR_SPREAD = 2
_PART = 31 / 32  # of what is to be expected: the largest class is always over its share


class FlashBalanced:
    """Admits records and drops units of one store.

    store    store.ReplayStore; this becomes its .thinner
    classes  how many labels there may be
    rng      Rng of the draws
    units    erase units in use at most; None: as many as the capacity fills
    wear_spread  erases by which units may differ; 2 is each within 1 of the middle

    .keep    array('f'), p of each class. .seen  array('i'), records seen of each class. Both are
             the state: a store goes on with those that belong to it.
    """

    def __init__(self, store, classes, rng, units=None, wear_spread=_WEAR_SPREAD):
        told = store.info()
        slots, most = told["slots_per_block"], told["blocks"] - 2
        units = store.capacity // slots if units is None else units
        self.units = max(1, min(units, most))
        self.keep = array("f", [1.0] * classes)
        self.seen = array("i", [0] * classes)
        self._rng = rng
        self._loses = bytearray(classes)
        store.wear_spread = wear_spread
        store.thinner = self

    def admit(self, label):
        """Whether the next record of a class is to be stored; counts it as seen."""
        self.seen[label] += 1
        keep = self.keep[label]
        return keep >= 1 or self._rng.below(_ONE) < keep * _ONE

    def thin(self, store):
        """Drops a random unit if all that may be are in use; whether it did."""
        used = store.used_units()
        k = len(used)
        if k < self.units:
            return False
        expected = self._expected()
        fair = share(expected, _PART)
        for label, wanted in enumerate(expected):
            lack = max(0.0, 1.0 - wanted / fair)  # of the share
            self._loses[label] = self._rng.below(_ONE) < (1.0 - 2.0 * lack) * _ONE
        store.drop_unit(used[self._rng.below(k)], self._stays)
        for label, loses in enumerate(self._loses):
            if loses:
                self.keep[label] *= (k - 1) / k
        return True

    def _expected(self):
        """Records of each class that the store holds on average."""
        return [keep * seen for keep, seen in zip(self.keep, self.seen)]

    def _stays(self, label):
        return not self._loses[label]


def share(wanted, part):
    """The share s with sum(min(w, s)) = part * sum(wanted): what small ones leave goes to the
    large ones. 0 < part < 1: the largest wants more than s."""
    left = part * sum(wanted)
    count = len(wanted)
    for i, w in enumerate(sorted(wanted)):
        if w * (count - i) > left:
            return left / (count - i)
        left -= w
    return 0.0

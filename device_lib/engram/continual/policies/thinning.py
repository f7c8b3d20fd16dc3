"""Room in a store that is full while a session is under way.

A policy says by parts() which records there are too many of, by the rule that it trims with when
the session ends; random ones of them go, an eighth of the store at a time. From then on a new
sample of such a part is admitted with the probability with which the earlier ones have stayed. So
all samples that the session brought of a part are equally likely to be in the store, and when
the session ends the policy chooses among a fair sample of them.

What goes, and what is not admitted, takes no part in the learning of its session. The
probabilities are kept in memory: in a session that is cut off by a reset the samples that come
after it are admitted as if none had gone.
"""

from array import array

from ..numbers import group_of
from ..rng import ONE, happens
from .records import OLD, keep_random


class Thinning:
    """Counts of the samples of the current session, and the chance that the next is stored.

    .seen   samples of each group that came
    .keep   probability of each group, in parts of rng.ONE
    """

    def __init__(self, learner):
        groups = len(learner.brought)
        self.seen = array("i", [0] * groups)
        self.keep = array("i", [ONE] * groups)
        labels = learner.store.labels
        for slot in learner.current_slots():
            self.seen[group_of(labels[slot], groups)] += 1

    def admit(self, rng, label):
        """Whether the next sample, of this label, is to be stored; counts it as seen."""
        group = group_of(label, len(self.seen))
        self.seen[group] += 1
        return happens(rng, self.keep[group])

    def make_room(self, learner, parts):
        """Deletes the records beyond their parts. parts: as a policy's parts() returns them."""
        for part, slots, stay in parts:
            count = len(slots)
            if stay >= count:
                continue
            keep_random(learner, slots, stay)
            if part == OLD:
                continue
            groups = len(self.keep)
            for group in range(groups) if part is None else (group_of(part, groups),):
                self.keep[group] = max(1, (self.keep[group] * stay + count // 2) // count)

"""The policies that choose which records stay in the replay store: one per file, by name.

Most policies take every record in and trim the store when a session ends. Such a file has a
class Policy with a trim(learner), which looks at

    store        label and session per slot, delete(slot)
    budget       how many records may stay
    rng          the same picks on every host
    session   the one that ends; the newest records have its numbers.number_of()
    brought      (classes) how many records of each class the stream had brought before; those
                 without a class are in the last entry, as numbers.group_of() says
    features(slot)   float32 window of the head's inputs for a record, valid until the next call;
                 None where the record is damaged; feature_elems, how many they are

Where the store is full before a session ends, such a policy makes room by the same rule (see
thinning): its parts(learner, room, seen) are [(part, slots, how many of them stay)], which leave
at most `room` records. part: a label or, for all classes together, None; records.OLD: records
that the session did not bring. seen: samples of each group that it brought, stored or not.

A policy may also decide before a record is stored, and free room while the stream goes on.
"""

from ...errors import DataError
from ..numbers import DEAD, group_of, number_of

# Those that trim when a session ends, on any store.
TRIMMING = ("balanced", "ecbrs", "herding", "random", "reservoir")
# A name is a module of this package with a class Policy.
NAMES = tuple(sorted(TRIMMING + ("flash_balanced",)))


def policy_class(name):
    """The class of a policy, which only now is loaded. Raises DataError on an unknown name."""
    if name not in NAMES:
        raise DataError("expected a policy of %s, got %s" % (" or ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("Policy",)).Policy


def budget_of(store, latents, budget_bytes):
    """How many latents may stay in a store.

    Raises DataError where both budgets are given, and on one that is no whole number from 0 on.
    """
    for value in (latents, budget_bytes):
        if value is not None and (not isinstance(value, int) or value < 0):
            raise DataError("expected a budget of 0 or more, got %r" % (value,))
    if store is None:
        return 0
    if budget_bytes is None:
        return store.capacity // 2 if latents is None else latents
    if latents is not None:
        raise DataError("expected a budget in latents or in bytes, got both")
    facts = store.info()
    return budget_bytes * facts["slots_per_block"] // facts["erase_bytes"]


def room_in(store):
    """Records that are left in a store when a policy that trims has made room in it."""
    return store.capacity - max(1, store.capacity // 8)


class TakesAll:
    """Every record is stored, until trim() deletes some: what most policies are.

    store, rng: the learner's; classes: how many labels there may be; budget: records that may
    stay, where the policy needs it before the first one comes.

    .saved   buffers that belong to the learned state
    """

    saved = ()
    thinning = None  # while a session is under way in which the store was full

    def __init__(self, store, classes, rng, budget):
        self._rng = rng

    @staticmethod
    def saved_bytes(classes):
        """Bytes of .saved."""
        return 0

    def admit(self, label):
        """Whether the next record, of this label, is to be stored."""
        return self.thinning is None or self.thinning.admit(self._rng, label)

    def make_room(self, learner):
        """Deletes records of a store that is full, by the rule that trim() has."""
        from .thinning import Thinning

        if self.thinning is None:
            self.thinning = Thinning(learner)
        parts = self.parts(learner, room_in(learner.store), self.thinning.seen)
        self.thinning.make_room(learner, parts)

    def parts(self, learner, room, seen):
        """Every class keeps an equal share: the largest one gives way."""
        from .records import excess_of, of_class

        parts, excess = [], excess_of(learner.store, room)
        for label in sorted(excess):
            slots = of_class(learner.store, label)
            parts.append((label, slots, len(slots) - excess[label]))
        return parts

    def trim_thinned(self, learner, seen):
        """Trims the store where it holds a part of the samples of the session."""
        self.trim(learner)

    def end(self, learner):
        """Ends a session: counts what it brought, trims the store."""
        thinning, self.thinning = self.thinning, None
        brought, counts = learner.brought, [0] * len(learner.brought)
        if thinning is not None:
            self.trim_thinned(learner, thinning.seen)
            for group, count in enumerate(thinning.seen):
                brought[group] += count
            return
        store, current = learner.store, number_of(learner.session)
        for slot, label in enumerate(store.labels):  # no list: small boards lack the room
            if label != DEAD and store.sessions[slot] == current:
                counts[group_of(label, len(brought))] += 1
        self.trim(learner)
        for group, count in enumerate(counts):
            brought[group] += count

    def saving(self):
        """.saved is about to be written."""

    def loaded(self):
        """.saved was read, or there was none: the store may have gone on since."""
        self.thinning = None

"""Class-balanced reservoir that knows the whole stream, record by record.

After Amalapuram, Tamma and Channappayya, "Augmented Memory Replay-based Continual Learning
Approaches for Network Intrusion Detection" (NeurIPS 2023), who extend CBRS (Chrysakis and Moens,
ICML 2020) by the number of records that the stream has brought of each class. Here

* a record of a class below its share takes the place of a random one of the class of which the
  stream brought most, among those above their share;
* of a class that has its share, every record that the stream ever brought is as likely to stay.

Shares are equal; what a class cannot fill, the others have.
"""

from ..numbers import group_of
from . import TakesAll
from .records import counts_of, excess_of, keep_random, new_and_old, old_share, parts_of


class Policy(TakesAll):
    def trim(self, learner):
        store, rng, budget = learner.store, learner.rng, learner.budget
        labels = store.labels
        new, old = new_and_old(learner)
        if len(old) > budget:  # the budget may have been larger before
            keep_random(learner, old, budget)
            del old[budget:]
        brought = list(learner.brought)
        groups = {}
        for slot in old:
            groups.setdefault(group_of(labels[slot], len(brought)), []).append(slot)
        room = budget - len(old)
        rng.shuffle(new, len(new))
        for slot in new:
            label = group_of(labels[slot], len(brought))
            own = groups.setdefault(label, [])
            brought[label] += 1
            if room > 0:
                room -= 1
                own.append(slot)
                continue
            share = _share([brought[c] for c in groups], budget)
            above = [c for c in sorted(groups) if len(groups[c]) > share]
            if above and len(own) < min(share, brought[label]):
                most = max(above, key=lambda c: brought[c])
                store.delete(_take(groups[most], rng))
                own.append(slot)
            elif own and rng.below(brought[label]) < len(own):
                store.delete(_take(own, rng))
                own.append(slot)
            else:
                store.delete(slot)

    def parts(self, learner, room, seen):
        """Classes share alike; of each, all records that the stream brought are as likely."""
        labels, brought, budget = learner.store.labels, learner.brought, learner.budget
        groups = len(brought)
        new, old = new_and_old(learner)
        counts, excess = counts_of(learner.store), excess_of(learner.store, room)
        total = [brought[c] + seen[c] for c in range(groups)]
        share = _share([count for count in total if count], budget)
        parts = []
        for label in sorted(counts):
            c = group_of(label, groups)
            stay = min(total[c], share)
            old_stay = old_share(learner, brought[c], seen[c], stay)
            parts += parts_of(
                label,
                [slot for slot in new if labels[slot] == label],
                [slot for slot in old if labels[slot] == label],
                counts[label] - excess.get(label, 0),
                old_stay,
                stay - old_stay,
            )
        return parts

    def trim_thinned(self, learner, seen):
        for _, slots, stay in self.parts(learner, learner.budget, seen):
            keep_random(learner, slots, stay)


def _share(brought, budget):
    """The most that every class can have, where those that have less leave theirs to the others.

    brought: records of each class in the stream.
    """
    rest = budget
    brought.sort()
    for i, count in enumerate(brought):
        share = rest // (len(brought) - i)
        if count > share:
            return share
        rest -= count
    return budget


def _take(slots, rng):
    """Removes a random one of a list, which loses its order."""
    at = rng.below(len(slots))
    slots[at], slots[-1] = slots[-1], slots[at]
    return slots.pop()

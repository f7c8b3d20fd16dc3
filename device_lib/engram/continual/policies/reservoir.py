"""Every record of the stream stays with the same probability (Vitter's algorithm R)."""

from . import TakesAll
from .records import keep_random, new_and_old, old_share, parts_of


class Policy(TakesAll):
    def trim(self, learner):
        store, rng, budget = learner.store, learner.rng, learner.budget
        new, old = new_and_old(learner)
        keep_random(learner, old, budget)  # the budget may have been larger before
        old = old[:budget]
        seen = sum(learner.brought)
        for slot in new:
            seen += 1
            if len(old) < budget:
                old.append(slot)
                continue
            at = rng.below(seen)
            if at < budget:
                store.delete(old[at])
                old[at] = slot
            else:
                store.delete(slot)

    def parts(self, learner, room, seen):
        new, old = new_and_old(learner)
        budget = learner.budget
        old_stay = old_share(learner, sum(learner.brought), sum(seen), budget)
        return parts_of(None, new, old, room, old_stay, min(sum(seen), budget - old_stay))

    def trim_thinned(self, learner, seen):
        for _, slots, stay in self.parts(learner, learner.budget, seen):
            keep_random(learner, slots, stay)

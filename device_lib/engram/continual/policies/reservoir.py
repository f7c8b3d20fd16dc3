"""Every record of the stream stays with the same probability (Vitter's algorithm R)."""

from . import TakesAll
from .records import keep_random, new_and_old


class Policy(TakesAll):
    def trim(self, learner):
        store, rng, budget = learner.store, learner.rng, learner.budget
        new, kept = new_and_old(learner)
        keep_random(learner, kept, budget)  # the budget may have been larger before
        kept = kept[:budget]
        seen = sum(learner.brought)
        for slot in new:
            seen += 1
            if len(kept) < budget:
                kept.append(slot)
                continue
            at = rng.below(seen)
            if at < budget:
                store.delete(kept[at])
                kept[at] = slot
            else:
                store.delete(slot)

"""Every class keeps the records whose mean stays closest to the class's.

Herding as in iCaRL (Rebuffi et al., CVPR 2017, algorithm 4), on the head's inputs scaled to length
1, with equal shares as in `balanced`. Where fewer go than stay, those that go are chosen, one
after the other, so that the mean of the rest stays closest: a class of n records that gives way to
k takes min(k, n - k) looks at each. A model without a head for classes keeps random records.
"""

from ...compat import forget
from . import TakesAll
from .records import excess_of, keep_random, of_class


class Policy(TakesAll):
    def trim(self, learner):
        excess = excess_of(learner.store, learner.budget)
        for label in sorted(excess):
            slots = of_class(learner.store, label)
            self._keep(learner, slots, len(slots) - excess[label])
        forget(("engram.continual.herd",))

    def _keep(self, learner, slots, count):
        if not learner.feature_elems:
            return keep_random(learner, slots, count)
        from ..herd import herd

        choice = herd(learner, slots, count)
        for i, slot in enumerate(slots):
            if i not in choice:
                learner.store.delete(slot)

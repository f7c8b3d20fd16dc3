"""Every class keeps an equal share: random records of the largest class go first.

Class-balanced reservoir in the sense of Chrysakis and Moens, "Online Continual Learning from
Imbalanced Data" (ICML 2020), applied once an experience: the largest class gives way.
"""

from . import TakesAll
from .records import excess_of, keep_random, of_class


class Policy(TakesAll):
    def trim(self, learner):
        excess = excess_of(learner.store, learner.budget)
        for label in sorted(excess):
            slots = of_class(learner.store, label)
            keep_random(learner, slots, len(slots) - excess[label])

"""Every class keeps an equal share: random records of the largest class go first.

Class-balanced reservoir in the sense of Chrysakis and Moens, "Online Continual Learning from
Imbalanced Data" (ICML 2020), applied once a session: the largest class gives way.
"""

from . import TakesAll
from .records import keep_random


class Policy(TakesAll):
    def trim(self, learner):
        for _, slots, stay in self.parts(learner, learner.budget, None):
            keep_random(learner, slots, stay)

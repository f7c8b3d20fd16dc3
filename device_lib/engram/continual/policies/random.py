"""As AR1* does it: random new records take the places of random old ones.

After session i = 0, 1, ... with n new records and a budget of rm, min(rm // (i + 1), n) new
ones stay (Pellegrini et al., "Latent Replay for Real-Time Continual Learning", IROS 2020), more
only where nothing has to go for them.
"""

from . import TakesAll
from .records import keep_random, new_and_old, parts_of


class Policy(TakesAll):
    def trim(self, learner):
        new, old = new_and_old(learner)
        stay = self._stay(learner, len(new), len(old))
        keep_random(learner, new, stay)
        keep_random(learner, old, learner.budget - stay)

    def parts(self, learner, room, seen):
        new, old = new_and_old(learner)
        stay = self._stay(learner, sum(seen), len(old))
        return parts_of(None, new, old, room, learner.budget - stay, stay)

    def _stay(self, learner, new, old):
        """How many of so many new records stay when the session ends."""
        budget = learner.budget
        return min(max(budget // (learner.session + 1), budget - old), new)

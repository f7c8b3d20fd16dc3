"""As AR1* does it: random new records take the places of random old ones.

After experience i = 0, 1, ... with n new records and a budget of rm, min(rm // (i + 1), n) new
ones stay (Pellegrini et al., "Latent Replay for Real-Time Continual Learning", IROS 2020), more
only where nothing has to go for them.
"""

from . import TakesAll
from .records import keep_random, new_and_old


class Policy(TakesAll):
    def trim(self, learner):
        new, old = new_and_old(learner)
        budget = learner.budget
        stay = max(budget // (learner.experience + 1), budget - len(old))
        stay = min(stay, len(new))
        keep_random(learner, new, stay)
        keep_random(learner, old, budget - stay)

"""AR1*: latent replay, a CWR* head, and layers below it that learn slowly.

Pellegrini et al., "Latent Replay for Real-Time Continual Learning" (IROS 2020), without synaptic
intelligence, which replay makes unnecessary there. Batches are balanced over the classes: the
paper's (composition "ar1") take old records in proportion to their number, which is 2 of 16 where
1,000 new ones meet 100, and on Fashion-MNIST 7 points less.
"""

from .cwr import Strategy as Cwr


class Strategy(Cwr):
    """Options: as cwr; slow, the learning rate below the head in units of the head's."""

    FORMATS = ("f32",)
    REPLAY = True
    SCOPE = None
    OPTIONS = {"past": (0,) + Cwr.OPTIONS["past"][1:], "slow": (0.1, 0, 1)}

    def __init__(self, learner, arena, options):
        super().__init__(learner, arena, options)
        learner.trainer.rates["below"] = options["slow"]

"""Latent replay with a teacher: the model before this experience judges new and stored samples.

The distillation of lwf on batches that hold old records too, as iCaRL (Rebuffi et al., CVPR 2017)
and End-to-End Incremental Learning (Castro et al., ECCV 2018) combine them: a few stored samples a
class say less about it than what the model had learned from all of them.
"""

from .lwf import Strategy as Lwf


class Strategy(Lwf):
    """Options: those of lwf. The gradient at an old class's logit is alpha (p - q) / (T batch)."""

    REPLAY = True
    OPTIONS = {"alpha": (32, 0, 1000000), "temperature": Lwf.OPTIONS["temperature"]}

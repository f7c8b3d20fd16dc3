"""Latent replay with a teacher: the model before this session judges the stored samples.

The distillation of lwf on the old records of a batch, as iCaRL (Rebuffi et al., CVPR 2017) and
End-to-End Incremental Learning (Castro et al., ECCV 2018) combine them: a few stored samples a
class say less about it than what the model had learned from all of them. New samples are left
out: where what is known looks different now, the teacher is wrong about just those.
"""

from .lwf import Strategy as Lwf


class Strategy(Lwf):
    """Options: those of lwf. The gradient at an old class's logit of an old record is
    alpha (p - q) / (T batch)."""

    REPLAY = True
    TEACHES_NEW = False
    OPTIONS = {"alpha": (1, 0, 1000000), "temperature": Lwf.OPTIONS["temperature"]}

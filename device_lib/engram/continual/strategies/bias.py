"""Only the biases learn, with replay (TinyTL: Cai, Gan, Zhu and Han, NeurIPS 2020).

A bias's gradient needs no activation, so what a step keeps is small: the gradients and velocities
of the biases alone, and no inputs of layers.
"""

from .base import Strategy as Base


class Strategy(Base):
    BIASES = True

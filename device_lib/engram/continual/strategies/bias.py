"""Replay in which only the biases learn (TinyTL: Cai, Gan, Zhu and Han, NeurIPS 2020).

A preset: replay with the scope "all.b". A bias's gradient needs no activation, so a step keeps
little: the gradients and velocities of the biases alone, and no inputs of layers.
"""

from .base import Strategy as Base


class Strategy(Base):
    SCOPE = "bias"

"""Reconstruction: mean squared error of an output and the latent, that of a normal distribution.

With the weight N / 2 it is, but for a constant, minus the logarithm of the likelihood of N values
with a variance of 1. It is a regression whose target is the latent.
"""

from .regress import answer, loss, stats, value  # noqa: F401 - what an objective has

EXPECTED = "latent"

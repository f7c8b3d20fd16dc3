"""Objectives: the losses that outputs are trained for, one per file, found by name.

Such a file has

    stats(n)   numbers that its loss kernel writes for an output of n values, the sum of the losses
               of samples first
    EXPECTED   what is expected: "labels", "targets", or the "latent" itself; None: nothing
    loss(gradient, stats, out, expected, batch, n), answer(out, n)   rows of kernels
    value(window)           what predict() answers

scores.py has what evaluate() counts.
"""

from ...errors import ModelError

# Those that samples without an answer are enough for.
WITHOUT_ANSWERS = ("reconstruct", "bernoulli")
NAMES = ("classify", "regress", "reconstruct", "bernoulli", "kl_mean", "kl_spread")


def load(name):
    """The module of an objective. Raises ModelError."""
    if name not in NAMES:
        raise ModelError("expected an objective of %s, got %s" % (", ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("value",))

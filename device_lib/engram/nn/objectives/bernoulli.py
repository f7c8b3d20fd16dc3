"""Reconstruction of values from 0 to 1: mean cross-entropy of an output's sigmoid and the latent.

With the weight N it is minus the logarithm of the likelihood of N Bernoulli variables: Kingma and
Welling, "Auto-Encoding Variational Bayes" (ICLR 2014), appendix C.1.
"""

EXPECTED = "latent"


def stats(n):
    return 1


def loss(gradient, stats, out, expected, batch, n):
    return [("logistic_xent", [gradient, stats, out, expected, batch, n], ((0, 2),))]


def answer(out, n):
    return [("sigmoid_fwd", [out, out], ())]


def value(window):
    """A list of the values, from 0 to 1."""
    return list(window)

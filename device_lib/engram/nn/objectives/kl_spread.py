"""The part of a code's spreads, the logarithms of its variances, in its divergence from standard
normal.

(exp(spread) - 1 - spread) / 2, summed over the units of a sample: Kingma and Welling,
"Auto-Encoding Variational Bayes" (ICLR 2014), appendix B.
"""

EXPECTED = None


def stats(n):
    return 1 + n  # then those of each unit


def loss(gradient, stats, out, expected, batch, n):
    return [("kl_spread", [gradient, stats, out, batch, n], ())]


def answer(out, n):
    return []


def value(window):
    """A list of the output's values."""
    return list(window)

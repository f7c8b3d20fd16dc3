"""Regression: mean squared error of an output and a target of float32 values."""

EXPECTED = "targets"


def stats(n):
    return 1


def loss(gradient, stats, out, expected, batch, n):
    return [("mse", [gradient, stats, out, expected, batch, n], ((0, 2),))]


def answer(out, n):
    return []


def value(window):
    """A list of the output's values."""
    return list(window)

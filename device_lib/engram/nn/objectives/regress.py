"""Regression: mean squared error of an output and a target of float32 values."""

STATS = 1
EXPECTED = "targets"


def loss(gradient, stats, out, expected, batch, n):
    return [("mse", [gradient, stats, out, expected, batch, n], ((0, 2),))]


def answer(out, n):
    return []


def value(window):
    """A list of the output's values."""
    return list(window)


class Score:
    """Mean squared and mean absolute error. n: values of the output."""

    def __init__(self, n):
        self._values, self._n = n, 0
        self._squares = self._sizes = 0.0

    def add(self, out, row, n, target):
        """Row `row` of outputs (rows, n) should have been `target`."""
        self._n += 1
        for i in range(n):
            error = out[row * n + i] - target[i]
            self._squares += error * error
            self._sizes += abs(error)

    def result(self):
        """{"n", "mse", "mae"}"""
        values = max(1, self._n * self._values)
        return {"n": self._n, "mse": self._squares / values, "mae": self._sizes / values}

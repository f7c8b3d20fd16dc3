"""The counts of evaluate(), a class per objective."""


class Classes:
    """How many samples of each class are classified right. classes: room in the head."""

    def __init__(self, classes):
        self.total, self.right = [0] * classes, [0] * classes

    def add(self, out, row, n, label):
        """Row `row` of outputs (rows, n) is of a sample of class `label`, or, beyond the classes,
        of one without an answer, which counts for none; the class of the largest output."""
        if label < len(self.total):
            self.total[label] += 1
        best, most = row * n, out[row * n]
        for i in range(best + 1, row * n + n):
            value = out[i]  # each look at a float allocates one
            if value > most:
                best, most = i, value
        best -= row * n
        if best == label:
            self.right[label] += 1
        return best

    def result(self):
        """{"n", "correct", "total": [per class], "right": [per class]}"""
        return {
            "n": sum(self.total), "correct": sum(self.right),
            "total": self.total[:], "right": self.right[:],
        }


class Errors:
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


SCORES = {"classify": Classes, "regress": Errors}

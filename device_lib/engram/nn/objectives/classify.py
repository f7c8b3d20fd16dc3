"""Telling classes apart: cross-entropy of the softmax of an output and a u8 label."""

STATS = 2  # the second: how many were right
EXPECTED = "labels"


def loss(gradient, stats, out, expected, batch, n):
    return [("softmax_xent", [gradient, stats, out, expected, batch, n], ((0, 2),))]


def answer(out, n):
    return [("softmax_fwd", [out, out, 1, n], ())]


def value(window):
    """(label, probability) of the most probable class."""
    best, most = 0, 0
    for i, probability in enumerate(window):
        if probability > most:
            best, most = i, probability
    return best, most


class Score:
    """How many samples of each class are classified right. classes: room in the head."""

    def __init__(self, classes):
        self.total, self.right = [0] * classes, [0] * classes

    def add(self, out, row, n, label):
        """Row `row` of outputs (rows, n) is of a sample of class `label`."""
        self.total[label] += 1
        best = row * n
        for i in range(best + 1, row * n + n):
            if out[i] > out[best]:
                best = i
        if best - row * n == label:
            self.right[label] += 1

    def result(self):
        """{"n", "correct", "total": [per class], "right": [per class]}"""
        return {
            "n": sum(self.total), "correct": sum(self.right),
            "total": self.total[:], "right": self.right[:],
        }

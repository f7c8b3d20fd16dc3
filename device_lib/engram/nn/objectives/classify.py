"""Telling classes apart: cross-entropy of the softmax of an output and a u8 label."""

SINGULAR = True
STATS = 2  # the second: how many were right
EXPECTED = "labels"


def loss(gradient, stats, out, expected, batch, n):
    return [("softmax_xent", [gradient, stats, out, expected, batch, n], ((0, 2),))]


def answer(out, n):
    return [("softmax_fwd", [out, out, 1, n], ())]


def value(window):
    """(label, probability) of the most probable class."""
    best = best_of(window, 0, len(window))
    return best, window[best]


def best_of(values, start, n):
    """Index of the first largest of values[start : start + n], from start on."""
    best = start
    for i in range(start + 1, start + n):
        if values[i] > values[best]:
            best = i
    return best - start


class Score:
    """How many samples of each class are classified right. classes: room in the head."""

    def __init__(self, classes):
        self.total, self.right = [0] * classes, [0] * classes

    def add(self, out, row, n, label):
        """Row `row` of outputs (rows, n) is of a sample of class `label`."""
        self.total[label] += 1
        if best_of(out, row * n, n) == label:
            self.right[label] += 1

    def result(self):
        """{"n", "correct", "total": [per class], "right": [per class]}"""
        return {
            "n": sum(self.total), "correct": sum(self.right),
            "total": self.total[:], "right": self.right[:],
        }

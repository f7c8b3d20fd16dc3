"""Squared distances of one vector to many, each axis weighted, in a tape of kernels."""

from ..backend import kernels
from ..continual.vector import MINUS_ONE, ONE, scalar
from .records import floats

_ROW_FLOATS = 1024  # of differences that are in memory at a time, or one row of them


class Distances:
    """The distances of x (n) to the rows of `means` (rows, n); memoryviews or arrays of float32.

    weights: (rows, n): the factor of each squared difference. offsets: (rows), which are added to
    the means over n.

    .out    (rows): after run() n times the mean of the weighted squares and the offset;
            after run_plain() the same without weights and offsets
    """

    def __init__(self, x, means, weights, offsets):
        n, rows = len(x), len(offsets)
        self._n, self._means = n, means
        self._minus, self._ones = floats(n), floats(n)
        for i in range(n):
            self._ones[i] = 1
        self.out, self._one = floats(rows), floats(1)
        step = max(1, min(rows, _ROW_FLOATS // n))
        self._part, self._factor = memoryview(floats(step * n)), memoryview(floats(step * n))
        out, size = memoryview(self.out), scalar(n)
        negated = (kernels.scale_f32, self._minus, x, MINUS_ONE)
        plain, weighted = [negated], [negated]
        for at in range(0, rows, step):
            count = min(step, rows - at)
            first, end = at * n, (at + count) * n
            part, factor = self._part[: count * n], self._factor[: count * n]
            result = out[at : at + count]
            away = (kernels.scale_shift_fwd, part, means[first:end], self._ones, self._minus,
                    count, n)
            square = (kernels.mul_f32, part, part, factor)
            mean = (kernels.global_avgpool_fwd, result, part, count, n, 1)
            plain += [away, (kernels.copy_f32, factor, part), square, mean]
            weights_of = (kernels.mul_f32, factor, part, weights[first:end])
            weighted += [away, weights_of, square, mean]
        times = (kernels.scale_f32, self.out, self.out, size)
        weighted += [(kernels.add_f32, self.out, self.out, offsets), times]
        self._size = size
        self._plain, self._weighted = kernels.bind(plain + [times]), kernels.bind(weighted)

    def run(self):
        kernels.run(self._weighted)

    def run_plain(self):
        kernels.run(self._plain)

    def nearest(self):
        """(row, value) of the least of .out."""
        values = list(self.out)
        least = min(values)
        return values.index(least), least

    def squares(self, x, row):
        """(n) float32 window, until the next call: the squares of row `row` less x."""
        n, part, factor = self._n, self._part[: self._n], self._factor[: self._n]
        kernels.scale_f32(self._minus, x, MINUS_ONE)
        kernels.scale_shift_fwd(
            part, self._means[row * n : row * n + n], self._ones, self._minus, 1, n
        )
        kernels.mul_f32(factor, part, part)
        return factor

    def to_row(self, x, row):
        """The squared distance of x to a row."""
        kernels.global_avgpool_fwd(self._one, self.squares(x, row), 1, self._n, 1)
        kernels.scale_f32(self._one, self._one, self._size)
        return self._one[0]


def add(total, x):
    """total (n) += x (n)."""
    kernels.axpy_f32(total, x, ONE)

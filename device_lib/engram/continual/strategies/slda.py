"""Streaming linear discriminant analysis: class means, and one covariance for all classes.

Hayes and Kanan, "Lifelong Machine Learning with Deep Streaming Linear Discriminant Analysis" (CVPR
workshops 2020), in one pass over the head's inputs. The head is

    w_c = L mu_c,  b_c = -mu_c L mu_c / 2,  L = ((1 - shrinkage) S + shrinkage trace(S) / N I)^-1

with S the covariance of N features within the classes. The shrinkage is in units of their mean
variance, so that it means the same for every model. Memory: two matrices of N x N.

Sums and moments are of x - r, r the mean of as many records of the first run as a batch has:
float32 loses a covariance that is small beside the square of the mean.
"""

from array import array
from math import sqrt

from ...backend import kernels
from ...nn.names import BRIEF, KEPT, SAVED
from ..vector import MINUS_ONE, dot, scalar
from .ncm import NEVER
from .ncm import Strategy as Ncm


class Strategy(Ncm):
    """Options: shrinkage. The model file's classes have to be learned anew."""

    FORMATS = ("f32",)
    OPTIONS = {"shrinkage": (0.01, 0.000001, 1)}

    @staticmethod
    def buffers(sizes):
        n = sizes.features
        return (
            ("sums", sizes.head, SAVED),
            ("taken", 2, SAVED),  # as ncm has it
            ("moments", n * n, SAVED),  # the sum of (x - r) (x - r)^T over all samples
            ("shift", n, SAVED),  # -r
            ("factor", n * n, BRIEF),
            ("column", n, KEPT),
        )

    def __init__(self, learner, arena, options):
        self._moments, self._factor = arena.window("moments"), arena.window("factor")
        self._column, self._shift = arena.window("column"), arena.window("shift")
        self._ones = array("f", [1] * len(self._shift))
        self._shrinkage = options["shrinkage"]
        super().__init__(learner, arena, options)

    def begin(self):
        super().begin()
        if not any(self._counts):
            self._look_around()

    def _look_around(self):
        """r: records from the whole run, since those that come first may be of one class."""
        kernels.zero_f32(self._shift)
        features = self.learner.features
        slots = self._once.spread(self.stage.head.rows)
        for slot in slots:
            x = features(slot)
            if x is not None:
                kernels.axpy_f32(self._shift, x, scalar(-1 / len(slots)))

    def backward(self):
        head = self.stage.head
        if self._once.left():
            x = head.x  # (rows, n) -= r, in place
            kernels.scale_shift_fwd(x, x, self._ones, self._shift, head.rows, head.n)
        super().backward()

    def _leave_out(self, row):
        head = self.stage.head
        for i in range(row * head.n, row * head.n + head.n):
            head.x[i] = 0

    def _take_in(self):
        super()._take_in()
        head, n = self.stage.head, self.stage.head.n
        kernels.dense_bwd_dw(self._moments, self._column, head.x, head.x, head.rows, n, n)

    def _write(self):
        """The head from the sums and moments. Rows of the factor become those of Cholesky's."""
        n = self.stage.head.n
        classes = [c for c in range(len(self._b)) if self._counts[c]]
        self._means()
        self._covariance(n, sum([self._counts[c] for c in classes]))
        rows = [self._factor[i * n : i * n + i + 1] for i in range(n)]
        _cholesky(rows)
        for c in range(len(self._b)):
            self._b[c] = NEVER
        for c in classes:
            row, sums = self._w[c * n : c * n + n], self._sums[c * n : c * n + n]
            _solve(rows, row)
            self._b[c] = dot(self._shift, row) - dot(sums, row) / self._counts[c] / 2

    def _means(self):
        """Rows of the head: the means of x - r of the classes, zeros where there is none."""
        n = self.stage.head.n
        for c in range(len(self._b)):
            count = self._counts[c] or 1
            row, sums = self._w[c * n : c * n + n], self._sums[c * n : c * n + n]
            kernels.scale_f32(row, sums, scalar(1 / count))

    def _covariance(self, n, total):
        """factor = the covariance within the classes, shrunk; 1 where they have no spread."""
        factor = self._factor
        kernels.scale_f32(factor, self._moments, MINUS_ONE)
        kernels.dense_bwd_dw(factor, self._column, self._sums, self._w, len(self._b), n, n)
        moment = sum([self._moments[i * n + i] for i in range(n)])
        spread = -sum([factor[i * n + i] for i in range(n)])
        if spread <= 1e-5 * moment:  # one sample a class: what is left is rounding
            kernels.zero_f32(factor)
            ridge = 1
        else:
            scale = (self._shrinkage - 1) / total
            kernels.scale_f32(factor, factor, scalar(scale))
            ridge = self._shrinkage * spread / total / n
        for i in range(n):
            factor[i * n + i] += ridge


def _cholesky(rows):
    """rows: of the lower triangle of a matrix, row i with i + 1 elements; L in their place."""
    for i, row in enumerate(rows):
        for j in range(i):
            other = rows[j]
            if j:
                row[j] -= dot(row[:j], other[:j])
            row[j] /= other[j]
        least = row[i] * 1e-6
        if i:
            row[i] -= dot(row[:i], row[:i])
        row[i] = sqrt(max(row[i], least))


def _solve(rows, x):
    """x becomes the solution of L L^T x = x."""
    for i, row in enumerate(rows):
        if i:
            x[i] -= dot(row[:i], x[:i])
        x[i] /= row[i]
    step = array("f", (0,))
    for i in range(len(rows) - 1, -1, -1):
        row = rows[i]
        x[i] /= row[i]
        if i:
            step[0] = -x[i]
            kernels.axpy_f32(x[:i], row[:i], step)

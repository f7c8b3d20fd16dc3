"""The engines "clusters" and "classes": how far a latent is from the nearest of some clusters.

A cluster has a mean m and a variance v for each value of a latent x; the score is the least of
sum((x - m)^2 / v) + sum(log v), minus twice the logarithm of a Gaussian density up to a constant.
The variances of a cluster are shrunk towards those within all clusters, as if PRIOR more samples
had these: (sum of squares + PRIOR * pooled) / (count + PRIOR). x is in steps of the int8 latent.
"""

from ..backend import kernels
from ..continual.rng import Rng
from ..continual.vector import MINUS_ONE, scalar
from .distances import Distances, add
from .records import Latents, check_count, floats, need_room

PRIOR = 3  # samples that the pooled variances count as
CLUSTERS = 17
_PER_CLUSTER = 8  # samples at least
_NEVER = 1e30  # offset of a cluster without records
_LEAST = 1 / 12  # variance of rounding, in squared steps of the store's codes


class Clusters:
    """learner: one with a store. options: "clusters", how many at most; "seed" of their choice.

    fitting() comes before score() and score_stored().
    """

    OPTIONS = ("clusters", "seed")
    HELD_OUT = True  # stored samples can be left out of the fit

    def __init__(self, learner, clusters=CLUSTERS, seed=1):
        check_count("clusters", clusters)
        self._labels = learner.store.labels
        self.latents = Latents(learner)
        self._most, self._seed = clusters, seed
        self._rows = 0

    def fitting(self, slots):
        """Fits to the records in `slots`: a generator that yields after each that it reads."""
        rows = self._count(slots)
        if rows != self._rows:
            self._allocate(rows)
        for _ in self._means(slots):
            yield
        for _ in self._variances(slots):
            yield

    def score(self, learner):
        """The score of the latent that the learner inferred last."""
        self.latents.take()
        return self._least()

    def score_stored(self, slot):
        """The score of a record; None where it is damaged."""
        return self._least() if self.latents.read(slot) else None

    def _least(self):
        self.distances.run()
        return min(self.distances.out)

    def _count(self, slots):
        return max(1, min(self._most, len(slots) // _PER_CLUSTER))

    def _allocate(self, rows):
        n = self.latents.n
        self.distances = self.means = self.weights = None
        need_room(
            "%d clusters of %d values" % (rows, n), 8 * rows * n + 12 * n + 8192,
            "take fewer clusters, or engine='neighbours', which keeps none",
        )
        self._rows = rows
        self.means, self.weights = memoryview(floats(rows * n)), memoryview(floats(rows * n))
        self.offsets, self.counts = floats(rows), floats(rows)
        self.distances = Distances(self.latents.x, self.means, self.weights, self.offsets)

    def row(self, of, row):
        n = self.latents.n
        return of[row * n : row * n + n]

    def _means(self, slots):
        from .kmeans import fitting

        return fitting(self, slots, Rng(self._seed))

    def row_of(self, slot):
        """The cluster of the record at hand."""
        self.distances.run_plain()
        return self.distances.nearest()[0]

    def _variances(self, slots):
        """weights = 1 / variance, offsets = mean of log(variance), from the means."""
        latents, distances, counts = self.latents, self.distances, self.counts
        for part in (self.weights, counts):
            kernels.zero_f32(part)
        for slot in slots:
            if latents.read(slot):
                row = self.row_of(slot)
                add(self.row(self.weights, row), distances.squares(latents.x, row))
                counts[row] += 1
            yield
        n, pooled = latents.n, floats(latents.n)
        for row in range(self._rows):
            add(pooled, self.row(self.weights, row))
        kernels.scale_f32(pooled, pooled, scalar(PRIOR / (sum(counts) or 1)))
        least = PRIOR * _LEAST * latents.step * latents.step
        kernels.scale_shift_fwd(pooled, pooled, scalar(1), scalar(least), n, 1)
        for row in range(self._rows):
            variances = self.row(self.weights, row)
            add(variances, pooled)
            kernels.scale_f32(variances, variances, scalar(1 / (counts[row] + PRIOR)))
        kernels.log_f32(self.weights, self.weights)
        kernels.global_avgpool_fwd(self.offsets, self.weights, self._rows, n, 1)
        kernels.scale_f32(self.weights, self.weights, MINUS_ONE)
        kernels.exp_f32(self.weights, self.weights)
        for row in range(self._rows):
            if not counts[row]:  # of records that were damaged, or the same as others
                self.offsets[row] = _NEVER


class Classes(Clusters):
    """One cluster for each label that is stored; records without one are a cluster too."""

    OPTIONS = ()

    def _count(self, slots):
        self._known = sorted(set([self._labels[slot] for slot in slots]))
        return len(self._known)

    def _means(self, slots):
        counts = self.counts
        for part in (self.means, counts):
            kernels.zero_f32(part)
        for slot in slots:
            if self.latents.read(slot):
                row = self.row_of(slot)
                add(self.row(self.means, row), self.latents.x)
                counts[row] += 1
            yield
        for row in range(self._rows):
            mean = self.row(self.means, row)
            kernels.scale_f32(mean, mean, scalar(1 / (counts[row] or 1)))

    def row_of(self, slot):
        return self._known.index(self._labels[slot])

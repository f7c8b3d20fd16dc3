"""The means of clusters: Lloyd's passes over the store, begun by k-means++.

Arthur and Vassilvitskii, "k-means++" (SODA 2007): each first mean is a record, drawn with a chance
that grows with its squared distance to the means there are. All sums are float32, so that every
host draws the same records.
"""

from ..backend import kernels
from ..continual.vector import scalar
from .distances import add
from .records import floats

PASSES = 8  # at most; fewer where no record changes its cluster
_DRAWS = 1 << 20


def fitting(clusters, slots, rng):
    """clusters.means from the records in `slots`: a generator, as Clusters.fitting()."""
    for _ in _first(clusters, slots, rng):
        yield
    rows, of = len(clusters.counts), bytearray(len(slots))
    for i in range(len(of)):
        of[i] = 255
    for _ in range(PASSES):
        changed = 0
        for part in (clusters.weights, clusters.counts):  # weights: room for the sums
            kernels.zero_f32(part)
        for i, slot in enumerate(slots):
            if clusters.latents.read(slot):
                row = clusters.row_of(slot)
                changed += row != of[i]
                of[i] = row
                add(clusters.row(clusters.weights, row), clusters.latents.x)
                clusters.counts[row] += 1
            yield
        for row in range(rows):
            if clusters.counts[row]:
                kernels.scale_f32(
                    clusters.row(clusters.means, row), clusters.row(clusters.weights, row),
                    scalar(1 / clusters.counts[row]),
                )
        if not changed:
            break


def _first(clusters, slots, rng):
    """The means that Lloyd's passes begin with."""
    latents, distances = clusters.latents, clusters.distances
    away = floats(len(slots))  # squared distance to the nearest mean
    at = rng.below(len(slots))
    for row in range(len(clusters.counts)):
        total = scalar(0)
        mean = clusters.row(clusters.means, row)
        kernels.zero_f32(mean)
        if latents.read(slots[at]):
            add(mean, latents.x)
        for i, slot in enumerate(slots):
            if latents.read(slot):
                square = distances.to_row(latents.x, row)
                if not row or square < away[i]:
                    away[i] = square
            total[0] += away[i]
            yield
        at = _drawn(away, total[0], rng)


def _drawn(away, total, rng):
    """An index, drawn with chances as `away`."""
    rest = scalar(total)
    rest[0] = rest[0] * rng.below(_DRAWS) / _DRAWS
    for i, square in enumerate(away):
        rest[0] -= square
        if rest[0] < 0:
            return i
    return rng.below(len(away))

"""The Pareto front of what was tried, and its hypervolume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Values = tuple[float, ...]  # of objectives, each the better the larger
T = TypeVar("T")


def dominates(a: Values, b: Values) -> bool:
    """Whether a is as good as b in every objective, and better in one."""
    return a != b and all(x >= y for x, y in zip(a, b))


def front(points: Sequence[tuple[Values, T]]) -> list[tuple[Values, T]]:
    """The points that no other dominates, the best in the first objective first; of equal ones
    the first."""
    kept: list[tuple[Values, T]] = []
    for values, what in sorted(points, key=lambda point: point[0], reverse=True):
        if not any(values == other or dominates(other, values) for other, _ in kept):
            kept.append((values, what))
    return kept


def hypervolume(points: Sequence[Values]) -> float:
    """The volume between the points and 0, in as many dimensions as they have objectives.

    Slices along the last objective: Fleischer, "The Measure of Pareto Optima" (2003), in its
    plainest form. Values below 0 count as 0.
    """
    clipped = [tuple(max(0.0, value) for value in values) for values in points]
    return _volume([values for values in clipped if all(values)])


def _volume(points: Sequence[Values]) -> float:
    if not points:
        return 0.0
    if len(points[0]) == 1:
        return max(values[0] for values in points)
    if len(points[0]) == 2:
        return _area(points)
    total, above = 0.0, 0.0
    levels = sorted({values[-1] for values in points})
    for level in levels:
        rest = [values[:-1] for values in points if values[-1] >= level]
        total += (level - above) * _volume([values for values, _ in _reduced(rest)])
        above = level
    return total


def _reduced(points: Sequence[Values]) -> list[tuple[Values, None]]:
    return front([(values, None) for values in points])


def _area(points: Sequence[Values]) -> float:
    total, above = 0.0, 0.0
    for x, y in sorted(points, reverse=True):
        if y > above:
            total += x * (y - above)
            above = y
    return total

"""The next point to train, where the costs of all points are known and accuracy alone is not.

A Gaussian process over the places of the choices predicts the accuracy of every point that was
not trained (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006: chapter 2,
and 5.4.1 for its length scales, one a dimension). The next point is the one whose expected gain of
hypervolume is the largest: over the box of the costs, which its known costs decide, the expected
improvement of accuracy beyond the best that such costs have reached (Jones, Schonlau and Welch,
"Efficient Global Optimization of Expensive Black-Box Functions", 1998; Emmerich, Giannakoglou and
Naujoks, 2006, for hypervolumes). The integral over the costs is a mean over random places.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .space import Point, Space

F64 = NDArray[np.float64]
_STARTUP = 10  # points before a process is fitted: the one with the least costs, random ones
_PLACES = 4_000  # in the box of costs
_REFIT = 10  # trainings between two fits of the length scales
_SCALES = (0.2, 0.35, 0.6, 1.0, 2.0, 4.0)  # of a dimension, which is 0 to 1
_NOISES = (1e-4, 1e-3, 1e-2, 1e-1)  # share of the variance that a test's chance makes


class Guide:
    """Chooses points of a Space to train.

    points: those within the limits. left: function(point) -> [shares of each limit that its ways
    leave]. seed: of random picks.
    """

    def __init__(
        self,
        space: Space,
        points: Sequence[Point],
        left: Callable[[Point], list[tuple[float, ...]]],
        seed: int,
    ) -> None:
        self._points = list(points)
        self._places = [space.place(point) for point in points]
        self._index = {place: i for i, place in enumerate(self._places)}
        spans = [max(1, len(choices) - 1) for choices in space.choices.values()]
        self._x = np.array(self._places, np.float64) / spans
        self._rng = np.random.default_rng(seed)
        self._gains = self._covered(left)
        self._scales, self._noise = np.ones(len(spans)), _NOISES[1]
        self._fitted = 0

    def _covered(self, left: Callable[[Point], list[tuple[float, ...]]]) -> NDArray[np.bool_]:
        """(points, places): whether a point costs no more than a place in the box of costs."""
        ways = [left(point) for point in self._points]
        box = np.random.default_rng(0).random((_PLACES, len(ways[0][0])))
        covered = np.zeros((len(ways), _PLACES), bool)
        for row, shares in zip(covered, ways):
            for share in shares:
                row |= (box <= np.array(share)).all(axis=1)
        return covered[:, covered.any(axis=0)]

    def next(self, known: Mapping[tuple[int, ...], float]) -> Point | None:
        """The point to train after those that are known, {place: accuracy}; None where all are."""
        tried = np.array([self._index[place] for place in known if place in self._index], int)
        rest = np.setdiff1d(np.arange(len(self._points)), tried)
        if not len(rest):
            return None
        if not len(tried):
            return self._points[int(self._gains.sum(axis=1).argmax())]
        if len(tried) < _STARTUP:
            return self._points[int(self._rng.choice(rest))]
        values = np.array([known[self._places[i]] for i in tried])
        mean, spread = self._predicted(tried, values)
        score = self._expected(tried, values, mean, spread)
        return self._points[int(rest[score[rest].argmax()])]

    def _expected(self, tried: NDArray[np.int_], values: F64, mean: F64, spread: F64) -> F64:
        """The expected gain of hypervolume of every point."""
        best = np.zeros(self._gains.shape[1])
        for row, value in zip(self._gains[tried], values):
            np.maximum(best, row * value, out=best)
        levels, inverse = np.unique(best, return_inverse=True)
        score = np.zeros(len(mean))
        for i, level in enumerate(levels):
            z = (mean - level) / spread
            improvement = spread * (z * _below(z) + _density(z))
            score += self._gains[:, inverse == i].sum(axis=1) * improvement
        return score

    def _predicted(self, tried: NDArray[np.int_], values: F64) -> tuple[F64, F64]:
        """Mean and standard deviation of the accuracy of every point."""
        middle, size = values.mean(), max(values.std(), 1e-3)
        y = (values - middle) / size
        if abs(len(tried) - self._fitted) >= _REFIT or not self._fitted:
            self._fit(self._x[tried], y)
            self._fitted = len(tried)
        x = self._x[tried]
        factor = np.linalg.cholesky(_kernel(x, x, self._scales) + self._noise * np.eye(len(x)))
        cross = np.linalg.solve(factor, _kernel(x, self._x, self._scales))
        mean = cross.T @ np.linalg.solve(factor, y)
        variance = np.maximum(1 - np.square(cross).sum(axis=0), 1e-8)
        return middle + size * mean, size * np.sqrt(variance)

    def _fit(self, x: F64, y: F64) -> None:
        """Length scales and noise with the largest likelihood, one after the other, twice."""
        least = _surprise(x, y, self._scales, self._noise)
        for _ in range(2):
            for axis, scale in itertools.product(range(x.shape[1]), _SCALES):
                scales = self._scales.copy()
                scales[axis] = scale
                value = _surprise(x, y, scales, self._noise)
                if value < least:
                    least, self._scales = value, scales
            for noise in _NOISES:
                value = _surprise(x, y, self._scales, noise)
                if value < least:
                    least, self._noise = value, noise


def _kernel(a: F64, b: F64, scales: F64) -> F64:
    difference = (a[:, None, :] - b[None, :, :]) / scales
    return np.asarray(np.exp(-np.square(difference).sum(axis=2) / 2))


def _surprise(x: F64, y: F64, scales: F64, noise: float) -> float:
    """Minus the log likelihood, but for a constant."""
    factor = np.linalg.cholesky(_kernel(x, x, scales) + noise * np.eye(len(x)))
    return float(np.square(np.linalg.solve(factor, y)).sum() / 2 + np.log(np.diag(factor)).sum())


def _density(z: F64) -> F64:
    return np.asarray(np.exp(-z * z / 2) / np.sqrt(2 * np.pi))


def _below(z: F64) -> F64:
    """The normal distribution, within 2e-4: Bowling et al., Journal of Industrial Engineering and
    Management 2 (2009), equation 10."""
    return np.asarray(1 / (1 + np.exp(-np.clip(1.5976 * z + 0.07056 * z**3, -40, 40))))

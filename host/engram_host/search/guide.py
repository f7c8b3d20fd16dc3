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
import math
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
        self._process = _Process(self._x, self._scales, self._noise)
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
        if abs(len(tried) - self._fitted) >= _REFIT or not self._fitted:
            self._fit(self._x[tried], (values - middle) / size)
            self._fitted = len(tried)
            self._process = _Process(self._x, self._scales, self._noise)
        self._process.learn(tried, values)
        return self._process.predicted(middle, size)

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


class _Process:
    """A Gaussian process over points x, of unit variance, that learns their values one by one.

    The rows of _cross are those of the Cholesky factor's inverse times the kernel (Rasmussen and
    Williams, algorithm 2.1): a value more is a row more.
    """

    def __init__(self, x: F64, scales: F64, noise: float) -> None:
        self._x, self._scales, self._noise = x, scales, noise
        self._learned: list[int] = []
        self._cross = np.zeros((16, len(x)))
        self._whole = np.zeros((16, 2))  # the factor's inverse times the values, and times ones
        self._explained = np.zeros(len(x))

    def learn(self, tried: NDArray[np.int_], values: F64) -> None:
        """The values of points, by their numbers; those that were learned stay as they are."""
        seen = set(self._learned)
        for point, value in zip(tried.tolist(), values.tolist()):
            if point not in seen:
                self._add(point, value)

    def _add(self, point: int, value: float) -> None:
        n = len(self._learned)
        if n == len(self._cross):
            self._cross = np.concatenate([self._cross, np.zeros_like(self._cross)])
            self._whole = np.concatenate([self._whole, np.zeros_like(self._whole)])
        cross, whole = self._cross[:n], self._whole[:n]
        left = cross[:, point].copy()
        size = math.sqrt(max(1 + self._noise - float(left @ left), 1e-12))
        row = _kernel(self._x[point : point + 1], self._x, self._scales)[0] - left @ cross
        self._cross[n] = row / size
        self._whole[n] = (np.array([value, 1.0]) - left @ whole) / size
        self._explained += np.square(self._cross[n])
        self._learned.append(point)

    def predicted(self, middle: float, size: float) -> tuple[F64, F64]:
        """Mean and standard deviation at every point, where values are `middle` and `size` times
        those of the process."""
        n = len(self._learned)
        values, ones = self._whole[:n].T
        mean = middle + (values - middle * ones) @ self._cross[:n]
        return mean, size * np.sqrt(np.maximum(1 - self._explained, 1e-8))


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

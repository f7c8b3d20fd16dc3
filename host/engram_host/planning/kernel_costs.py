"""Instructions of a kernel on a core, predicted from counts in a few shapes.

`make bench` counts every kernel on every emulated core in the shapes of small models and writes
costs.json. A kernel's instructions are taken as linear in the products that its work grows with
(sizes.terms), none of them negative:

    instructions = a + b * outputs + ... + z * multiply-accumulates

The coefficients are those with the least squares of the relative errors. What they leave (kernels
work in blocks, and have ways of their own for some shapes) is taken from the counted shapes that
are most alike: the ratio of count and prediction, weighted by the inverse square of the distance
(Shepard, "A two-dimensional interpolation function for irregularly-spaced data", 1968). A kernel
that was not counted takes the mean of its core, and is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .energy import Code
from .sizes import names, values

FILE = Path(__file__).with_name("costs.json")


class CoreCosts:
    """The costs of one kind of code.

    counts: {kernel: [(sizes of a call, instructions)]}. board: on which they were counted.
    """

    def __init__(
        self, board: str, code: Code, counts: Mapping[str, list[tuple[dict[str, int], int]]]
    ) -> None:
        self.board, self.code, self.counts = board, code, counts
        self._fits: dict[tuple[str, bool], Fitted] = {}

    def has(self, kernel: str) -> bool:
        """Whether a kernel was counted."""
        return kernel in self.counts

    def instructions(self, kernel: str, sizes: dict[str, int]) -> float:
        """Instructions of one call, by the mean of the core where the kernel was not counted."""
        products = values(kernel, sizes)
        if not self.has(kernel):
            return self._mean(_family(kernel)) * products[-1]
        few = _few(sizes)
        if (kernel, few) not in self._fits:
            self._fits[kernel, few] = Fitted(kernel, _of(self.counts[kernel], few))
        return self._fits[kernel, few].at(sizes)

    def errors(self, kernel: str) -> list[float]:
        """The relative errors of the counted shapes, each predicted from the others."""
        rows = self.counts[kernel]
        return [
            Fitted(kernel, _of(rows[:i] + rows[i + 1 :], _few(of))).at(of) / count - 1
            for i, (of, count) in enumerate(rows)
        ]

    def _mean(self, family: str) -> float:
        """Instructions per largest product, over the counted kernels of a number format."""
        shares = [
            count / values(kernel, of)[-1]
            for kernel, rows in self.counts.items()
            if _family(kernel) == family
            for of, count in rows
            if values(kernel, of)[-1] >= _LARGE
        ]
        return float(np.mean(shares)) if shares else self._mean("f32")


_NEAR = 1e-3  # a distance at which two shapes are one
_LARGE = 1000  # products from which on those of a call count, not the call


def _family(kernel: str) -> str:
    """The number format in which a kernel computes, by its name."""
    last = kernel.rpartition("_")[2]
    return last if last in ("s8", "q8") else "f32"


def _few(sizes: Mapping[str, int]) -> bool:
    """Whether a call has few channels: q8 has other blocks of instructions for these."""
    return bool(sizes.get("few"))


def _of(rows: list[tuple[dict[str, int], int]], few: bool) -> list[tuple[dict[str, int], int]]:
    """The counted shapes of few channels, or of more."""
    return [row for row in rows if _few(row[0]) == few] or rows


class Fitted:
    """A kernel's instructions as a function of sizes; counts: [(sizes, instructions)]."""

    def __init__(self, kernel: str, counts: list[tuple[dict[str, int], int]]) -> None:
        self._kernel = kernel
        numbers = np.array([count for _, count in counts], np.float64)
        matrix = np.array([values(kernel, of) for of, _ in counts], np.float64)
        relative = matrix / numbers[:, None]
        scale = relative.max(axis=0)
        scale[scale == 0] = 1
        self._factors = _least_squares(relative / scale, np.ones(len(counts))) / scale
        self._points = np.array([self._point(of) for of, _ in counts])
        line = np.maximum(matrix @ self._factors, 1)
        self._ratios = np.log(numbers / line)

    def at(self, sizes: dict[str, int]) -> float:
        """Instructions of a call of such sizes."""
        line = max(float(self._factors @ np.array(values(self._kernel, sizes), np.float64)), 1)
        distances = np.square(self._points - self._point(sizes)).sum(axis=1)
        weights = 1 / (distances + _NEAR) ** 2
        return line * float(np.exp(weights @ self._ratios / weights.sum()))

    def _point(self, sizes: dict[str, int]) -> NDArray[np.float64]:
        """Where sizes lie: a step is a doubling. A remainder of four counts, as blocks are of
        four."""
        numbers = np.array([sizes[name] for name in names(self._kernel)], np.float64)
        return np.concatenate([np.log2(numbers + 1), (numbers % 4 != 0) * 1.0])


def _least_squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """x >= 0 with the least |a x - b|.

    Lawson and Hanson, "Solving Least Squares Problems" (1974), chapter 23.
    """
    n = a.shape[1]
    x, free = np.zeros(n), np.zeros(n, bool)
    for _ in range(3 * n):
        slope = a.T @ (b - a @ x)
        slope[free] = -np.inf
        if free.all() or slope.max() <= 1e-10:
            break
        free[int(slope.argmax())] = True
        while True:
            step = np.zeros(n)
            step[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
            if (step[free] > 0).all():
                x = step
                break
            low = free & (step <= 0)
            share = min(x[low] / (x[low] - step[low]))
            x = x + share * (step - x)
            free &= x > 1e-12
            x[~free] = 0
    return x


@cache
def measured() -> dict[Code, CoreCosts]:
    """{code of a core: its costs}, of costs.json."""
    content: dict[str, Any] = json.loads(FILE.read_text())
    shapes = content["shapes"]
    out = {}
    for board, row in content["boards"].items():
        code = Code(row["core"], row["arch"], row["fpu"])
        counts = {
            kernel: list(zip(row.get("own", {}).get(kernel) or shapes[kernel], numbers))
            for kernel, numbers in row["instructions"].items()
        }
        out[code] = CoreCosts(board, code, counts)
    return out

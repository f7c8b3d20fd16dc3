"""Data sets cut into parts, with splits that never move.

A split decides every accuracy in a report, so it depends on nothing but the data and a seed:
Python's own Mersenne Twister orders the samples of each class, and the first ones become the
test set. Each class has the same number of test samples, so accuracy is the mean over classes.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


class Dataset(NamedTuple):
    """Samples as the board receives them: `x` uint8 (n, H, W, C), `y` uint8 (n,)."""

    x_train: U8
    y_train: U8
    x_test: U8
    y_test: U8

    def train_of(self, classes: list[int]) -> tuple[U8, U8]:
        """The training samples of the given classes, in the fixed order of the split."""
        rows = np.isin(self.y_train, classes)
        return self.x_train[rows], self.y_train[rows]


def split_by_class(y: U8, test_per_class: int, seed: int) -> tuple[list[int], list[int]]:
    """Indices (train, test) of a split with `test_per_class` test samples of every class.

    Both lists are shuffled over the classes. Raises ValueError if a class is too small.
    """
    order = random.Random(seed)
    train: list[int] = []
    test: list[int] = []
    for label in sorted(set(y.tolist())):
        members = [i for i, value in enumerate(y.tolist()) if value == label]
        if len(members) <= test_per_class:
            raise ValueError(
                f"class {label} has {len(members)} samples, more than {test_per_class} are needed"
            )
        order.shuffle(members)
        test += members[:test_per_class]
        train += members[test_per_class:]
    order.shuffle(train)
    order.shuffle(test)
    return train, test


def draw_per_class(x: U8, y: U8, classes: list[int], count: int, seed: int) -> tuple[U8, U8]:
    """`count` random samples of each class, shuffled together: what one session sends.

    A class with fewer samples gives all it has. The same seed draws the same samples.
    """
    rows = rows_per_class(y, classes, count, seed)
    return x[rows], y[rows]


def rows_per_class(y: U8, classes: list[int], count: int, seed: int) -> NDArray[np.intp]:
    """The rows of y (n) that draw_per_class() draws, in their order."""
    order = random.Random(seed)
    rows: list[int] = []
    for label in classes:
        members = np.flatnonzero(y == label).tolist()
        order.shuffle(members)
        rows += members[:count]
    order.shuffle(rows)
    return np.array(rows, np.intp)

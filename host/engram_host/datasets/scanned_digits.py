"""The scanned digits that this package carries: the data set of the demo.

digits.npz holds the 1,797 samples of the test part of "Optical Recognition of Handwritten Digits"
by E. Alpaydin and C. Kaynak (UCI Machine Learning Repository, doi:10.24432/C50P49), licensed under
CC BY 4.0, in their order: x, uint8 (1797, 8, 8, 1), values 0 to 16; y, uint8 (1797,).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .splits import Dataset, split_by_class

DIGITS_CLASSES = 10
DIGITS_SHAPE = (8, 8, 1)  # height, width, channels; values 0..16
DIGITS_TEST_PER_CLASS = 36  # 360 of 1,797: one fifth
DIGITS_SPLIT_SEED = 1797
_FILE = Path(__file__).with_name("digits.npz")


def scans() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All 1,797 scans and their labels, in the order of the file."""
    with np.load(_FILE) as file:
        return file["x"], file["y"]


def digits() -> Dataset:
    """The scans, the same split on every computer: 1,437 to train on, 360 to test."""
    x, y = scans()
    train, test = split_by_class(y, DIGITS_TEST_PER_CLASS, DIGITS_SPLIT_SEED)
    return Dataset(x[train], y[train], x[test], y[test])

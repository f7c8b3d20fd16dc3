"""The digits that ship inside scikit-learn: the data set of the demo."""

from __future__ import annotations

import numpy as np

from .splits import Dataset, split_by_class

DIGITS_CLASSES = 10
DIGITS_SHAPE = (8, 8, 1)  # height, width, channels; values 0..16
DIGITS_TEST_PER_CLASS = 36  # 360 of 1,797: one fifth
DIGITS_SPLIT_SEED = 1797


def digits() -> Dataset:
    """The 1,797 scanned digits that ship inside scikit-learn: 1,437 to train on, 360 to test."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("the digits come with scikit-learn: pip install scikit-learn") from error
    raw = load_digits()
    x = np.asarray(raw.data).astype(np.uint8).reshape(-1, *DIGITS_SHAPE)
    y = np.asarray(raw.target).astype(np.uint8)
    train, test = split_by_class(y, DIGITS_TEST_PER_CLASS, DIGITS_SPLIT_SEED)
    return Dataset(x[train], y[train], x[test], y[test])

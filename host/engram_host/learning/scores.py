"""Confusion matrix and the scores per class that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """(classes, classes) counts: a row per true class, a column per predicted one.

    labels, predicted: integers (n,) below `classes`.
    """
    pairs = np.asarray(labels, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def per_class(counts: NDArray[np.int64]) -> dict[str, Any]:
    """{"recall", "precision", "f1": [per class], "macro_recall", "macro_f1"} of confusion counts.

    A recall is None where no sample is of the class, a precision where none was put into it, an F1
    where both are so. The macro values are means over the classes that samples are of; None where
    there are none.
    """
    right, true, answers = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    recall, precision = _share(right, true), _share(right, answers)
    f1 = _share(2 * right, true + answers)
    there = np.flatnonzero(true).tolist()
    return {
        "recall": recall,
        "precision": precision,
        "f1": f1,
        "macro_recall": _mean([recall[label] for label in there]),
        "macro_f1": _mean([f1[label] for label in there]),
    }


def largest(counts: NDArray[np.int64], most: int) -> list[tuple[int, int, int]]:
    """[(true class, predicted class, samples)] of the most frequent confusions, largest first."""
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [(*divmod(int(at), len(counts)), int(wrong.flat[at])) for at in order]
    return [confusion for confusion in pairs if confusion[2]]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float | None]:
    return [p / w if w else None for p, w in zip(part.tolist(), whole.tolist())]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

"""Labelled samples, as the board takes them.

On the line a sample is a label byte, the raw input, and the targets of a regression (engram.link
.wire).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.store.format import NO_CLASS
from engram_host.errors import InputError

_DTYPES = ("uint8", "float32")


@dataclass(frozen=True)
class Samples:
    """x: (n, ...) uint8 or float32. y: labels, (n,) uint8, or None. targets: (n, t) float32, what
    a regression should give, or None. Both are None where only inputs are known."""

    x: NDArray[Any]
    y: NDArray[np.uint8] | None
    targets: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def labels(self) -> NDArray[np.uint8]:
        if self.y is None and self.targets is not None:
            raise InputError(
                "expected labels, by which a stream of tasks is cut and tested, got targets "
                "alone; learn them without --tasks and --task-field"
            )
        if self.y is None:
            raise InputError(
                "expected labelled samples, got samples without labels; give an .npz with arrays "
                "x and y, or an .npy with --labels"
            )
        return self.y

    def need_answers(self) -> None:
        """Raises InputError where only inputs are known."""
        if self.targets is None:
            self.labels  # noqa: B018

    def check(self, classes: int, targets: int) -> None:
        """Raises InputError unless the samples have what a model learns from.

        classes: that it tells apart, 0 where it does not. targets: values of a target.
        """
        have = 0 if self.targets is None else self.targets.shape[1]
        if (self.y is not None, have) != (classes > 0, targets):
            raise InputError(
                f"expected samples with {_words(classes > 0, targets)}, as the model learns them, "
                f"got {_words(self.y is not None, have)}; give an .npz with x"
                + (f", y: integers from 0 to {classes - 1}" if classes else "")
                + (f", {'targets' if classes else 'y'}: float32 (n, {targets})" if targets else "")
            )

    def records(self) -> Iterator[bytes]:
        """Each sample as the board takes it: label u8, raw input, float32 targets."""
        labels = np.full(len(self), NO_CLASS, np.uint8) if self.y is None else self.y
        targets = np.zeros((len(self), 0), np.float32) if self.targets is None else self.targets
        for x, y, target in zip(self.x, labels, targets):
            yield bytes((int(y),)) + x.tobytes() + target.tobytes()

    def inputs(self) -> Iterator[bytes]:
        """Each input alone."""
        for x in self.x:
            yield x.tobytes()

    def files(self) -> dict[str, bytes]:
        """{"x", "y", "targets"}: .npy files for the board's own flash. y: labels, or the targets
        where there are none; targets: those beside labels."""
        self.need_answers()
        answers = {"y": self.y, "targets": self.targets}
        if self.y is None:
            answers = {"y": self.targets}
        files = {"x": _npy(self.x.reshape(len(self), -1))}
        files.update({key: _npy(rows) for key, rows in answers.items() if rows is not None})
        return files

    def chosen(self, rows: slice | NDArray[Any]) -> Samples:
        """Those that an index of numpy chooses."""
        return Samples(
            self.x[rows],
            None if self.y is None else self.y[rows],
            None if self.targets is None else self.targets[rows],
        )

    def part(self, start: int, end: int) -> Samples:
        """Those from `start` up to `end`."""
        return self.chosen(slice(start, end))

    def of_classes(self, classes: list[int]) -> Samples:
        """Those whose label is one of `classes`, in the same order."""
        return self.chosen(np.isin(self.labels, classes))


def _words(labels: bool, targets: int) -> str:
    """What samples have beside their inputs."""
    parts = ["labels"] if labels else []
    if targets:
        parts.append(f"targets of {targets} value{'s' if targets > 1 else ''}")
    return " and ".join(parts) or "inputs alone"


def make(x: Any, y: Any = None, targets: Any = None) -> Samples:
    """Samples from arrays: n of each.

    y: labels, integers (n,), or the targets of a regression, floats (n,) or (n, t). targets: the
    latter beside labels. Raises InputError naming what was expected.
    """
    x = np.ascontiguousarray(x)
    if x.dtype == np.float64:
        x = x.astype(np.float32)
    if x.dtype.kind in "iu" and x.size and x.min() >= 0 and x.max() <= 255:
        x = x.astype(np.uint8)
    if x.dtype.name not in _DTYPES:
        raise InputError(f"expected inputs of {' or '.join(_DTYPES)}, got {x.dtype}")
    if x.ndim < 2:
        raise InputError(f"expected inputs of shape (n, ...), got {x.shape}")
    if y is not None and targets is None and len(x) and np.asarray(y).dtype.kind == "f":
        y, targets = None, y
    return Samples(
        x,
        None if y is None else _labels(y, len(x)),
        None if targets is None else _targets(targets, len(x)),
    )


def _labels(y: Any, n: int) -> NDArray[np.uint8]:
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise InputError(f"expected labels of shape ({n},), one per sample, got {labels.shape}")
    if n and (labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() <= 254):
        raise InputError(f"labels: expected integers from 0 to 254, got {labels.dtype}")
    return labels.astype(np.uint8)


def _targets(values: Any, n: int) -> NDArray[np.float32]:
    targets = np.asarray(values)
    if targets.dtype.kind not in "fiu" or targets.ndim not in (1, 2) or len(targets) != n:
        raise InputError(
            f"expected targets of shape ({n},) or ({n}, values), float32, got {targets.shape} "
            f"{targets.dtype}; give one row per sample"
        )
    rows = targets[:, np.newaxis] if targets.ndim == 1 else targets
    rows = np.ascontiguousarray(rows, np.float32)
    if not np.isfinite(rows).all():
        raise InputError("expected finite targets, got NaN or infinity; leave such samples out")
    return rows


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(array))
    return out.getvalue()

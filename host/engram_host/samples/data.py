"""Labelled samples, as the board takes them.

On the line a sample is a label byte, the raw input, and the targets of a regression (engram.link
.wire).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engram.store.format import NO_CLASS
from engram_host.errors import InputError

from .names import labels as class_labels


@dataclass(frozen=True)
class Samples:
    """x: (n, ...) uint8 or float32. y: labels, (n,) uint8, or None. targets: (n, t) float32, what
    a regression should give, or None. Both are None where only inputs are known.

    given: dtype of the inputs before they became x, for messages; None: that of x.
    class_names: where classes were told by name, the names; y are places in them until
    numbered() makes them labels of a model.
    raw: x are windows for the front end of this name, and the board makes the inputs; "": x are
    inputs."""

    x: NDArray[Any]
    y: NDArray[np.uint8] | None
    targets: NDArray[np.float32] | None = None
    given: str | None = None
    class_names: tuple[str, ...] = ()
    raw: str = ""

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def labels(self) -> NDArray[np.uint8]:
        if self.y is None and self.targets is not None:
            raise InputError(
                "expected labels, by which a stream of sessions is cut and tested, got targets "
                "alone; learn them without --sessions and --session-field"
            )
        if self.y is None:
            raise InputError(
                "expected labelled samples, got samples without labels; give an .npz with arrays "
                "x and y, or an .npy with --labels"
            )
        return self.y

    def counts(self) -> dict[str, int]:
        """{label: samples} of the labels that there are, in their order; keys as JSON has them."""
        labels, counts = np.unique(self.labels, return_counts=True)
        return {str(label): int(n) for label, n in zip(labels, counts)}

    def need_answers(self) -> None:
        """Raises InputError where only inputs are known."""
        if self.targets is None:
            self.labels  # noqa: B018

    def without_answers(self) -> Samples:
        """The inputs alone."""
        return replace(self, y=None, targets=None, class_names=())

    def with_names(self, names: Sequence[str]) -> Samples:
        """The same, where y are places in a list of class names."""
        return replace(self, class_names=tuple(names))

    def numbered(self, names: Sequence[str], classes: int | None) -> Samples:
        """The same with the labels that a model has for the names of classes.

        names: of the model's classes, [] where it has none. classes: it has so many; None where
        no model is known. Raises InputError where a name says no label.
        """
        if not self.class_names:
            return self
        labels = np.array(class_labels(self.class_names, names, classes), np.uint8)
        return replace(self, y=labels[self.labels], class_names=())

    @property
    def dtype(self) -> str:
        """The dtype of the inputs, as they were given."""
        return self.given or str(self.x.dtype)

    def taken_as(self, dtype: str) -> Samples:
        """The same with inputs of a model's dtype, "uint8" or "float32", where each value is one
        of both: integers from 0 to 255. Others stay what they are."""
        if dtype == self.x.dtype:
            return self
        x = self.x.astype(dtype) if dtype == "float32" else _integers(self.x)
        return self if x is None else replace(self, x=x, given=self.dtype)

    def check_inputs(self, elems: int, dtype: str) -> None:
        """Raises InputError unless the inputs are as a model takes them: elements of a dtype."""
        if self.raw:  # the board makes them
            return
        size = self.x[0].size if len(self) else elems
        is_right = self.taken_as(dtype).x.dtype == dtype
        if size == elems and (is_right or not len(self)):
            return
        advice = f"give inputs of {elems} values" if is_right else _advice(self.x)
        raise InputError(
            f"expected samples of {elems} {dtype}, as the model takes them, got samples of "
            f"{size} {self.dtype}; {advice}"
        )

    def check(self, classes: int, targets: int, answered: bool = True) -> None:
        """Raises InputError unless the samples have what a model learns from.

        classes: that it tells apart, 0 where it does not. targets: values of a target. answered:
        False where it learns from inputs alone, too.
        """
        width = 0 if self.targets is None else self.targets.shape[1]
        if not answered and self.y is None and not width:
            return
        if (self.y is not None, width) != (classes > 0, targets):
            raise InputError(
                f"expected samples with {_words(classes > 0, targets)}, as the model learns them, "
                f"got {_words(self.y is not None, width)}; "
                + ("" if answered else "leave the answers away with --unlabelled, or ")
                + "give an .npz with x"
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
        """The samples that an index of numpy chooses."""
        return replace(
            self,
            x=self.x[rows],
            y=None if self.y is None else self.y[rows],
            targets=None if self.targets is None else self.targets[rows],
        )

    def part(self, start: int, end: int) -> Samples:
        """The samples from `start` up to `end`."""
        return self.chosen(slice(start, end))

    def of_classes(self, classes: list[int]) -> Samples:
        """The samples whose label is one of `classes`, in the same order."""
        return self.chosen(np.isin(self.labels, classes))


def _integers(x: NDArray[Any]) -> NDArray[np.uint8] | None:
    """x as uint8, None where a value is no integer from 0 to 255."""
    with np.errstate(invalid="ignore"):
        integers = x.astype(np.uint8)
    return integers if (integers == x).all() else None


def _advice(x: NDArray[Any]) -> str:
    """Advice on floats that a model of uint8 inputs cannot take."""
    if 0 <= x.min() and x.max() <= 1:
        return "they lie within 0 to 1: give (x * 255).round().astype('uint8')"
    return "give integers from 0 to 255, scaled as the calibration data were"


def _words(labels: bool, targets: int) -> str:
    """The parts of samples beside their inputs, in words."""
    parts = ["labels"] if labels else []
    if targets:
        parts.append(f"targets of {targets} value{'s' if targets > 1 else ''}")
    return " and ".join(parts) or "inputs alone"


class Maker(Protocol):
    """make(), or what stands in for it."""

    def __call__(self, x: Any, y: Any = None, targets: Any = None) -> Samples: ...


def make(x: Any, y: Any = None, targets: Any = None) -> Samples:
    """Samples from arrays: n of each.

    x: integers from 0 to 255 become uint8, other numbers float32. y: labels, integers (n,), or
    the targets of a regression, floats (n,) or (n, t). targets: the latter beside labels. Raises
    InputError naming what was expected.
    """
    x, dtype = _inputs(x)
    if y is not None and targets is None and len(x) and np.asarray(y).dtype.kind == "f":
        y, targets = None, y
    return Samples(
        x,
        None if y is None else _labels(y, len(x)),
        None if targets is None else _targets(targets, len(x)),
        dtype,
    )


def _inputs(values: Any) -> tuple[NDArray[Any], str]:
    """(uint8 or float32 (n, ...), dtype that was given)."""
    x = _array(values, "inputs")
    dtype = str(x.dtype)
    if x.ndim < 2:
        raise InputError(
            f"expected inputs of shape (n, ...), got {x.shape}; give a row per sample"
        )
    if x.dtype.kind not in "biuf":
        raise InputError(f"expected inputs of integers or floats, got {dtype}; give numbers")
    if x.dtype.kind == "f":
        x = np.ascontiguousarray(x, np.float32)
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1)) if x.size else x
        if len(bad):
            raise InputError(
                f"expected finite inputs, got NaN or infinity in sample {bad[0]}"
                + (f" and {len(bad) - 1} more" if len(bad) > 1 else "")
                + "; leave such samples out"
            )
        return x, dtype
    least, most = (int(x.min()), int(x.max())) if x.size else (0, 0)
    if not 0 <= least <= most <= 255:
        raise InputError(
            f"expected integer inputs from 0 to 255, got {dtype} from {least} to {most}; give "
            "floats, scaled as the calibration data were"
        )
    return np.ascontiguousarray(x, np.uint8), dtype


def _array(values: Any, what: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError:  # rows that differ in length
        array = np.empty(0, object)
    if array.dtype == object:
        raise InputError(
            f"expected {what} as an array of numbers, got Python objects or rows that differ in "
            "length; give all samples one shape"
        )
    return array


def _labels(y: Any, n: int) -> NDArray[np.uint8]:
    labels = _array(y, "labels")
    if labels.shape != (n,):
        raise InputError(f"expected labels of shape ({n},), one per sample, got {labels.shape}")
    if n and labels.dtype.kind not in "iu":
        raise InputError(f"expected labels as integers from 0 to 254, got {labels.dtype}")
    wrong = np.flatnonzero((labels < 0) | (labels > 254))
    if len(wrong):
        raise InputError(
            f"expected labels from 0 to 254, got {labels[wrong[0]]} at sample {wrong[0]}; number "
            "the classes from 0"
        )
    return labels.astype(np.uint8)


def _targets(values: Any, n: int) -> NDArray[np.float32]:
    targets = _array(values, "targets")
    if targets.dtype.kind not in "fiu" or targets.ndim not in (1, 2) or len(targets) != n:
        raise InputError(
            f"expected targets of shape ({n},) or ({n}, values), float32, got {targets.shape} "
            f"{targets.dtype}; give one row per sample"
        )
    rows = targets[:, np.newaxis] if targets.ndim == 1 else targets
    rows = np.ascontiguousarray(rows, np.float32)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(
            f"expected finite targets, got NaN or infinity at sample {bad[0]}; leave such "
            "samples out"
        )
    return rows


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(array))
    return out.getvalue()

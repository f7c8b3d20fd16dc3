"""Samples from .npz and .npy files, as the board takes them: a label byte, then the raw input."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.errors import InputError

# Names of the inputs and their labels in an .npz, best first.
_PAIRS = (("x", "y"), ("x_train", "y_train"), ("x_test", "y_test"))
_DTYPES = ("uint8", "float32")


@dataclass(frozen=True)
class Samples:
    """x: (n, ...) uint8 or float32. y: (n,) uint8, or None where only inputs are known."""

    x: NDArray[Any]
    y: NDArray[np.uint8] | None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def labels(self) -> NDArray[np.uint8]:
        if self.y is None:
            raise InputError(
                "labelled samples were expected; give an .npz with arrays x and y, or an .npy "
                "with --labels"
            )
        return self.y

    def records(self) -> Iterator[bytes]:
        """Each sample as the board takes it: label u8, raw input."""
        for x, y in zip(self.x, self.labels):
            yield bytes((int(y),)) + x.tobytes()

    def inputs(self) -> Iterator[bytes]:
        """Each input alone."""
        for x in self.x:
            yield x.tobytes()

    def files(self) -> dict[str, bytes]:
        """{"x": ..., "y": ...}: the two as .npy files, for the board's own flash."""
        return {"x": _npy(self.x.reshape(len(self), -1)), "y": _npy(self.labels)}

    def part(self, start: int, end: int) -> Samples:
        """Those from `start` up to `end`."""
        return Samples(self.x[start:end], None if self.y is None else self.y[start:end])

    def of_classes(self, classes: list[int]) -> Samples:
        """Those whose label is one of `classes`, in the same order."""
        chosen = np.isin(self.labels, classes)
        return Samples(self.x[chosen], self.labels[chosen])


def make(x: Any, y: Any = None) -> Samples:
    """Samples from arrays. Raises InputError naming what was expected."""
    x = np.ascontiguousarray(x)
    if x.dtype == np.float64:
        x = x.astype(np.float32)
    if x.dtype.kind in "iu" and x.size and x.min() >= 0 and x.max() <= 255:
        x = x.astype(np.uint8)
    if x.dtype.name not in _DTYPES:
        raise InputError(f"inputs of {' or '.join(_DTYPES)} expected, {x.dtype} came")
    if x.ndim < 2:
        raise InputError(f"inputs of shape (n, ...) expected, {x.shape} came")
    return Samples(x, None if y is None else _labels(y, len(x)))


def _labels(y: Any, n: int) -> NDArray[np.uint8]:
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise InputError(f"labels of shape ({n},) expected, one a sample; {labels.shape} came")
    if n and (labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() <= 254):
        raise InputError(f"labels: integers from 0 to 254 expected, {labels.dtype} came")
    return labels.astype(np.uint8)


def load(path: Path | str, labels: Path | str | None = None) -> Samples:
    """Samples of a file: an .npz with arrays x and y (or x_train, ...), or an .npy of inputs.

    labels: an .npy of labels; needed beside an .npy of inputs wherever labels are.
    Raises InputError.
    """
    content = _read(Path(path))
    y = None if labels is None else _read(Path(labels))
    if isinstance(content, np.ndarray):
        return make(content, y)
    for x_name, y_name in _PAIRS:
        if x_name in content:
            return make(content[x_name], content.get(y_name) if y is None else y)
    raise InputError(
        f"{path}: an array named x (and y, its labels) expected, "
        f"{', '.join(content) or 'none'} came"
    )


def arrays(path: Path | str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name; {} for an .npy. Raises InputError."""
    content = _read(Path(path))
    return {} if isinstance(content, np.ndarray) else content


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path} does not exist: an .npz or .npy file of samples expected")
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as e:
        raise InputError(f"{path} is no .npz or .npy file ({e})") from e
    return content if isinstance(content, np.ndarray) else dict(content.items())


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(array))
    return out.getvalue()

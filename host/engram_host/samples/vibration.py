"""Raw signals as inputs of models whose front end is vibration: features of windows.

The model says how long a window is, of how many axes, and the floor of the sensor's noise in the
unit of the signals: "vibration:64x3:0.001". The device library makes the features, on a board and
here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError
from engram_host.errors import InputError

from . import data
from .data import Samples
from .inputs import Input

NAME = "vibration"


def is_front_end(name: str) -> bool:
    """Whether a model's front end is this one."""
    return name.partition(":")[0] == NAME


def named(samples: int, axes: int, floor: float) -> str:
    """The name of the front end for windows of a size."""
    return f"{NAME}:{samples}x{axes}:{floor:g}"


def input_of(name: str) -> Input:
    """The input of a model with this front end. Raises InputError."""
    return Input(_front_end(name).count, "float32", name)


def _front_end(name: str) -> Any:
    """The engram.vibration.Vibration of a name. Raises InputError."""
    # Imported here: whoever has no such model needs no kernels.
    from engram import vibration

    try:
        return vibration.of(name)
    except DataError as e:
        raise InputError(str(e)) from e


def raw(windows: Any, front_end: str) -> Samples:
    """Samples of windows (n, samples, axes) that are sent as they are: the board makes the
    features. Raises InputError."""
    front, x = _front_end(front_end), _signals(windows)
    if x.shape[1:] != (front.samples, front.axes):
        raise InputError(
            f"expected windows of {front.samples} samples x {front.axes} axes, got "
            + "x".join(map(str, x.shape[1:]))
        )
    return replace(data.make(x.reshape(len(x), -1)), raw=front_end)


class Windows:
    """Makes samples of the windows that a model's front end takes. Raises InputError."""

    def __init__(self, model: Input) -> None:
        self._front = _front_end(model.front_end)
        if (model.elems, model.dtype) != (self._front.count, "float32"):
            raise InputError(
                f"expected a model of {self._front.count} float32 inputs, as the front end "
                f"{model.front_end} makes them, got {model.elems} {model.dtype}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """The columns that a table without a label may have."""
        front = self._front
        return (front.samples * front.axes, front.count, front.axes)

    def make(self, x: Any, y: Any = None, targets: Any = None) -> Samples:
        """Samples of features, as data.make() makes them of arrays.

        x: windows, (n, samples, axes) or (n, samples * axes); a recording, (rows, axes), which is
        cut into windows one behind the other; or features, (n, count), which stay. Windows of a
        recording whose rows differ in y or targets are dropped, and what is left behind the last.
        """
        front, x = self._front, _signals(x)
        if x.shape[1:] in ((front.samples, front.axes), (front.samples * front.axes,)):
            return data.make(self._features(x), y, targets)
        if x.shape[1:] == (front.count,):
            return data.make(x, y, targets)
        if x.shape[1:] != (front.axes,):
            raise InputError(
                f"expected windows of {front.samples} samples x {front.axes} axes, rows of "
                f"{front.axes} values one behind the other, or {front.count} features, got "
                f"inputs of {'x'.join(map(str, x.shape[1:])) or '1'}"
            )
        n = len(x) // front.samples
        if not n:
            raise InputError(
                f"expected a recording of at least {front.samples} rows, a window, got {len(x)}"
            )
        whole = np.ones(n, bool)
        answers = []
        for given in (y, targets):
            rows = None if given is None else _cut(given, len(x), n, front.samples)
            if rows is not None:
                whole &= (rows == rows[:, :1]).reshape(n, -1).all(axis=1)
            answers.append(rows)
        windows = x[: n * front.samples].reshape(n, -1)[whole]
        return data.make(
            self._features(windows), *(None if a is None else a[whole, 0] for a in answers)
        )

    def _features(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(windows).reshape(len(windows), -1)
        out = np.empty((len(rows), self._front.count), np.float32)
        for row, window in zip(out, rows):
            row[:] = self._front.features(memoryview(window))
        return out


def _signals(x: Any) -> NDArray[np.float32]:
    """float32 (n, ...) of numbers."""
    signals = np.asarray(x)
    if signals.dtype.kind not in "iuf" or signals.ndim < 2:
        raise InputError(
            "expected signals as numbers, rows of one length, got shape "
            f"{signals.shape} of {signals.dtype}"
        )
    return signals.astype(np.float32)


def _cut(answers: Any, rows: int, n: int, samples: int) -> NDArray[Any]:
    """(n, samples, ...) answers of the rows of a recording."""
    array = np.asarray(answers)
    if len(array) != rows:
        raise InputError(
            f"expected an answer for each of the {rows} rows of a recording, got {len(array)}"
        )
    return array[: n * samples].reshape(n, samples, *array.shape[1:])

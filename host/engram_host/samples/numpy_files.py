"""Samples from numpy's files: .npz and .npy."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.errors import InputError

from .data import Maker, Samples, make

# Names in an .npz of inputs, of what is right for them, and of targets beside labels; best first.
_NAMES = (
    ("x", "y", "targets"),
    ("x_train", "y_train", "targets_train"),
    ("x_test", "y_test", "targets_test"),
)


def read(path: Path, labels: Path | None = None, make: Maker = make) -> Samples:
    """Samples of an .npz with arrays x and y (or x_train, ...), or an .npy of inputs.

    y: labels (integers), or the targets of a regression (floats); an .npz may have both, the
    latter as `targets`. labels: an .npy of what y would be. make: makes the samples of the
    arrays. Raises InputError.
    """
    content = _read(path)
    y = None if labels is None else _read(labels)
    if isinstance(content, np.ndarray):
        return make(content, y)
    for x_name, y_name, targets in _NAMES:
        if x_name in content:
            y = content.get(y_name) if y is None else y
            return make(content[x_name], y, content.get(targets))
    raise InputError(
        f"{path}: expected an array named x (and y, its labels), "
        f"got {', '.join(content) or 'none'}"
    )


def arrays(path: Path | str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name; {} of other files. Raises InputError."""
    if Path(path).suffix != ".npz":
        return {}
    content = _read(Path(path))
    return {} if isinstance(content, np.ndarray) else content


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: expected an .npz or .npy file, got no file")
    try:
        content = np.load(path, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else dict(content.items())
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as e:
        if "Object arrays" in str(e):
            raise InputError(
                f"{path}: expected arrays of numbers, got Python objects, as rows that differ in "
                "length become; give all samples one shape and save them again"
            ) from e
        raise InputError(
            f"{path}: expected an .npz or .npy file of numpy, got something else or a part of one"
        ) from e

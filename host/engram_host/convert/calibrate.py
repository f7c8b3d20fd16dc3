"""Calibration samples: real inputs, over which the range of every activation is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError

from .graph import FloatModel

Calibration = NDArray[Any] | Path | str

_NAMES = ("x", "x_train")  # the arrays of an .npz that are taken as samples


def load_samples(calibration: Calibration, model: FloatModel) -> NDArray[Any]:
    """The calibration samples (n, *input shape), of the dtype of the model's input.

    calibration: an array, or the path of an .npy, or of an .npz with an array x or x_train.
    Raises DataError naming what was expected.
    """
    samples = calibration if isinstance(calibration, np.ndarray) else _read(Path(calibration))
    want = f"(n, {', '.join(str(d) for d in model.input_shape)}) of {model.input_dtype}"
    if samples.dtype != np.dtype(model.input_dtype):
        raise DataError(f"calibration data: expected {want}, got dtype {samples.dtype}")
    if samples.shape[1:] != model.input_shape or len(samples) == 0:
        raise DataError(f"calibration data: expected {want}, got shape {samples.shape}")
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise DataError("calibration data holds NaN or infinite values; remove those samples")
    return samples


def _read(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise DataError(f"calibration data: {path} does not exist")
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"calibration data: {path} is no .npy or .npz file ({error})") from error
    if isinstance(content, np.ndarray):
        return content
    for name in _NAMES:
        if name in content:
            array: NDArray[Any] = content[name]
            return array
    raise DataError(
        f"calibration data: expected an array named {' or '.join(_NAMES)} in {path}, "
        f"got {', '.join(content.files) or 'none'}"
    )

"""Calibration samples: real inputs, over which the range of every activation is learned."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError
from engram_host.errors import EngramWarning
from engram_host.samples import Input, load, remark
from engram_host.samples.vibration import is_front_end as is_vibration

from .graph import FloatModel
from .quantize import Scale, activation_scale

Calibration = NDArray[Any] | Path | str

_NAMES = ("x", "x_train")  # the arrays of an .npz that are taken as samples
_FEW = 30  # samples: fewer are told
_INNER = 99.9  # percent of the values that should need ...
_PART = 0.25  # ... no less than this part of the range


def load_samples(calibration: Calibration, model: FloatModel, front_end: str = "") -> NDArray[Any]:
    """The calibration samples (n, *input shape), of the dtype of the model's input.

    calibration: an array, or the path of an .npy, of an .npz with an array x or x_train, or of
    another file or folder that samples.load() reads. front_end: of the files among these.
    Raises DataError naming what was expected. Warns where they are few.
    """
    samples = (
        calibration
        if isinstance(calibration, np.ndarray)
        else _read(Path(calibration), model, front_end)
    )
    layout = f"(n, {', '.join(str(d) for d in model.input_shape)}) of {model.input_dtype}"
    if samples.dtype != np.dtype(model.input_dtype):
        raise DataError(f"calibration data: expected {layout}, got dtype {samples.dtype}")
    if samples.shape[1:] != model.input_shape or len(samples) == 0:
        raise DataError(f"calibration data: expected {layout}, got shape {samples.shape}")
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        bad = np.flatnonzero(~np.isfinite(samples.reshape(len(samples), -1)).all(axis=1))
        raise DataError(
            f"calibration data: expected finite values, got NaN or infinity in {len(bad)} "
            f"samples, the first is sample {bad[0]}; leave them out"
        )
    if (samples == samples[0]).all():
        raise DataError(
            "calibration data: expected samples that differ, as ranges are learned from them, got "
            f"{'one' if len(samples) == 1 else f'{len(samples)} equal ones'}; give a few hundred "
            "as the board will see them"
        )
    if len(samples) < _FEW:
        _warn(f"expected a few hundred samples, got {len(samples)}; rare values have no range")
    return samples


def input_scale(model: FloatModel, samples: NDArray[Any], percentile: float) -> Scale:
    """The quantization of a model's input: as its graph has it, else of the range of the samples.

    percentile: how much of that range is kept. Warns where the samples hardly fit the former, or
    where a few values take most of the latter.
    """
    if model.input_scale is not None and model.input_zero_point is not None:
        source = Scale(float(np.float32(model.input_scale)), model.input_zero_point)
        text = remark(samples, *source)
        if text:
            _warn(text)
        return source
    low, high = _range(samples, percentile)
    least, most = _range(samples, min(_INNER, percentile))
    if most - least < (high - low) * _PART:
        _warn(
            f"expected values all over their range {low:.4g} to {high:.4g}, got {_INNER} % of "
            f"them within {least:.4g} to {most:.4g}; leave the samples with the others out, or "
            f"clamp them with --percentile {_INNER}"
        )
    return activation_scale(low, high)


def _range(samples: NDArray[Any], percentile: float) -> tuple[float, float]:
    low, high = np.percentile(samples, [100.0 - percentile, percentile])
    return float(low), float(high)


def _warn(text: str) -> None:
    warnings.warn(f"calibration data: {text}", EngramWarning, stacklevel=2)


def _read(path: Path, model: FloatModel, front_end: str) -> NDArray[Any]:
    if not path.exists():
        raise DataError(f"calibration data: expected a file, got no file {path}")
    if path.suffix not in (".npy", ".npz") or is_vibration(front_end):
        model_input = Input(int(np.prod(model.input_shape)), model.input_dtype, front_end)
        samples = load(path, model=model_input).taken_as(model.input_dtype)
        samples.check_inputs(model_input.elems, model_input.dtype)
        return samples.x.reshape(-1, *model.input_shape)
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"calibration data: expected an .npy or .npz file, got something else in {path}"
        ) from error
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

"""Calibration: the float model run over real samples, to learn the range of every activation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError

from .graph import F32, FloatModel, Layer
from .windows import windows

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
        raise DataError(f"calibration data: {want} expected, dtype {samples.dtype} came")
    if samples.shape[1:] != model.input_shape or len(samples) == 0:
        raise DataError(f"calibration data: {want} expected, shape {samples.shape} came")
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
        f"calibration data: an array named {' or '.join(_NAMES)} expected in {path}, "
        f"{', '.join(content.files) or 'none'} came"
    )


def forward(layer: Layer, x: F32) -> F32:
    """One layer in float32: x (n, *in_shape) -> (n, *out_shape)."""
    out = _FORWARD[layer.op](layer, x).astype(np.float32)
    return np.maximum(out, 0) if layer.relu else out


def _conv2d(layer: Layer, x: F32) -> F32:
    assert layer.w is not None and layer.b is not None
    view = windows(x, layer.kernel, layer.stride, layer.pad)
    return np.einsum("nhwrsc,krsc->nhwk", view, layer.w, optimize=True) + layer.b


def _depthwise(layer: Layer, x: F32) -> F32:
    assert layer.w is not None and layer.b is not None
    view = windows(x, layer.kernel, layer.stride, layer.pad)
    return np.einsum("nhwrsc,rsc->nhwc", view, layer.w, optimize=True) + layer.b


def _dense(layer: Layer, x: F32) -> F32:
    assert layer.w is not None and layer.b is not None
    return x.reshape(len(x), -1) @ layer.w.T + layer.b


def _avgpool(layer: Layer, x: F32) -> F32:
    args = (layer.kernel, layer.stride, layer.pad)
    counts = windows(np.ones_like(x), *args).sum(axis=(3, 4))
    return windows(x, *args).sum(axis=(3, 4)) / counts


def _global_avgpool(layer: Layer, x: F32) -> F32:
    return x.mean(axis=(1, 2), keepdims=True, dtype=np.float32)


def _flatten(layer: Layer, x: F32) -> F32:
    return x.reshape(len(x), -1)


_FORWARD = {
    "conv2d": _conv2d,
    "depthwise": _depthwise,
    "dense": _dense,
    "avgpool": _avgpool,
    "global_avgpool": _global_avgpool,
    "flatten": _flatten,
}

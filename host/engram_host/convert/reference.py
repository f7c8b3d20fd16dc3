"""A device model run in numpy, independent of the kernels: what the boards are held to.

The frozen stage is exact: integers, TensorFlow Lite's rounding, bit for bit what a board
computes. The adaptive stage is float32 in numpy's order of summation, so a board may differ in
the last digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError

from . import model_file
from .graph import F32
from .quantize import Scale, requantize
from .windows import windows

I8 = NDArray[np.int8]
Entry = dict[str, Any]


class DeviceModel:
    """A device model file, executable.

    .graph      the graph of the file, as dicts
    .tensors    {name: array}
    """

    def __init__(self, path: Path | str) -> None:
        self.tensors, metadata = model_file.read(Path(path))
        self.graph: dict[str, Any] = json.loads(metadata["graph"])
        self.input_scale = _scale(self.graph["input"])
        self.latent_scale = _scale(self.graph["latent"])

    def quantize_input(self, x: NDArray[Any]) -> I8:
        """Samples as they come, uint8 or float32, as the int8 the first layer reads.

        Raises DataError when they are of another dtype.
        """
        wanted = self.graph["input"]["dtype"]
        if x.dtype != np.dtype(wanted):
            raise DataError(f"samples of {wanted} expected, {x.dtype} came")
        if wanted == "uint8":
            return (x ^ 0x80).view(np.int8)
        return self.input_scale.quantize(x)

    def frozen(self, x: NDArray[Any]) -> list[I8]:
        """The output of every frozen layer for samples x (n, *input shape), in order."""
        value = self.quantize_input(x)
        outputs = []
        for entry in self.graph["frozen"]:
            value = _FROZEN[entry["op"]](entry, self.tensors, value)
            outputs.append(value)
        return outputs

    def latents(self, x: NDArray[Any]) -> I8:
        """The int8 latents (n, *latent shape)."""
        outputs = self.frozen(x)
        return outputs[-1] if outputs else self.quantize_input(x)

    def adaptive(self, latents: I8) -> F32:
        """Logits (n, classes) of int8 latents, with the weights of the file."""
        value = self.latent_scale.dequantize(latents)
        for entry in self.graph["adaptive"]:
            value = _ADAPTIVE[entry["op"]](entry, self.tensors, value)
        return value

    def predict(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """The class (n,) of samples x."""
        return self.adaptive(self.latents(x)).argmax(axis=1)


def _scale(entry: Entry) -> Scale:
    return Scale(float(np.float32(entry["scale"])), entry["zero_point"])


def _finish(acc: NDArray[np.int64], entry: Entry, tensors: model_file.Tensors) -> I8:
    """Accumulators (..., channels) with bias, scaled, clamped to the activation's range."""
    out_zp, act_min, act_max = entry["q"][1:]
    acc = acc + tensors[entry["bias"]].astype(np.int64)
    scaled = requantize(acc, tensors[entry["mult"]], tensors[entry["shift"]])
    return np.clip(scaled + out_zp, act_min, act_max).astype(np.int8)


def _centred(entry: Entry, x: I8) -> NDArray[np.int64]:
    """x - zero point: padding is then 0."""
    return x.astype(np.int64) - entry["q"][0]


def _windows(entry: Entry, x: NDArray[np.int64]) -> NDArray[np.int64]:
    kernel, stride, pad = entry["kernel"], entry["stride"], entry["pad"]
    return windows(x, tuple(kernel), tuple(stride), tuple(pad))


def _conv2d_s8(entry: Entry, tensors: model_file.Tensors, x: I8) -> I8:
    view = _windows(entry, _centred(entry, x))
    w = tensors[entry["w"]].astype(np.int64)
    n, oh, ow = view.shape[:3]
    acc = view.reshape(n * oh * ow, -1) @ w.reshape(len(w), -1).T
    return _finish(acc.reshape(n, oh, ow, -1), entry, tensors)


def _depthwise_s8(entry: Entry, tensors: model_file.Tensors, x: I8) -> I8:
    view = _windows(entry, _centred(entry, x))
    acc = (view * tensors[entry["w"]].astype(np.int64)).sum(axis=(3, 4))
    return _finish(acc, entry, tensors)


def _dense_s8(entry: Entry, tensors: model_file.Tensors, x: I8) -> I8:
    rows = _centred(entry, x).reshape(len(x), -1)
    return _finish(rows @ tensors[entry["w"]].astype(np.int64).T, entry, tensors)


def _avgpool_s8(entry: Entry, tensors: model_file.Tensors, x: I8) -> I8:
    """Mean over the window without its padding, halves away from zero."""
    act_min, act_max = entry["q"][2:]
    wide = x.astype(np.int64)
    sums = _windows(entry, wide).sum(axis=(3, 4))
    counts = _windows(entry, np.ones_like(wide)).sum(axis=(3, 4))
    half = counts // 2
    mean = np.where(sums > 0, (sums + half) // counts, -((half - sums) // counts))
    return np.clip(mean, act_min, act_max).astype(np.int8)


def _global_avgpool_s8(entry: Entry, tensors: model_file.Tensors, x: I8) -> I8:
    size = list(x.shape[1:3])
    whole = {**entry, "kernel": size, "stride": size, "pad": [0, 0, 0, 0]}
    return _avgpool_s8(whole, tensors, x)


_FROZEN: dict[str, Callable[[Entry, model_file.Tensors, I8], I8]] = {
    "conv2d": _conv2d_s8,
    "depthwise": _depthwise_s8,
    "dense": _dense_s8,
    "avgpool": _avgpool_s8,
    "global_avgpool": _global_avgpool_s8,
}


def _conv2d_f32(entry: Entry, tensors: model_file.Tensors, x: F32) -> F32:
    kernel, stride, pad = entry["kernel"], entry["stride"], entry["pad"]
    view = windows(x, tuple(kernel), tuple(stride), tuple(pad))
    out: F32 = np.einsum("nhwrsc,krsc->nhwk", view, tensors[entry["w"]], optimize=True)
    return out + tensors[entry["b"]]


def _dense_f32(entry: Entry, tensors: model_file.Tensors, x: F32) -> F32:
    out: F32 = x.reshape(len(x), -1) @ tensors[entry["w"]].T + tensors[entry["b"]]
    return out


def _relu_f32(entry: Entry, tensors: model_file.Tensors, x: F32) -> F32:
    return np.maximum(x, 0)


def _global_avgpool_f32(entry: Entry, tensors: model_file.Tensors, x: F32) -> F32:
    return x.mean(axis=(1, 2), keepdims=True, dtype=np.float32)


def _flatten_f32(entry: Entry, tensors: model_file.Tensors, x: F32) -> F32:
    return x.reshape(len(x), prod(x.shape[1:]))


_ADAPTIVE: dict[str, Callable[[Entry, model_file.Tensors, F32], F32]] = {
    "conv2d": _conv2d_f32,
    "dense": _dense_f32,
    "relu": _relu_f32,
    "global_avgpool": _global_avgpool_f32,
    "flatten": _flatten_f32,
}

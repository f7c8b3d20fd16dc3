"""convert(): the whole way from a float model file to a device model file."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from . import model_file
from .calibrate import Calibration, forward, load_samples
from .graph import F32, FloatModel, Layer, load
from .quantize import INT8_MAX, INT8_MIN, Scale, activation_scale, quantize_layer
from .reference import DeviceModel

VERSION = "1"
_POOLS = ("avgpool", "global_avgpool")


class LayerReport(TypedDict):
    """How well one frozen layer survived; its error includes that of the layers before it."""

    name: str
    op: str
    out: list[int]
    scale: float
    zero_point: int
    snr_db: float | None  # None: no error at all


class ConvertReport(TypedDict):
    """What convert() did."""

    name: str
    out: str
    bytes: int
    samples: int
    layers: list[LayerReport]
    latent: dict[str, Any]
    logits_snr_db: float | None
    agreement: float  # share of the calibration samples whose class stays the same


class _Frozen(NamedTuple):
    entries: list[dict[str, Any]]
    tensors: model_file.Tensors
    layers: list[Layer]
    outputs: list[F32]
    scales: list[Scale]


def convert(
    float_path: Path | str,
    calibration: Calibration,
    out_path: Path | str,
    *,
    percentile: float = 100.0,
) -> ConvertReport:
    """Writes the device model of a float model; the same input gives the same bytes.

    calibration: samples as the board will see them (array, .npy or .npz), a few hundred.
    percentile: how much of each activation's range is kept; below 100 outliers are clamped.
    Raises ModelError or DataError, before anything is written.
    """
    model = load(Path(float_path))
    samples = load_samples(calibration, model)
    source = _input_scale(model, samples)
    x = _real(samples, source)
    frozen = _quantize_stage(model, x, source, percentile)
    latent = frozen.scales[-1] if frozen.scales else source
    latent_shape = list(frozen.layers[-1].out_shape if frozen.layers else model.input_shape)
    adaptive, weights = _adaptive_stage(model)

    graph = {
        "name": model.name,
        "classes": model.classes,
        "input": {
            "shape": list(model.input_shape),
            "dtype": model.input_dtype,
            "scale": source.scale,
            "zero_point": source.zero_point,
        },
        "frozen": frozen.entries,
        "latent": {
            "shape": latent_shape,
            "scale": latent.scale,
            "zero_point": latent.zero_point,
        },
        "adaptive": adaptive,
    }
    metadata = {"engram_model": VERSION, "graph": json.dumps(graph, separators=(",", ":"))}
    size = model_file.write(Path(out_path), {**frozen.tensors, **weights}, metadata)
    return _report(model, frozen, samples, Path(out_path), size)


def _input_scale(model: FloatModel, samples: NDArray[Any]) -> Scale:
    if model.input_scale is not None and model.input_zero_point is not None:
        return Scale(float(np.float32(model.input_scale)), model.input_zero_point)
    return activation_scale(float(samples.min()), float(samples.max()))


def _real(samples: NDArray[Any], source: Scale) -> F32:
    """The real numbers that the samples stand for."""
    if samples.dtype == np.uint8:
        return source.dequantize((samples ^ 0x80).view(np.int8))
    return samples.astype(np.float32)


def _quantize_stage(model: FloatModel, x: F32, source: Scale, percentile: float) -> _Frozen:
    result = _Frozen([], {}, [], [], [])
    for layer in model.layers[: model.frozen]:
        x = forward(layer, x)
        if layer.op == "flatten":
            continue  # int8 values lie in a row already; a dense layer takes any shape
        # A pool keeps its input's scale: it only averages.
        target = source if layer.op in _POOLS else _target_scale(x, percentile)
        act_min = target.zero_point if layer.relu else INT8_MIN
        entry: dict[str, Any] = {"op": layer.op}
        if layer.w is not None and layer.b is not None:
            axis = layer.w.ndim - 1 if layer.op == "depthwise" else 0
            parts = quantize_layer(layer.name, layer.w, layer.b, axis, source, target)
            for key, tensor in parts._asdict().items():
                entry[key] = f"{layer.name}.{key}"
                result.tensors[entry[key]] = tensor
        entry.update(_shapes(layer))
        entry["q"] = [source.zero_point, target.zero_point, act_min, INT8_MAX]
        result.entries.append(entry)
        result.layers.append(layer)
        result.outputs.append(x)
        result.scales.append(target)
        source = target
    return result


def _target_scale(x: F32, percentile: float) -> Scale:
    low, high = np.percentile(x, [100.0 - percentile, percentile])
    return activation_scale(float(low), float(high))


def _shapes(layer: Layer) -> dict[str, Any]:
    source = [prod(layer.in_shape)] if layer.op == "dense" else list(layer.in_shape)
    shapes: dict[str, Any] = {"in": source, "out": list(layer.out_shape)}
    if layer.op in ("conv2d", "depthwise", "avgpool"):
        shapes["kernel"] = list(layer.kernel)
        shapes["stride"] = list(layer.stride)
        shapes["pad"] = list(layer.pad)
    return shapes


def _adaptive_stage(model: FloatModel) -> tuple[list[dict[str, Any]], model_file.Tensors]:
    entries: list[dict[str, Any]] = []
    tensors: model_file.Tensors = {}
    for layer in model.layers[model.frozen :]:
        entry: dict[str, Any] = {"op": layer.op}
        if layer.w is not None and layer.b is not None:
            entry["w"], entry["b"] = f"{layer.name}.w", f"{layer.name}.b"
            tensors[entry["w"]], tensors[entry["b"]] = layer.w, layer.b
            entry.update(_shapes(layer))
        entries.append(entry)
        if layer.relu:
            entries.append({"op": "relu"})
    return entries, tensors


def _report(
    model: FloatModel, frozen: _Frozen, samples: NDArray[Any], out: Path, size: int
) -> ConvertReport:
    device = DeviceModel(out)
    quantized = device.frozen(samples)
    layers: list[LayerReport] = []
    for layer, entry, real, scale, q in zip(
        frozen.layers, frozen.entries, frozen.outputs, frozen.scales, quantized
    ):
        layers.append(
            {
                "name": layer.name,
                "op": entry["op"],
                "out": entry["out"],
                "scale": scale.scale,
                "zero_point": scale.zero_point,
                "snr_db": snr_db(real, scale.dequantize(q)),
            }
        )
    real = frozen.outputs[-1] if frozen.outputs else _real(samples, device.input_scale)
    for layer in model.layers[model.frozen :]:
        real = forward(layer, real)
    logits = device.adaptive(device.latents(samples))
    return {
        "name": model.name,
        "out": str(out),
        "bytes": size,
        "samples": len(samples),
        "layers": layers,
        "latent": dict(device.graph["latent"]),
        "logits_snr_db": snr_db(real, logits),
        "agreement": float((real.argmax(axis=1) == logits.argmax(axis=1)).mean()),
    }


def snr_db(real: F32, approximate: F32) -> float | None:
    """Signal to noise ratio in decibel, 10 log10(signal power / error power); None: no error."""
    error = float(np.square(real.astype(np.float64) - approximate).sum())
    signal = float(np.square(real.astype(np.float64)).sum())
    if error == 0:
        return None
    return float(10 * np.log10(max(signal, np.finfo(np.float64).tiny) / error))

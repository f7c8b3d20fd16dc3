"""The float model file: parsed, checked, its shapes worked out.

A safetensors file of float32 tensors whose metadata holds {"engram_float": "1", "graph": JSON}:

    name, classes
    input    shape [H, W, C] or [N]; dtype "uint8" | "float32"; scale, zero_point
    layers   [{op, w, b, kernel, stride, pad, relu}, ...], see OPS
    frozen   how many of the layers, from the first, become int8

A uint8 input u stands for the real number (u - 128 - zero_point) * scale: on the board its top
bit is flipped, which makes it the int8 value of that quantization. A float32 input may leave out
scale and zero_point; they are then taken from the calibration data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError
from engram.nn.geometry import out_size

from . import model_file

VERSION = "1"
INPUT_DTYPES = ("uint8", "float32")
F32 = NDArray[np.float32]

# op -> (has weights, has a kernel window, may be frozen, may be adaptive)
OPS = {
    "conv2d": (True, True, True, True),
    "depthwise": (True, True, True, False),
    "dense": (True, False, True, True),
    "avgpool": (False, True, True, False),
    "global_avgpool": (False, False, True, True),
    "flatten": (False, False, True, True),
}


@dataclass(frozen=True)
class Layer:
    """One layer of a float model. Shapes are [H, W, C] or [N]; w is OHWI, (R, S, C) or (M, N)."""

    name: str
    op: str
    relu: bool
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    w: F32 | None = field(default=None, repr=False)
    b: F32 | None = field(default=None, repr=False)


@dataclass(frozen=True)
class FloatModel:
    """A checked float model; layers[:frozen] become int8."""

    name: str
    classes: int
    input_shape: tuple[int, ...]
    input_dtype: str
    input_scale: float | None
    input_zero_point: int | None
    layers: tuple[Layer, ...]
    frozen: int


def load(path: Path) -> FloatModel:
    """Reads and checks a float model file. Raises ModelError naming the layer and the reason."""
    tensors, metadata = model_file.read(path)
    version = metadata.get("engram_float")
    if version != VERSION:
        kind = "a device model already" if "engram_model" in metadata else "no float model"
        raise ModelError(
            f"{path}: float model of version {VERSION} expected, {version or kind} came"
        )
    try:
        graph = json.loads(metadata["graph"])
        return _parse(graph, tensors)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelError(f"{path}: its graph is incomplete ({error!r})") from error


def _parse(graph: dict[str, Any], tensors: model_file.Tensors) -> FloatModel:
    source = graph["input"]
    if source["dtype"] not in INPUT_DTYPES:
        raise ModelError(
            f"input dtype {' or '.join(INPUT_DTYPES)} expected, {source['dtype']} came"
        )
    scale = source.get("scale")
    zero_point = source.get("zero_point")
    if source["dtype"] == "uint8" and (scale is None or zero_point is None):
        raise ModelError("a uint8 input needs its scale and zero_point in the graph")
    if scale is not None and not scale > 0:
        raise ModelError(f"input scale above 0 expected, {scale} came")

    frozen, entries = graph["frozen"], graph["layers"]
    if not 0 <= frozen < len(entries):
        raise ModelError(
            f"0 to {len(entries) - 1} frozen layers expected, {frozen} came; "
            "at least the last layer must be left to learn"
        )
    shape = tuple(source["shape"])
    layers = []
    for i, entry in enumerate(entries):
        layer = _layer(i, entry, shape, tensors, frozen=i < frozen)
        layers.append(layer)
        shape = layer.out_shape
    last = layers[-1]
    if last.op != "dense" or last.relu or last.out_shape != (graph["classes"],):
        raise ModelError(
            f"the last layer must be dense without ReLU, one output for each of the "
            f"{graph['classes']} classes; {last.op} with {prod(last.out_shape)} came"
        )
    return FloatModel(
        name=graph["name"],
        classes=graph["classes"],
        input_shape=tuple(source["shape"]),
        input_dtype=source["dtype"],
        input_scale=scale,
        input_zero_point=zero_point,
        layers=tuple(layers),
        frozen=frozen,
    )


def _layer(
    index: int,
    entry: dict[str, Any],
    shape: tuple[int, ...],
    tensors: model_file.Tensors,
    *,
    frozen: bool,
) -> Layer:
    op = entry["op"]
    where = f"layer {index} ({op})"
    if op not in OPS:
        raise ModelError(f"{where}: unknown op; known: {', '.join(sorted(OPS))}")
    has_weights, has_window, may_freeze, may_learn = OPS[op]
    if not (may_freeze if frozen else may_learn):
        raise ModelError(
            f"{where}: not available in the {'frozen' if frozen else 'adaptive'} stage"
        )
    relu = bool(entry.get("relu", False))
    if relu and not has_weights:
        raise ModelError(f"{where}: ReLU belongs to a layer with weights; move it there")
    if op not in ("dense", "flatten") and len(shape) != 3:
        raise ModelError(f"{where}: input [H, W, C] expected, {list(shape)} came")

    w = _tensor(where, tensors, entry["w"]) if has_weights else None
    if w is not None and op != "dense" and w.ndim != (3 if op == "depthwise" else 4):
        raise ModelError(f"{where}: weights of shape {w.shape} do not belong to this op")
    kernel, stride, pad = _window(entry, w) if has_window else ((1, 1), (1, 1), (0, 0, 0, 0))
    try:
        out = _out_shape(op, shape, w, kernel, stride, pad)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    b = None
    if w is not None:
        expected = _weight_shape(op, shape, out, kernel)
        if w.shape != expected:
            raise ModelError(f"{where}: weights of shape {expected} expected, {w.shape} came")
        b = _tensor(where, tensors, entry["b"]) if entry.get("b") else np.zeros(out[-1], "f4")
        if b.shape != (out[-1],):
            raise ModelError(f"{where}: bias of shape {(out[-1],)} expected, {b.shape} came")
    name = entry["w"].rsplit(".", 1)[0] if has_weights else f"{op}{index}"
    return Layer(name, op, relu, shape, out, kernel, stride, pad, w, b)


def _window(
    entry: dict[str, Any], w: F32 | None
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
    r, s = entry["kernel"]
    sh, sw = entry.get("stride", [1, 1])
    top, left, bottom, right = entry.get("pad", [0, 0, 0, 0])
    if w is not None and (r, s) != (w.shape[-3], w.shape[-2]):
        raise ModelError(
            f"kernel {[r, s]} in the graph, {list(w.shape[-3:-1])} in the weights {w.shape}"
        )
    return (r, s), (sh, sw), (top, left, bottom, right)


def _out_shape(
    op: str,
    shape: tuple[int, ...],
    w: F32 | None,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
) -> tuple[int, ...]:
    if op == "dense":
        assert w is not None
        return (w.shape[0],)
    if op == "flatten":
        return (prod(shape),)
    if op == "global_avgpool":
        return (1, 1, shape[2])
    height = out_size(shape[0], pad[0], pad[2], kernel[0], stride[0])
    width = out_size(shape[1], pad[1], pad[3], kernel[1], stride[1])
    channels = w.shape[0] if op == "conv2d" and w is not None else shape[2]
    return (height, width, channels)


def _weight_shape(
    op: str, shape: tuple[int, ...], out: tuple[int, ...], kernel: tuple[int, int]
) -> tuple[int, ...]:
    if op == "dense":
        return (out[0], prod(shape))
    if op == "depthwise":
        return (*kernel, shape[2])
    return (out[2], *kernel, shape[2])


def _tensor(where: str, tensors: model_file.Tensors, name: str) -> F32:
    if name not in tensors:
        raise ModelError(f"{where}: tensor {name} is missing from the file")
    tensor = tensors[name]
    if tensor.dtype != np.float32:
        raise ModelError(f"{where}: tensor {name}: float32 expected, {tensor.dtype} came")
    bad = int(np.count_nonzero(~np.isfinite(tensor)))
    if bad:
        raise ModelError(f"{where}: tensor {name} holds {bad} NaN or infinite values")
    return tensor

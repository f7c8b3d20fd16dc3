"""Layers of an int8 network as the frozen stage has them: the same integers, nothing rounded anew.

The arithmetic of the frozen stage is TensorFlow Lite's, so a model keeps every bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.nn import formats, ops
from engram_host.convert import float_ops
from engram_host.convert.graph import Entry
from engram_host.convert.quantize import (
    Scale,
    add_parameters,
    function_table,
    multiplier,
    rectifier_table,
    softmax_table,
)

from . import kinds
from .network import Layer, Parameter

s8 = formats.load("s8")
Arrays = dict[str, NDArray[Any]]
Factors = list[tuple[int, int]]  # multipliers and shifts, one or one per output channel



def frozen(layer: Layer, scales: Mapping[str, Scale]) -> tuple[Entry, Arrays]:
    """(the entry of a node in a device model, its tensors by name) of a layer of int8."""
    sources, target = [scales[value] for value in layer.inputs], scales[layer.name]
    node = _DEVICE[layer.op](layer) if layer.op in _DEVICE else layer
    entry: Entry = {
        "name": node.name,
        "op": node.op,
        "format": "s8",
        "in": list(node.inputs),
        "out": list(node.out),
        **node.attributes,
    }
    symbols = {symbol for row in s8.rows(node.op)[0] for symbol in row.split()[1:]}
    clamps = _clamps(node.activation, target)
    if {"x2", "q"} <= symbols:
        entry["q"] = add_parameters(sources[0], sources[1], target, clamps)
    elif symbols & {"q", "zp"}:
        entry["q"] = [sources[0].zero_point, target.zero_point, *clamps]
    arrays: Arrays = {}
    if "table" in symbols:
        arrays["table"] = _table(node, sources[0], target)
    elif node.tensors:
        factors = _FACTORS.get(layer.op, _by_channel)(layer, sources[0], target)
        arrays = _weights(node, factors)
    entry.update({key: f"{node.name}.{key}" for key in arrays})
    return entry, {f"{node.name}.{key}": array for key, array in arrays.items()}


def _clamps(activation: str, target: Scale) -> tuple[int, int]:
    """The least and the largest integer of an output with an activation."""
    low, high = target.quantize(np.array(kinds.CLAMPS[activation], np.float32)).tolist()
    return low, high


def _weights(node: Layer, factors: Factors) -> Arrays:
    """int8 weights in the order of dimensions that the frozen stage has, and what goes with
    them."""
    before, after = (
        text.split()[0].split(":")[1].split(",")
        for text in (ops.OPS[node.op][1], s8.texts(node.op))
    )
    (key, w), (_, b) = node.tensors.items()
    mult, shift = (np.array(part, np.int32) for part in zip(*factors))
    return {
        key: np.ascontiguousarray(w.values.transpose([before.index(axis) for axis in after])),
        "bias": b.values.astype(np.int32),
        "mult": np.resize(mult, len(b.values)),
        "shift": np.resize(shift, len(b.values)),
    }


def _table(node: Layer, source: Scale, target: Scale) -> NDArray[Any]:
    if node.op == kinds.SOFTMAX:
        return softmax_table(source)
    if node.op in kinds.RECTIFIERS:
        top = _clamps(node.op if node.op in kinds.CLAMPS else "", target)[1]
        return rectifier_table(node.attributes.get("slope", 0.0), source, target, top)
    entry = {"op": node.op, **node.attributes}
    return function_table(lambda x: float_ops.apply(entry, {}, x), source, target)


# ---- the factors between sums and outputs, as TensorFlow Lite computes them -------------------


def _by_channel(layer: Layer, source: Scale, target: Scale) -> Factors:
    """A factor per channel, in float64."""
    scales = next(iter(layer.tensors.values())).scales
    assert scales is not None
    return [multiplier(source.scale * float(scale) / target.scale) for scale in scales]


def _mean(layer: Layer, source: Scale, target: Scale) -> Factors:
    """The count of the values is in the multiplier, with as many bits as fit."""
    count = layer.shapes[0][0] * layer.shapes[0][1]
    mult, shift = multiplier(source.scale / target.scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return [((mult << bits) // count, shift - bits)]


_FACTORS: Mapping[str, Callable[[Layer, Scale, Scale], Factors]] = {kinds.MEAN: _mean}


# ---- layers that the frozen stage has under another name --------------------------------------


def _mean_as_depthwise(layer: Layer) -> Layer:
    h, w, c = layer.shapes[0]
    tensors = {
        "w": Parameter(np.ones((h, w, c), np.int8)),
        "b": Parameter(np.zeros(c, np.int32)),
    }
    window = {"kernel": [h, w], "stride": [1, 1], "pad": [0, 0, 0, 0]}
    return replace(layer, op="depthwise", out=(1, 1, c), attributes=window, tensors=tensors)


def _scale_as_rectifier(layer: Layer) -> Layer:
    """A change of scale is a table of 256 numbers, as that of a rectifier that bends nothing."""
    return replace(layer, op="leaky_relu", attributes={"slope": 1.0})


_DEVICE: Mapping[str, Callable[[Layer], Layer]] = {
    kinds.MEAN: _mean_as_depthwise,
    kinds.RESCALE: _scale_as_rectifier,
}

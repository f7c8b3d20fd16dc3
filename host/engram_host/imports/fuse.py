"""Joins layers that a board computes in one: factors per channel and activations, into the layer
before them.

It is the form in which a .tflite comes, and what convert() makes of the frozen layers anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import kinds
from .network import Layer, Parameter


def fused(layers: Sequence[Layer], outputs: Sequence[str]) -> tuple[tuple[Layer, ...], list[str]]:
    """(layers, names of the outputs) with what can be joined joined."""
    readers = Counter(value for layer in layers for value in layer.inputs)
    readers.update(outputs)
    kept: dict[str, Layer] = {}
    names: dict[str, str] = {}  # a value that is gone: the one that has its place
    for layer in layers:
        inputs = tuple(names.get(value, value) for value in layer.inputs)
        layer = replace(layer, inputs=inputs)
        before = kept.get(inputs[0]) if readers[inputs[0]] == 1 else None
        joined = _joined(before, layer) if before is not None else None
        if joined is None:
            kept[layer.name] = layer
            continue
        kept[joined.name] = joined
        names[layer.name] = joined.name
        readers[joined.name] = readers[layer.name]
    return tuple(kept.values()), [names.get(output, output) for output in outputs]


def _joined(before: Layer, layer: Layer) -> Layer | None:
    """Both as one layer with the name of the first; None where they stay apart."""
    if before.activation or before.reason or layer.reason:
        return None
    if layer.op in kinds.CLAMPS and before.op in kinds.CLAMPING:
        return replace(before, activation=layer.op)
    if layer.op == kinds.FACTORS and before.tensors and before.op != kinds.FACTORS:
        (w_key, w), (b_key, b) = before.tensors.items()
        gain, shift = (part.values for part in layer.tensors.values())
        axes = [1] * w.values.ndim
        axes[kinds.channel_axes(before.op)[w_key]] = -1
        tensors = {
            w_key: Parameter((w.values * gain.reshape(axes)).astype(np.float32)),
            b_key: Parameter((b.values * gain + shift).astype(np.float32)),
        }
        return replace(before, tensors=tensors)
    return None

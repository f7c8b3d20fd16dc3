"""Cuts a network in two: below stays as it is, in int8; above learns.

Only the value at the cut is stored and replayed, so nothing above it may read another one below.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from engram.errors import ModelError
from engram.nn import ops
from engram.nn.names import INPUT

from . import kinds
from .network import Layer, Network, Parameter

MOST_CLASSES = 254
NEW = "head"  # the name of a classifier that the original has not


class Cut(NamedTuple):
    """The place behind a layer. reason: why the network cannot be cut here, "" where it can."""

    layer: str
    reason: str


def cuts(network: Network, classes: int | None = None) -> list[Cut]:
    """Every place, from the input up to the layer before the last of trunk()."""
    layers = trunk(network, classes)
    return [
        Cut(value, _reason(network, value, layers))
        for value in (INPUT, *(layer.name for layer in layers[:-1]))
    ]


def trunk(network: Network, classes: int | None = None) -> list[Layer]:
    """The layers without those that only turn the last one's values into probabilities.

    classes: of a new classifier, which has learned nothing, in the place of the last layer where
    that is dense, else behind it; None: as the network has it. Raises ModelError.
    """
    layers = list(network.layers)
    while layers and layers[-1].op in kinds.PROBABILITIES:
        layers.pop()
    if classes is None:
        return layers
    if not 2 <= classes <= MOST_CLASSES:
        raise ModelError(f"expected 2 to {MOST_CLASSES} classes, got {classes}")
    if layers and layers[-1].op == kinds.HEAD:
        last = layers.pop()
        source, shape = last.inputs[0], last.shapes[0]
    else:
        source = layers[-1].name if layers else INPUT
        shape = layers[-1].out if layers else network.input_shape
    tensors = {
        "w": Parameter(np.zeros((classes, prod(shape)), np.float32)),
        "b": Parameter(np.zeros(classes, np.float32)),
    }
    return [*layers, Layer(NEW, kinds.HEAD, (source,), (shape,), (classes,), {}, tensors)]


def _reason(network: Network, value: str, layers: Sequence[Layer]) -> str:
    below, above = split(network, value, layers)
    bad = [layer for layer in below if layer.reason]
    if bad:
        return f"{bad[0].name} below it does not run on a board: {bad[0].reason}"
    if not above:
        return "nothing above it learns"
    before = {INPUT, *(layer.name for layer in below)} - {value}
    for layer in above:
        passed = before.intersection(layer.inputs)
        if passed:
            return f"{layer.name} above it reads {sorted(passed)[0]} below it"
        problem = layer.reason or cannot_learn(layer)
        if problem:
            return f"{layer.name} above it: {problem}"
    if not any(layer.tensors for layer in above):
        return "nothing above it has weights"
    return ""


def cannot_learn(layer: Layer) -> str:
    """Why a layer has no float32 form with gradients; "" where it has one."""
    op = kinds.learns_as(layer.op)
    if layer.op in kinds.GONE:
        return ""
    if len(set(layer.inputs)) < len(layer.inputs):
        return f"it reads {layer.inputs[0]} twice"  # gradients by both would have one place
    if op not in ops.OPS or not ops.OPS[op][4]:
        return f"{op} has no gradient"
    if layer.activation and layer.activation not in ops.OPS:
        return f"{layer.activation} has no gradient"
    return ""


def split(
    network: Network, value: str, layers: Sequence[Layer]
) -> tuple[list[Layer], list[Layer]]:
    """(layers that `value` needs, those of the trunk, `layers`, above it), each in order."""
    needed = {value}
    below: list[Layer] = []
    for layer in reversed(network.layers):
        if layer.name in needed:
            below.insert(0, layer)
            needed.update(layer.inputs)
    names = {layer.name for layer in below}
    return below, [layer for layer in layers if layer.name not in names]


def find(network: Network, text: str) -> str:
    """The value that a user means: the name of a layer, its number, or a part of its name in the
    original. Raises ModelError, with the names that there are."""
    names = [INPUT, *(layer.name for layer in network.layers)]
    if text in names:
        return text
    numbered = [name for name in names[1:] if name.rsplit("_", 1)[-1] == text]
    alike = [layer.name for layer in network.layers if text in layer.source]
    found = numbered or alike
    if len(found) != 1:
        got = f"{text}, which is a part of {', '.join(found)}" if found else text
        raise ModelError(f"expected a cut behind one of {', '.join(names)}; got {got}")
    return found[0]


def latent_elements(network: Network, value: str) -> int:
    """Values of a latent."""
    if value == INPUT:
        return prod(network.input_shape)
    return prod(next(layer.out for layer in network.layers if layer.name == value))

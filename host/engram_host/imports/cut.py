"""Cuts a network in two: below stays as it is, in int8; above learns.

Only the value at the cut is stored and replayed, so nothing above it may read another one below.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from engram.errors import ModelError
from engram.nn import ops
from engram.nn.names import INPUT

from . import kinds
from .network import Layer, Network
from .trunk import Trunk, trunk


class Cut(NamedTuple):
    """The place behind a layer. reason: why the network cannot be cut here, "" where it can."""

    layer: str
    reason: str


def cuts(network: Network, classes: int | None = None) -> list[Cut]:
    """Every place, from the input up to the layers before the last ones of the trunk."""
    whole = trunk(network, classes)
    read = {value for layer in whole.layers for value in layer.inputs}
    return [
        Cut(value, _reason(network, value, whole))
        for value in (INPUT, *(layer.name for layer in whole.layers))
        if value in read
    ]


def _reason(network: Network, value: str, whole: Trunk) -> str:
    below, above = split(network, value, whole.layers)
    bad = [layer for layer in below if layer.reason]
    if bad:
        return f"{bad[0].name} below it does not run on a board: {bad[0].reason}"
    if not above:
        return "nothing above it learns"
    names = {layer.name for layer in above}
    for end in whole.ends:
        if end.layer not in names:
            return f"the output {end.name} lies below it"
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

"""The trunk of a network: the layers that its kept outputs need, and what those are for.

A network may have several outputs. One of them can tell classes apart; the others are numbers,
which a board learns from targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from engram.errors import ModelError
from engram.nn.names import INPUT

from . import kinds
from .network import MOST_VALUES, Layer, Network, Parameter

MOST_CLASSES = 254
NEW = "head"  # the name of a classifier that the original has not

CLASSIFY, REGRESS = "classify", "regress"
_SOFTMAX = ("softmax", "logsoftmax")
_SHAPES = ("flatten", "reshape", *kinds.GONE)  # numbers are the same behind them


class End(NamedTuple):
    """An output that is kept. name: in its framework. layer: the one that makes its values on a
    board. objective: "classify" or "regress"; "" of a single output, whose layer says it."""

    name: str
    layer: str
    objective: str


class Trunk(NamedTuple):
    """Layers in order, and the ends among them."""

    layers: list[Layer]
    ends: tuple[End, ...]


def chosen(network: Network, names: Sequence[str]) -> Network:
    """The network with the outputs `names` alone, in their order; none: with all of its outputs.

    A name is that of its framework, of its layer, or of that layer there; a number from 0; or a
    part of the first.
    Raises ModelError with the names that there are.
    """
    texts = [names] if isinstance(names, str) else names
    numbers = [_found(network, text) for text in texts] or range(len(network.outputs))
    return replace(
        network,
        outputs=tuple(network.outputs[i] for i in numbers),
        output_names=tuple(network.output_names[i] for i in numbers),
        are_chosen=bool(texts),
    )


def _found(network: Network, text: str) -> int:
    pairs = list(zip(network.output_names, network.outputs))
    sources = {layer.name: layer.source for layer in network.layers}
    found = [
        i
        for i, (name, value) in enumerate(pairs)
        if text in (name, value, sources.get(value), str(i))
    ]
    found = found or [i for i, (name, _) in enumerate(pairs) if text in name]
    if len(found) != 1:
        names = ", ".join(f"{name} ({layer})" for name, layer in pairs)
        raise ModelError(f"expected one of the outputs {names}; got {text}")
    return found[0]


def trunk(network: Network, classes: int | None = None) -> Trunk:
    """The layers that the outputs need, without those that only turn classes into probabilities.

    classes: of a new classifier, which has learned nothing, in the place of the layer that tells
    classes apart where that is dense, else behind it; None: as the network has it. Raises
    ModelError.
    """
    if classes is not None and not 2 <= classes <= MOST_CLASSES:
        raise ModelError(f"expected 2 to {MOST_CLASSES} classes, got {classes}")
    ends = _ends(network)
    if classes is None:
        return Trunk(_needed(network, [end.layer for end in ends]), ends)
    places = [i for i, end in enumerate(ends) if end.objective != REGRESS]
    if len(places) != 1:
        raise ModelError(
            "expected one output whose classifier is replaced, got none that tells classes apart; "
            f"choose one with --output: {', '.join(network.output_names)}"
        )
    at = places[0]
    others = [end.layer for end in (*ends[:at], *ends[at + 1 :])]
    by_name = {layer.name: layer for layer in network.layers}
    source, shape = ends[at].layer, network.input_shape
    last = by_name.get(source)
    if last is not None and last.op == kinds.HEAD and source not in others:
        source, shape = last.inputs[0], last.shapes[0]
    elif last is not None:
        shape = last.out
    layers = _needed(network, [*others, source])
    if classes * prod(shape) > MOST_VALUES:
        raise ModelError(
            f"expected a classifier of at most {MOST_VALUES} weights, got {classes} classes of "
            f"{prod(shape)} values; put it behind a pool"
        )
    tensors = {
        "w": Parameter(np.zeros((classes, prod(shape)), np.float32)),
        "b": Parameter(np.zeros(classes, np.float32)),
    }
    head = Layer(NEW, kinds.HEAD, (source,), (shape,), (classes,), {}, tensors)
    end = End(NEW, NEW, CLASSIFY)
    return Trunk([*layers, head], (*ends[:at], end, *ends[at + 1 :]))


def _needed(network: Network, values: Sequence[str]) -> list[Layer]:
    """The layers that some values need, in order."""
    needed = set(values)
    layers: list[Layer] = []
    for layer in reversed(network.layers):
        if layer.name in needed:
            layers.insert(0, layer)
            needed.update(layer.inputs)
    return layers


def _behind(network: Network, value: str, ops: Sequence[str]) -> tuple[str, list[str]]:
    """(the value below layers of `ops` that end in `value`, their ops)."""
    by_name = {layer.name: layer for layer in network.layers}
    passed = []
    while value in by_name and by_name[value].op in ops:
        passed.append(by_name[value].op)
        value = by_name[value].inputs[0]
    return value, passed


class _Root(NamedTuple):
    """An output. value: as it comes. passed: ops between it and the values without them."""

    name: str
    value: str
    passed: list[str]


def _ends(network: Network) -> tuple[End, ...]:
    """The ends; values of one layer count once, as logits and their probabilities do."""
    roots: dict[str, _Root] = {}
    for name, value in zip(network.output_names, network.outputs):
        root, passed = _behind(network, value, kinds.PROBABILITIES)
        if root == INPUT:
            raise ModelError(
                f"expected outputs that layers make, got {name}, which is the input; choose "
                f"others with --output, of {', '.join(network.output_names)}"
            )
        roots.setdefault(root, _Root(name, value, passed))
    if len(roots) == 1:
        ((root, (name, _, _)),) = roots.items()
        return (End(name, root, ""),)
    head = _head(network, roots)
    return tuple(
        End(name, root, CLASSIFY)
        if root == head
        else End(name, _behind(network, value, _SHAPES)[0], REGRESS)
        for root, (name, value, _) in roots.items()
    )


def _head(network: Network, roots: Mapping[str, _Root]) -> str:
    """The one of several outputs that tells classes apart: the one behind which a softmax stands,
    or that alone could do it, or, of those that a user chose, the first; "": there is none."""
    kept = {layer.name: layer for layer in _needed(network, list(roots))}
    read = {value for layer in kept.values() for value in layer.inputs}
    able = [root for root in roots if root not in read and _tells_classes(kept[root])]
    sure = [root for root in able if set(roots[root].passed).intersection(_SOFTMAX)]
    unclear = sure if len(sure) > 1 else [] if sure or network.are_chosen else able
    if len(unclear) > 1:
        named = ", ".join(f"{roots[root].name} ({root})" for root in unclear)
        raise ModelError(
            f"expected one output that tells classes apart, got {len(unclear)} that may: {named}; "
            "choose with --output NAME, once for each that is kept, the one of classes first: "
            "the others are learned as numbers"
        )
    return (sure or able or [""])[0]


def _tells_classes(layer: Layer) -> bool:
    dense = layer.op == kinds.HEAD or as_dense(layer) is not None
    return dense and 1 < prod(layer.out) <= MOST_CLASSES


def as_dense(layer: Layer) -> Layer | None:
    """A 1 x 1 convolution of one position as the dense layer that it is; None of others."""
    one = layer.op == kinds.CONVOLUTION and layer.out[:2] == (1, 1)
    if not one or prod(layer.shapes[0][:2]) != 1 or layer.attributes["kernel"] != [1, 1]:
        return None
    w, b = layer.tensors["w"], layer.tensors["b"]
    rows = w._replace(values=w.values.reshape(len(w.values), -1))
    tensors = {"w": rows, "b": b}
    return replace(layer, op=kinds.HEAD, out=layer.out[2:], attributes={}, tensors=tensors)


def with_dense_heads(trunk: Trunk, layers: Sequence[Layer]) -> list[Layer]:
    """Layers of a trunk whose ends that may tell classes apart are dense."""
    heads = [end.layer for end in trunk.ends if end.objective != REGRESS]
    return [as_dense(layer) or layer if layer.name in heads else layer for layer in layers]

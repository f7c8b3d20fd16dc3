"""A device model of a network and a cut: the integers below, float32 above."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from math import prod

from engram.nn.graph import read
from engram.nn.names import INPUT
from engram_host.convert.graph import Entry
from engram_host.convert.model_file import Tensors

from . import cut, kinds
from .integers import frozen
from .network import Layer, Network, Shape

VERSION = "2"  # of a device model


def device_model(
    network: Network, value: str, classes: int | None, input_dtype: str
) -> tuple[Entry, Tensors]:
    """(graph, tensors) of a device model.

    value: the cut. classes: of a new classifier, which has learned nothing; None: that of the
    network. input_dtype: of the samples, "uint8" or "float32". Raises ModelError.
    """
    below, above = cut.split(network, value, cut.trunk(network, classes))
    nodes: list[Entry] = []
    tensors: Tensors = {}
    for layer in below:
        entry, own = frozen(layer, network.scales)
        nodes.append(entry)
        tensors.update(own)
    learned, own = adaptive(dense_head(above))
    tensors.update(own)
    source, target = network.scales[INPUT], network.scales[value]
    last = learned[-1]
    kind = objective(last, network, value)
    graph = {
        "name": network.name,
        "classes": prod(last["out"]) if kind == "classify" else 0,
        "input": {"shape": list(network.input_shape), "dtype": input_dtype, **source._asdict()},
        "nodes": nodes + learned,
        "latent": {"node": value, "shape": list(_shape(network, value)), **target._asdict()},
        "outputs": [{"node": last["name"], "objective": kind, "weight": 1}],
    }
    read(json.loads(json.dumps(graph)), VERSION)  # the device library refuses what it cannot run
    return graph, tensors


def _shape(network: Network, value: str) -> Shape:
    if value == INPUT:
        return network.input_shape
    return next(layer.out for layer in network.layers if layer.name == value)


def objective(last: Entry, network: Network, value: str) -> str:
    """The objective of an output, by its node and the cut."""
    size = prod(last["out"])
    if size == prod(_shape(network, value)) and size == prod(network.input_shape):
        return "reconstruct"
    if last["op"] == kinds.HEAD and 1 < size <= cut.MOST_CLASSES:
        return "classify"
    return "regress"


def dense_head(layers: Sequence[Layer]) -> list[Layer]:
    """Layers whose last one is dense where it is a 1 x 1 convolution of one position."""
    last = layers[-1]
    one = last.op == kinds.CONVOLUTION and prod(last.shapes[0][:2]) == 1 and last.out[:2] == (1, 1)
    if not one or last.attributes["kernel"] != [1, 1]:
        return list(layers)
    w, b = last.tensors["w"], last.tensors["b"]
    rows = w._replace(values=w.values.reshape(len(w.values), -1))
    dense = replace(
        last, op=kinds.HEAD, out=last.out[2:], attributes={}, tensors={"w": rows, "b": b}
    )
    return [*layers[:-1], dense]


def adaptive(layers: Sequence[Layer]) -> tuple[list[Entry], Tensors]:
    """The nodes that learn, in float32, and their tensors."""
    nodes: list[Entry] = []
    tensors: Tensors = {}
    names: dict[str, str] = {}  # a layer's value: the node that has it
    for layer in layers:
        inputs = [names.get(value, value) for value in layer.inputs]
        if layer.op in kinds.GONE:
            names[layer.name] = inputs[0]
            continue
        entry: Entry = {
            "name": layer.name,
            "op": kinds.learns_as(layer.op),
            "format": "f32",
            "in": inputs,
            "out": list(layer.out),
            **layer.attributes,
        }
        axes = kinds.channel_axes(layer.op)
        for key, tensor in layer.tensors.items():
            entry[key] = f"{layer.name}.{key}"
            tensors[entry[key]] = tensor.real(axes[key])
        nodes.append(entry)
        if layer.activation:
            names[layer.name] = f"{layer.name}:{layer.activation}"
            nodes.append(
                {
                    "name": names[layer.name],
                    "op": layer.activation,
                    "format": "f32",
                    "in": [layer.name],
                    "out": list(layer.out),
                }
            )
    return nodes, tensors

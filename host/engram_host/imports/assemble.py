"""A device model of a network and a cut: the integers below, float32 above."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod

from engram.nn.graph import read
from engram.nn.names import INPUT
from engram_host.convert.graph import Entry
from engram_host.convert.model_file import Tensors

from . import cut, kinds
from .integers import frozen
from .network import Layer, Network, Shape
from .trunk import CLASSIFY, MOST_CLASSES, REGRESS, Trunk, trunk, with_dense_heads

VERSION = "2"  # of a device model


def device_model(
    network: Network, value: str, classes: int | None, input_dtype: str
) -> tuple[Entry, Tensors]:
    """(graph, tensors) of a device model.

    value: the cut. classes: of a new classifier, which has learned nothing; None: that of the
    network. input_dtype: of the samples, "uint8" or "float32". Raises ModelError.
    """
    whole = trunk(network, classes)
    below, above = cut.split(network, value, whole.layers)
    nodes: list[Entry] = []
    tensors: Tensors = {}
    for layer in below:
        entry, own = frozen(layer, network.scales)
        nodes.append(entry)
        tensors.update(own)
    learned, own, names = adaptive(with_dense_heads(whole, above))
    tensors.update(own)
    source, target = network.scales[INPUT], network.scales[value]
    graph = {
        "name": network.name,
        "classes": 0,
        "input": {"shape": list(network.input_shape), "dtype": input_dtype, **source._asdict()},
        "nodes": nodes + learned,
        "latent": {"node": value, "shape": list(_shape(network, value)), **target._asdict()},
        **outputs(whole, learned, names, network, value),
    }
    read(json.loads(json.dumps(graph)), VERSION)  # the device library refuses what it cannot run
    return graph, tensors


def _shape(network: Network, value: str) -> Shape:
    if value == INPUT:
        return network.input_shape
    return next(layer.out for layer in network.layers if layer.name == value)


def outputs(
    whole: Trunk, nodes: Sequence[Entry], names: Mapping[str, str], network: Network, value: str
) -> Entry:
    """The keys classes and outputs of a graph. nodes: those that learn. names: {layer: node that
    has its value}, where that has another name. value: the cut."""
    entries = {node["name"]: node for node in nodes}
    last = [entries[names.get(end.layer, end.layer)] for end in whole.ends]
    found = [
        end.objective or objective(node, network, value) for end, node in zip(whole.ends, last)
    ]
    classes = [prod(node["out"]) for node, kind in zip(last, found) if kind == CLASSIFY]
    return {
        "classes": classes[0] if classes else 0,
        "outputs": [
            {"node": node["name"], "objective": kind, "weight": 1}
            for node, kind in zip(last, found)
        ],
    }


def objective(last: Entry, network: Network, value: str) -> str:
    """The objective of a single output, by its node and the cut."""
    size = prod(last["out"])
    if size == prod(_shape(network, value)) and size == prod(network.input_shape):
        return "reconstruct"
    if last["op"] == kinds.HEAD and 1 < size <= MOST_CLASSES:
        return CLASSIFY
    return REGRESS


def adaptive(layers: Sequence[Layer]) -> tuple[list[Entry], Tensors, dict[str, str]]:
    """(nodes that learn, in float32; their tensors; {layer: node that has its value} where that
    has another name)."""
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
    return nodes, tensors, names

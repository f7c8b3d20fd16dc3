"""A float32 network, cut: as the float model that convert() makes a device model of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engram.nn.names import INPUT
from engram_host.convert import model_file
from engram_host.convert.int8_ops import INT8
from engram_host.convert.quantize import Scale

from . import cut, kinds
from .assemble import adaptive, outputs
from .network import Layer, Network, Parameter
from .trunk import trunk, with_dense_heads

VERSION = "2"  # of a float model
_PRETENDED = Scale(0.05, 0)


def write(
    path: Path, network: Network, value: str, classes: int | None, dtype: str = "float32"
) -> None:
    """Writes a float model. value, classes: as device_model() takes them. dtype: of its samples;
    "uint8" where the network says what a byte stands for."""
    whole = trunk(network, classes)
    below, above = cut.split(network, value, whole.layers)
    nodes, tensors, names = adaptive([*below, *with_dense_heads(whole, above)])
    made = {node["name"] for node in nodes}
    latent = next(
        (name for layer in below if layer.name == value for name in _names(layer) if name in made),
        INPUT,
    )
    for node in nodes:
        del node["format"]
    known = network.source._asdict() if network.source else {}
    graph = {
        "name": network.name,
        "input": {"shape": list(network.input_shape), "dtype": dtype, **known},
        "nodes": nodes,
        "latent": latent,
        **outputs(whole, nodes, names, network, value),
    }
    model_file.write(path, tensors, {"engram_float": VERSION, "graph": json.dumps(graph)})


def _names(layer: Layer) -> list[str]:
    """Names of a layer's value as a node may have it, the last one first."""
    return [f"{layer.name}:{layer.activation}", layer.name]


def checked(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Layers of float32, with a reason where boards have no kernel."""
    return tuple(
        layer if layer.reason else replace(layer, reason=_missing(layer)) for layer in layers
    )


def _missing(layer: Layer) -> str:
    for op in filter(None, (kinds.learns_as(layer.op), layer.activation)):
        if op not in INT8 and op not in kinds.GONE:
            return f"no kernel for {op}"
    return ""


def pretended(network: Network) -> Network:
    """A float32 network as one of int8 with made-up scales, which costs the same."""
    layers = []
    for layer in network.layers:
        tensors = {
            key: Parameter(
                np.zeros(tensor.values.shape, np.int32 if key == "b" else np.int8),
                np.ones(1, np.float32),
            )
            for key, tensor in layer.tensors.items()
        }
        layers.append(replace(layer, tensors=tensors))
    scales = {name: _PRETENDED for name in (INPUT, *(layer.name for layer in layers))}
    return replace(network, layers=tuple(layers), scales=scales)

"""Networks that learn from their first layer on: model files with random weights.

Nothing is frozen: the latent is the input. Weights are uniform with the variance 2 / n of n inputs
(He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015), biases are 0.
"""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engram_host.convert import model_file

Tensors = dict[str, np.ndarray]


class Conv(NamedTuple):
    """A convolution of `channels` filters, its output as large as its input over `stride`."""

    channels: int
    kernel: int = 3
    stride: int = 2


class Dense(NamedTuple):
    outputs: int


Layers = Sequence[Conv | Dense]

# Four layers that learn, 109,930 parameters at 28 x 28.
SMALL_CNN: Layers = (Conv(16), Conv(32), Dense(64), Dense(10))


def graph_of(name: str, layers: Layers, shape: Sequence[int], seed: int) -> tuple[dict, Tensors]:
    """(graph, tensors) of a model file. shape: of an input of bytes, (height, width, channels).

    A ReLU follows each layer but the last, whose outputs are the classes.
    """
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    nodes: list[dict[str, Any]] = []
    value, now = "input", list(shape)
    for i, layer in enumerate(layers):
        node: dict[str, Any] = {"name": f"layer{i}", "in": [value], "w": f"w{i}", "b": f"b{i}"}
        if isinstance(layer, Conv):
            size = layer.kernel
            sides = [padding(n, size, layer.stride) for n in now[:2]]
            node |= {
                "op": "conv2d", "kernel": [size, size], "stride": [layer.stride] * 2,
                "pad": [sides[0][0], sides[1][0], sides[0][1], sides[1][1]],
            }  # fmt: skip
            weights, inputs = (layer.channels, size, size, now[2]), size * size * now[2]
            now = [-(-n // layer.stride) for n in now[:2]] + [layer.channels]
            node["out"] = now
        else:
            inputs = int(np.prod(now))
            node["op"], weights, now = "dense", (layer.outputs, inputs), [layer.outputs]
            node["out"] = now
        limit = np.sqrt(6 / inputs)
        tensors[node["w"]] = rng.uniform(-limit, limit, weights).astype(np.float32)
        tensors[node["b"]] = np.zeros(weights[0], np.float32)
        nodes.append(node)
        value = node["name"]
        if i + 1 < len(layers):
            nodes.append({"name": f"relu{i}", "op": "relu", "in": [value]})
            value = nodes[-1]["name"]
    graph = {
        "name": name,
        "classes": now[0],
        "input": {"shape": list(shape), "dtype": "uint8", "scale": 1 / 255, "zero_point": -128},
        "latent": {"node": "input", "shape": list(shape), "scale": 1 / 255, "zero_point": -128},
        "nodes": nodes,
        "outputs": [{"node": value, "objective": "classify"}],
    }
    return graph, tensors


def padding(inputs: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and behind a row so that the output has ceil(inputs / stride) elements."""
    total = max((-(-inputs // stride) - 1) * stride + kernel - inputs, 0)
    return total // 2, total - total // 2


def file_of(graph: Mapping[str, Any], tensors: Tensors) -> bytes:
    """The model file, version 2, as bytes."""
    with tempfile.TemporaryDirectory(prefix="engram-budget-") as folder:
        path = Path(folder) / "model.safetensors"
        model_file.write(path, tensors, {"engram_model": "2", "graph": json.dumps(graph)})
        return path.read_bytes()


def without_frozen(raw: bytes) -> bytes:
    """A model file of version 1 without its frozen stage: its latent, as bytes, is the input."""
    (size,) = struct.unpack_from("<Q", raw)
    table = json.loads(raw[8 : 8 + size])
    graph = json.loads(table["__metadata__"]["graph"])
    graph = {**graph, "frozen": [], "input": {**graph["latent"], "dtype": "uint8"}}
    tensors = {}
    for layer in graph["adaptive"]:
        for name in (layer.get("w"), layer.get("b")):
            if name:
                start, end = (8 + size + at for at in table[name]["data_offsets"])
                values = np.frombuffer(raw[start:end], "<f4")
                tensors[name] = values.reshape(table[name]["shape"])
    with tempfile.TemporaryDirectory(prefix="engram-budget-") as folder:
        path = Path(folder) / "model.safetensors"
        model_file.write(path, tensors, {"engram_model": "1", "graph": json.dumps(graph)})
        return path.read_bytes()

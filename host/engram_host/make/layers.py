"""Layers with random weights, one behind the other, as nodes of a model file.

Weights are uniform with the variance 2 / n of n inputs (He, Zhang, Ren and Sun, "Delving deep into
rectifiers", ICCV 2015) where a ReLU follows, else 1 / n; biases are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = list[int]


class Layers:
    """Nodes and tensors that are added one by one; each method returns the name of a node's value.

    .nodes, .tensors   as a model file has them
    .shapes            {value: its shape, [height, width, channels] or [n]}
    """

    def __init__(self, shape: Shape, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.nodes: list[dict[str, Any]] = []
        self.tensors: dict[str, NDArray[np.float32]] = {}
        self.shapes: dict[str, Shape] = {"input": shape}

    def dense(self, name: str, source: str, outputs: int, gain: float = 2) -> str:
        inputs = int(np.prod(self.shapes[source]))
        self._weights(name, (outputs, inputs), inputs, outputs, gain)
        return self._weighted(name, "dense", source, [outputs])

    def conv(self, name: str, source: str, filters: int, kernel: Shape, stride: Shape) -> str:
        """A convolution; see padding()."""
        height, width, channels = self.shapes[source]
        pads = [padding(k, s) for k, s in zip(kernel, stride)]
        out = [
            (n + 2 * p - k) // s + 1
            for n, k, s, p in zip((height, width), kernel, stride, pads)
        ]  # fmt: skip
        inputs = channels * kernel[0] * kernel[1]
        self._weights(name, (filters, *kernel, channels), inputs, filters, 2)
        return self._weighted(
            name, "conv2d", source, [*out, filters],
            kernel=list(kernel), stride=list(stride), pad=pads * 2,
        )  # fmt: skip

    def transposed(
        self, name: str, source: str, out: Shape, kernel: Shape, stride: Shape, gain: float = 2
    ) -> str:
        """The convolution that conv() makes from `out` to the shape of source, turned round."""
        channels = self.shapes[source][2]
        pads = [padding(k, s) for k, s in zip(kernel, stride)]
        # each output is a sum over the kernel's elements of one residue class of the stride
        inputs = max(1, channels * kernel[0] * kernel[1] // (stride[0] * stride[1]))
        self._weights(name, (channels, *kernel, out[2]), inputs, out[2], gain)
        return self._weighted(
            name, "conv2d_t", source, list(out),
            kernel=list(kernel), stride=list(stride), pad=pads * 2,
        )  # fmt: skip

    def pool(self, name: str, source: str, cells: Shape) -> str:
        """The means over cells beside each other."""
        height, width, channels = self.shapes[source]
        self.shapes[name] = [height // cells[0], width // cells[1], channels]
        self.nodes.append({
            "name": name, "op": "avgpool", "in": [source], "out": self.shapes[name],
            "kernel": list(cells), "stride": list(cells), "pad": [0, 0, 0, 0],
        })  # fmt: skip
        return name

    def op(self, name: str, op: str, *sources: str) -> str:
        """A node without weights whose output has the shape of its first input."""
        self.shapes[name] = self.shapes[sources[0]]
        self.nodes.append({"name": name, "op": op, "in": list(sources)})
        return name

    def reshape(self, name: str, source: str, shape: Shape) -> str:
        self.shapes[name] = list(shape)
        self.nodes.append({"name": name, "op": "reshape", "in": [source], "out": list(shape)})
        return name

    def _weights(
        self, name: str, shape: Sequence[int], inputs: int, outputs: int, gain: float
    ) -> None:
        limit = np.sqrt(3 * gain / inputs)
        self.tensors[name + ".w"] = self._rng.uniform(-limit, limit, shape).astype(np.float32)
        self.tensors[name + ".b"] = np.zeros(outputs, np.float32)

    def _weighted(self, name: str, op: str, source: str, out: Shape, **more: Any) -> str:
        self.shapes[name] = out
        self.nodes.append({
            "name": name, "op": op, "in": [source], "out": out,
            "w": name + ".w", "b": name + ".b", **more,
        })  # fmt: skip
        return name


def padding(kernel: int, stride: int) -> int:
    """Zeros on either side of an axis: those with which a stride of 2 halves it, else none."""
    return (kernel - 1) // 2 if stride <= 2 else 0

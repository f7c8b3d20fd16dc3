"""A device model run in numpy, independent of the kernels: what the boards are held to.

The frozen stage is exact: integers, TensorFlow Lite's rounding, bit for bit what a board
computes. The adaptive stage is float32 in numpy's order of summation, so a board may differ in
the last digits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError
from engram.nn import formats, graph
from engram.nn.geometry import elems
from engram.nn.names import INPUT, LATENT

from . import float_ops, int8_ops, model_file
from .float_ops import F32, Described
from .int8_ops import I8
from .quantize import Scale

_TABLES = {"f32": float_ops.apply, "s8": int8_ops.apply}  # by number format


class DeviceModel:
    """A device model file, executable.

    .graph      the graph of the file, as dicts
    .tensors    {name: array}
    .classes    that it tells apart, 0 where no output does; .targets: values of a target
    """

    def __init__(self, path: Path | str) -> None:
        self.tensors, metadata = model_file.read(Path(path))
        self.graph: dict[str, Any] = json.loads(metadata["graph"])
        self.input_scale = _scale(self.graph["input"])
        self.latent_scale = _scale(self.graph["latent"])
        self._net = graph.read(json.loads(metadata["graph"]), metadata["engram_model"])
        self.classes: int = self.graph["classes"] if self._net.head else 0
        self.targets = sum(
            elems(self._net.node(output["node"])["out"])
            for output in self._net.outputs
            if output["objective"] == "regress"
        )

    def quantize_input(self, x: NDArray[Any]) -> I8:
        """Samples as they come, uint8 or float32, as the int8 the first layer reads.

        Raises DataError when they are of another dtype.
        """
        dtype = self.graph["input"]["dtype"]
        if x.dtype != np.dtype(dtype):
            raise DataError(f"expected samples of {dtype}, got {x.dtype}")
        if dtype == "uint8":
            return (x ^ 0x80).view(np.int8)
        return self.input_scale.quantize(x)

    def frozen(self, x: NDArray[Any]) -> list[I8]:
        """The output of every frozen layer for samples x (n, *input shape), in order."""
        values = {INPUT: self.quantize_input(x)}
        return [self._run(node, values) for node in self._net.frozen]

    def latents(self, x: NDArray[Any]) -> I8:
        """The int8 latents (n, *latent shape)."""
        outputs = self.frozen(x)
        return outputs[-1] if outputs else self.quantize_input(x)

    def outputs(self, latents: I8) -> dict[str, F32]:
        """{output: (n, *its shape)} of int8 latents, with the weights of the file."""
        values: dict[str, Any] = {LATENT: self.latent_scale.dequantize(latents)}
        for node in self._net.adaptive:
            self._run(node, values)
        return {output["node"]: values[output["node"]] for output in self._net.outputs}

    def adaptive(self, latents: I8) -> F32:
        """Logits (n, classes) of int8 latents; of a model without classes its first output."""
        outputs = self.outputs(latents)
        head = self._net.head
        return outputs[head["name"]] if head else next(iter(outputs.values()))

    def predict(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """The class (n,) of samples x."""
        return self.adaptive(self.latents(x)).argmax(axis=1)

    def _run(self, node: Described, values: dict[str, Any]) -> Any:
        form = formats.load(node["format"])
        own = {key: self.tensors[node[key]] for key, _, _ in form.tensors(node)}
        inputs = [values[value] for value in node["in"]]
        values[node["name"]] = _TABLES[node["format"]](node, own, *inputs)
        return values[node["name"]]


def _scale(entry: Described) -> Scale:
    return Scale(float(np.float32(entry["scale"])), entry["zero_point"])

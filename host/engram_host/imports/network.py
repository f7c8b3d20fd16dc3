"""A network of another framework in the terms of engram.nn.ops, with the numbers of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError
from engram.nn.names import INPUT
from engram_host.convert.quantize import Scale

Shape = tuple[int, ...]

# A hundred times what a board holds; a file may claim more than this computer holds.
MOST_LAYERS = 1000
MOST_VALUES = 1 << 22  # of one sample, behind one layer
MOST_WEIGHTS = 1 << 24


class Parameter(NamedTuple):
    """Weights or a bias. scales: of integers, one or one per output channel; None: float32."""

    values: NDArray[Any]
    scales: NDArray[np.float32] | None = None

    def real(self, channel_axis: int) -> NDArray[np.float32]:
        """The real numbers, float32. channel_axis: of the output channels."""
        values = self.values.astype(np.float32)
        if self.scales is None:
            return values
        shape = [1] * values.ndim
        shape[channel_axis] = -1
        return (values * self.scales.reshape(shape)).astype(np.float32)


def check_values(shape: Shape) -> None:
    """Raises ModelError unless a value of this shape has a size that can be."""
    if any(n < 1 for n in shape) or prod(shape) > MOST_VALUES:
        raise ModelError(
            f"expected at most {MOST_VALUES} numbers per sample behind a layer, got {list(shape)}"
        )


def check_weights(count: int) -> None:
    """Raises ModelError unless so many weights can be; a file may name the same ones often."""
    if count > MOST_WEIGHTS:
        raise ModelError(f"expected at most {MOST_WEIGHTS} weights, got {count} and maybe more")


@dataclass(frozen=True)
class Layer:
    """A node of engram.nn.ops, with the activation that its framework has fused into it.

    inputs: names of values. shapes: those of the inputs, out: of the output, without the batch.
    tensors: weights, then bias, in the order of dimensions of engram.nn.ops. activation: an op
    without weights behind this one, "" for none. source: its name in its framework. reason: why it
    does not run on a board, "" where it does.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    out: Shape
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Parameter] = field(default_factory=dict)
    activation: str = ""
    source: str = ""
    reason: str = ""

    @property
    def weights(self) -> int:
        """How many numbers its tensors hold."""
        return sum(tensor.values.size for tensor in self.tensors.values())


@dataclass(frozen=True)
class Network:
    """A whole network.

    layers: in an order in which each follows its inputs; "input" is the input of the network.
    scales: {value: its int8 quantization}, of a network of integers; empty in one of float32.
    outputs: names of values. source: the int8 quantization of the input where a network of float32
    takes integers, else None. takes: the dtype of its input. output_names: those of the outputs in
    its framework. are_chosen: whether a user chose them.
    """

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    scales: Mapping[str, Scale]
    outputs: tuple[str, ...]
    source: Scale | None = None
    takes: str = "float32"
    output_names: tuple[str, ...] = ()
    are_chosen: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether its arithmetic is that of int8."""
        return bool(self.scales)

    @property
    def input_scale(self) -> Scale | None:
        """The int8 quantization of the input; None where samples have to tell it."""
        return self.scales[INPUT] if self.is_integer else self.source

    def check_size(self) -> None:
        """Raises ModelError unless boards, and this computer, have room for such a network."""
        if len(self.layers) > MOST_LAYERS:
            raise ModelError(f"expected at most {MOST_LAYERS} layers, got {len(self.layers)}")
        for shape in (self.input_shape, *(layer.out for layer in self.layers)):
            check_values(shape)

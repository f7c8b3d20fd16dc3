"""A .tflite file as a Network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engram.errors import ModelError
from engram.nn.names import INPUT
from engram_host.convert.quantize import Scale

from . import floats, kinds
from .network import Layer, Network
from .parts import parts
from .tflite_file import Operator, Tensor, TfliteFile
from .tflite_ops import layer

_CASTS = ("QUANTIZE", "DEQUANTIZE")


def network(file: TfliteFile, name: str) -> Network:
    """The network of a file. name: of the model. Raises ModelError where it is none of one input.

    An operator that boards do not run becomes a layer with a reason: what is above it may do.
    """
    if len(file.inputs) != 1:
        raise ModelError(f"expected a network of one input, got {len(file.inputs)}")
    first = file.tensors[file.inputs[0]]
    if len(first.shape) < 2 or first.shape[0] != 1:
        raise ModelError(
            f"expected an input with a batch of 1 before its shape, got {first.shape}"
        )
    if first.dtype not in ("int8", "float32"):
        raise ModelError(
            f"expected an input of int8 or float32, got {first.dtype}; convert the model with "
            "inference_input_type int8"
        )
    values = {file.inputs[0]: INPUT}
    layers: list[Layer] = []
    scales: dict[str, Scale] = {}
    _note_scale(scales, INPUT, first)
    for i, operator in enumerate(file.operators):
        inputs = [number for number in operator.inputs if number in values]
        if _is_end(operator, file.tensors):  # float32 outside, int8 inside
            values[operator.outputs[0]] = values[inputs[0]]
            if values[inputs[0]] == INPUT:
                _note_scale(scales, INPUT, file.tensors[operator.outputs[0]])
            continue
        made = layer(operator, file.tensors, [values[number] for number in inputs])
        own = parts(made, f"{made.op}_{i}")
        layers += own
        for number in operator.outputs:
            values[number] = own[-1].name
            _note_scale(scales, own[-1].name, file.tensors[number])
        for part in own[:-1]:
            _note_scale(scales, part.name, file.tensors[operator.outputs[0]])
    net = Network(
        name=name,
        input_shape=_shape(first.shape[1:]),
        layers=tuple(layers),
        scales=scales,
        outputs=tuple(values[number] for number in file.outputs),
    )
    if not net.is_integer:
        return replace(net, layers=floats.checked(net.layers))
    return replace(net, layers=tuple(_checked(part, net) for part in net.layers))


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """[H, W, C] or [N] of the shape of a sample; signals get a height of 1."""
    return (1, *shape) if len(shape) == 2 else shape


def _note_scale(scales: dict[str, Scale], name: str, tensor: Tensor) -> None:
    if tensor.dtype == "int8" and len(tensor.scales) == 1:
        scales[name] = Scale(float(tensor.scales[0]), int(tensor.zero_points[0]))


def _is_end(operator: Operator, tensors: Sequence[Tensor]) -> bool:
    """Whether an operator only changes between float32 and int8."""
    dtypes = {tensors[i].dtype for i in (*operator.inputs, *operator.outputs)}
    return operator.op in _CASTS and dtypes == {"int8", "float32"}


def _checked(part: Layer, net: Network) -> Layer:
    """A layer of int8, with a reason where its numbers fit none of the kernels."""
    values = (*part.inputs, part.name)
    integers = [value in net.scales for value in values]
    reason = part.reason
    if not all(integers):
        reason = reason or "expected int8 throughout, with one scale per value; got other numbers"
    elif part.op in kinds.ONE_SCALE and len({net.scales[v] for v in values}) > 1:
        reason = reason or "expected one scale and zero point of inputs and output, got several"
    elif part.tensors and next(iter(part.tensors.values())).scales is None:
        reason = reason or "expected int8 weights with scales, got float32"
    return replace(part, reason=reason)

"""A .tflite file as a Network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engram.errors import ModelError
from engram.nn.names import INPUT
from engram_host.convert.quantize import Scale

from . import floats, kinds, tflite_casts
from .network import Layer, Network, check_weights
from .parts import parts
from .tflite_file import Operator, Tensor, TfliteFile
from .tflite_ops import layer

_INPUTS = ("int8", "uint8", "float32")


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
    if first.dtype not in _INPUTS:
        raise ModelError(
            f"expected an input of {', '.join(_INPUTS)}, got {first.dtype}; convert the model "
            "with inference_input_type int8"
        )
    tensors = tflite_casts.constants(file.operators, file.tensors)
    _check_inside(file, tensors)
    values = {file.inputs[0]: INPUT}
    layers: list[Layer] = []
    weights = 0
    scales: dict[str, Scale] = {}
    _note_scale(scales, INPUT, tflite_casts.scale_of(first))
    for i, operator in enumerate(file.operators):
        inputs = [number for number in operator.inputs if number in values]
        if not inputs:  # of constants alone
            continue
        source = values[inputs[0]]
        if _is_end(operator, tensors, source, scales):
            values[operator.outputs[0]] = source
            if source == INPUT:
                _note_scale(scales, INPUT, tflite_casts.scale_behind(operator, tensors))
            continue
        made_of = tensors[operator.outputs[0]]
        made = layer(operator, tensors, [values[number] for number in inputs])
        weights += made.weights
        check_weights(weights)
        own = parts(made, f"{made.op}_{i}")
        layers += own
        for number in operator.outputs:
            values[number] = own[-1].name
            _note_scale(scales, own[-1].name, tflite_casts.scale_of(tensors[number]))
        for part in own[:-1]:
            _note_scale(scales, part.name, tflite_casts.scale_of(made_of))
    fixed = [tensors[number].name for number in file.outputs if number not in values]
    if fixed or not file.outputs:
        raise ModelError(f"expected outputs that samples make, got {', '.join(fixed) or 'none'}")
    is_integer = any(part.name in scales for part in layers)
    if is_integer and INPUT not in scales:
        raise ModelError(f"expected one scale of the input {first.name}, got {len(first.scales)}")
    net = Network(
        name=name,
        input_shape=_shape(first.shape[1:]),
        layers=tuple(layers),
        scales=scales if is_integer else {},
        outputs=tuple(values[number] for number in file.outputs),
        output_names=tuple(tensors[number].name for number in file.outputs),
        source=None if is_integer else scales.get(INPUT),
        takes=first.dtype,
    )
    if not net.is_integer:
        return replace(net, layers=floats.checked(net.layers))
    return replace(net, layers=tuple(_checked(part, net) for part in net.layers))


def _check_inside(file: TfliteFile, tensors: Sequence[Tensor]) -> None:
    """Raises ModelError on values of uint8 that are computed with: bytes are for the ends."""
    for operator in file.operators:
        bytes_of = [
            tensors[number].name
            for number in (*operator.inputs, *operator.outputs)
            if number >= 0 and tensors[number].dtype == "uint8"
        ]
        if bytes_of and not tflite_casts.is_cast(operator, tensors):
            raise ModelError(
                f"expected uint8 at the ends of the network alone, got {operator.op} with "
                f"{bytes_of[0]} of uint8, the quantization of TensorFlow 1; convert the float "
                "model anew with TFLITE_BUILTINS_INT8 (inference_input_type may be uint8)"
            )


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """[H, W, C] or [N] of the shape of a sample; signals get a height of 1."""
    return (1, *shape) if len(shape) == 2 else shape


def _note_scale(scales: dict[str, Scale], name: str, scale: Scale | None) -> None:
    if scale is not None:
        scales[name] = scale


def _is_end(
    operator: Operator, tensors: Sequence[Tensor], source: str, scales: dict[str, Scale]
) -> bool:
    """Whether an operator only changes how the value of the layer `source` is written: float32
    outside, int8 inside. One that rounds it to other steps is a layer."""
    if not tflite_casts.is_cast(operator, tensors):
        return False
    if operator.op == "CAST" and source != INPUT:
        return False
    before, after = scales.get(source), tflite_casts.scale_behind(operator, tensors)
    return before is None or after is None or before == after


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

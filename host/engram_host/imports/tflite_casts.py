"""Operators of a .tflite file that only change how a value is written: as float32, int8 or uint8.

A byte u is the int8 value u - 128 with a zero point that is 128 less, so a uint8 end of a network
costs nothing on a board.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError
from engram_host.convert.quantize import Scale

from .tflite_file import Operator, Tensor

_CASTS = ("QUANTIZE", "DEQUANTIZE", "CAST")
_INTEGERS = {"int8": 0, "uint8": 128}  # what is taken from a number to have it as int8
_WHOLE = "float32"


def scale_of(tensor: Tensor) -> Scale | None:
    """The quantization of a tensor of integers, as int8; None where it has none, or several."""
    if tensor.dtype not in _INTEGERS or len(tensor.scales) != 1:
        return None
    return Scale(float(tensor.scales[0]), int(tensor.zero_points[0]) - _INTEGERS[tensor.dtype])


def scale_behind(operator: Operator, tensors: Sequence[Tensor]) -> Scale | None:
    """The quantization that an operator of is_cast() gives a value; None where it gives none. A
    CAST takes integers for the numbers that they are."""
    if operator.op == "CAST":
        return Scale(1.0, -_INTEGERS[tensors[operator.inputs[0]].dtype])
    return scale_of(tensors[operator.outputs[0]])


def is_cast(operator: Operator, tensors: Sequence[Tensor]) -> bool:
    """Whether an operator has one input and only changes how it is written."""
    if operator.op not in _CASTS or len(operator.inputs) != 1 or len(operator.outputs) != 1:
        return False
    ends = [tensors[number] for number in (*operator.inputs, *operator.outputs)]
    if any(tensor.dtype not in (*_INTEGERS, _WHOLE) for tensor in ends):
        return False
    whole = [tensor.dtype == _WHOLE for tensor in ends]
    if operator.op == "CAST":
        return whole == [False, True]
    return whole != [True, True]


def constants(operators: Sequence[Operator], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors with those that a DEQUANTIZE makes of constants, as weights of float16 come."""
    known = list(tensors)
    for operator in operators:
        if operator.op != "DEQUANTIZE" or len(operator.inputs) != 1 or operator.inputs[0] < 0:
            continue
        source, number = known[operator.inputs[0]], operator.outputs[0]
        if source.data is None:
            continue
        if source.shape != known[number].shape or known[number].dtype != _WHOLE:
            raise ModelError(
                f"expected {source.name} in float32, got {known[number].dtype} of "
                f"{known[number].shape}"
            )
        known[number] = known[number]._replace(data=_real(source))
    return known


def _real(tensor: Tensor) -> NDArray[np.float32]:
    """The real numbers of a constant, float32."""
    assert tensor.data is not None
    if not len(tensor.scales):
        return tensor.data.astype(np.float32)
    shape = [1] * tensor.data.ndim
    if len(tensor.scales) > 1:
        shape[tensor.axis] = -1
    whole = tensor.data.astype(np.int64) - tensor.zero_points.reshape(shape)
    real: NDArray[np.float32] = (whole * tensor.scales.reshape(shape)).astype(np.float32)
    return real

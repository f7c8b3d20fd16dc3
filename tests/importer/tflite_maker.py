"""Writes small .tflite files: tensors and operators as plain values."""

from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import tflite

TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "int8": tflite.TensorType.INT8,
    "int32": tflite.TensorType.INT32,
    "uint8": tflite.TensorType.UINT8,
    "float16": tflite.TensorType.FLOAT16,
}


class Made(NamedTuple):
    """A tensor. scales, zero_points, axis: of its quantization."""

    name: str
    dtype: str
    shape: tuple
    scales: Any = ()
    zero_points: Any = ()
    axis: int = 0
    data: Any = None


class Op(NamedTuple):
    """An operator. options: (name of its table, {accessor: value}), None for none."""

    op: str
    inputs: tuple
    outputs: tuple
    options: Any = None
    version: int = 1


def _vector(builder, values, prepend, size, alignment):
    builder.StartVector(size, len(values), alignment)
    for value in reversed(values):
        prepend(value)
    return builder.EndVector()


def _ints(builder, values):
    return _vector(builder, [int(v) for v in values], builder.PrependInt32, 4, 4)


def _tables(builder, offsets):
    return _vector(builder, offsets, builder.PrependUOffsetTRelative, 4, 4)


def _table(builder, name, **fields):
    """A table of the schema; fields by the names of its accessors."""
    getattr(tflite, name + "Start")(builder)
    for field, value in fields.items():
        getattr(tflite, f"{name}Add{field}")(builder, value)
    return getattr(tflite, name + "End")(builder)


def _tensor(builder, tensor, buffer):
    quantization = None
    if len(tensor.scales):
        scale = _vector(builder, [float(s) for s in tensor.scales], builder.PrependFloat32, 4, 4)
        points = [int(z) for z in tensor.zero_points]
        zero_point = _vector(builder, points, builder.PrependInt64, 8, 8)
        quantization = _table(
            builder, "QuantizationParameters",
            Scale=scale, ZeroPoint=zero_point, QuantizedDimension=tensor.axis,
        )  # fmt: skip
    name, shape = builder.CreateString(tensor.name), _ints(builder, tensor.shape)
    fields = {"Shape": shape, "Type": TYPES[tensor.dtype], "Buffer": buffer, "Name": name}
    if quantization is not None:
        fields["Quantization"] = quantization
    return _table(builder, "Tensor", **fields)


def _operator(builder, op, codes):
    inputs, outputs = _ints(builder, op.inputs), _ints(builder, op.outputs)
    fields = {"OpcodeIndex": codes.index((op.op, op.version)), "Inputs": inputs}
    fields["Outputs"] = outputs
    if op.options is not None:
        name, values = op.options
        vectors = {k: _ints(builder, v) if isinstance(v, list) else v for k, v in values.items()}
        fields["BuiltinOptions"] = _table(builder, name, **vectors)
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, name)
    return _table(builder, "Operator", **fields)


def make(tensors, operators, inputs, outputs):
    """The bytes of a .tflite file. tensors: [Made]; inputs, outputs: their numbers."""
    builder = flatbuffers.Builder(1024)
    codes = sorted({(op.op, op.version) for op in operators})
    buffers, numbers = [_table(builder, "Buffer")], []
    for tensor in tensors:
        numbers.append(0)
        if tensor.data is not None:
            numbers[-1] = len(buffers)
            content = np.ascontiguousarray(tensor.data, tensor.dtype).tobytes()
            builder.StartVector(1, len(content), 16)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            buffers.append(_table(builder, "Buffer", Data=builder.EndVector()))
    made = [_tensor(builder, *pair) for pair in zip(tensors, numbers)]
    nodes = [_operator(builder, op, codes) for op in operators]
    parts = {
        "Tensors": _tables(builder, made),
        "Inputs": _ints(builder, inputs),
        "Outputs": _ints(builder, outputs),
        "Operators": _tables(builder, nodes),
    }
    graphs = _tables(builder, [_table(builder, "SubGraph", **parts)])
    kinds = [
        _table(
            builder, "OperatorCode",
            BuiltinCode=getattr(tflite.BuiltinOperator, op),
            DeprecatedBuiltinCode=min(getattr(tflite.BuiltinOperator, op), 127),
            Version=version,
        )
        for op, version in codes
    ]  # fmt: skip
    model = _table(
        builder, "Model",
        Version=3,
        OperatorCodes=_tables(builder, kinds),
        Subgraphs=graphs,
        Buffers=_tables(builder, buffers),
    )  # fmt: skip
    builder.Finish(model, b"TFL3")
    return bytes(builder.Output())

"""Reads a .tflite file: its tensors and operators as plain values, everything checked.

The format is TensorFlow Lite's schema (FlatBuffers); PyPI's tflite has its accessors. A file that
is cut off or altered gives a ModelError: every number is checked before something is looked up or
made with it, so that no file takes more memory than its own size.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

from engram.errors import ModelError

IDENTIFIER = b"TFL3"
MOST_BYTES = 64 << 20  # a hundred times the flash of a board
MOST_PARTS = 20_000  # tensors, buffers
MOST_OPERATORS = 2000
_TENSOR_DIMENSIONS = 6
_LEAST = {"int8": -128, "uint8": 0}  # zero points

DTYPES: Mapping[int, type[np.generic]] = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.UINT8: np.uint8,
    tflite.TensorType.INT64: np.int64,
    tflite.TensorType.INT16: np.int16,
    tflite.TensorType.INT8: np.int8,
    tflite.TensorType.BOOL: np.bool_,
}
ACTIVATIONS = {
    tflite.ActivationFunctionType.NONE: "",
    tflite.ActivationFunctionType.RELU: "relu",
    tflite.ActivationFunctionType.RELU_N1_TO_1: "relu_n1_to_1",
    tflite.ActivationFunctionType.RELU6: "relu6",
}
_OPS = {
    number: name for name, number in vars(tflite.BuiltinOperator).items() if name.isupper()
}


class Tensor(NamedTuple):
    """A tensor of the file.

    shape: as it is there, the batch first. scales, zero_points: of its quantization, one or one
    per entry of axis; empty where it has none. data: of a constant, else None.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int
    data: NDArray[Any] | None


class Operator(NamedTuple):
    """A node of the file. inputs, outputs: numbers of tensors; -1 is one that is left out.
    options: by the names of the schema, lower case with underscores."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


class TfliteFile(NamedTuple):
    """A file: its one graph."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def load(path: Path) -> TfliteFile:
    """Reads a .tflite file. Raises ModelError, naming the file and the fault."""
    if not path.is_file():
        raise ModelError(f"expected a .tflite file, got no file {path}")
    if path.stat().st_size > MOST_BYTES:
        raise ModelError(
            f"{path}: expected at most {MOST_BYTES >> 20} MiB, got {path.stat().st_size >> 20}; "
            "no board of ours holds such a model"
        )
    try:
        return parse(path.read_bytes())
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def parse(content: bytes) -> TfliteFile:
    """Reads the bytes of a .tflite file. Raises ModelError."""
    if content[4:8] != IDENTIFIER:
        raise ModelError(
            f"expected a .tflite file, with {IDENTIFIER.decode()} in its bytes 4 to 7, "
            f"got {content[4:8]!r}"
        )
    with _damage():
        return _model(content)


@contextmanager
def _damage() -> Iterator[None]:
    """The errors of FlatBuffers' accessors, which check little, as one of ours."""
    try:
        yield
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError) as e:
        raise ModelError(
            f"expected a whole .tflite file, got one that is cut off or damaged ({e})"
        ) from e


def _model(content: bytes) -> TfliteFile:
    model = tflite.Model.GetRootAs(content, 0)
    if model.SubgraphsLength() != 1:
        raise ModelError(
            f"expected one graph, got {model.SubgraphsLength()}; control flow (IF, WHILE) and "
            "state are not supported"
        )
    graph = model.Subgraphs(0)
    buffers = _counted("buffers", model.BuffersLength)
    count = _counted("operators", graph.OperatorsLength, MOST_OPERATORS)
    codes = [
        _op(model.OperatorCodes(i)) for i in range(_counted("op codes", model.OperatorCodesLength))
    ]
    tensors = tuple(
        _tensor(graph.Tensors(i), i, model, buffers, len(content))
        for i in range(_counted("tensors", graph.TensorsLength))
    )
    operators = tuple(
        _operator(graph.Operators(i), i, codes, len(tensors))
        for i in range(count)
    )
    inputs = _numbers("inputs", graph.InputsAsNumpy, graph.InputsLength, len(tensors))
    outputs = _numbers("outputs", graph.OutputsAsNumpy, graph.OutputsLength, len(tensors))
    file = TfliteFile(tensors, operators, inputs, outputs)
    _check_order(file)
    return file


# ---- parts ------------------------------------------------------------------------------------


def _counted(what: str, length: Callable[[], int], most: int = MOST_PARTS) -> int:
    n = length()
    if not 0 <= n <= most:
        raise ModelError(f"expected at most {most} {what}, got {n}")
    return n


def _op(code: Any) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return f"CUSTOM {(code.CustomCode() or b'').decode('utf-8', 'replace')}"
    return _OPS.get(number, f"operator {number}")


def _vector(read: Callable[[], Any], length: Callable[[], int], dtype: type) -> NDArray[Any]:
    return np.array(read() if length() else (), dtype)


def _numbers(
    what: str, read: Callable[[], Any], length: Callable[[], int], tensors: int
) -> tuple[int, ...]:
    """Numbers of tensors."""
    numbers = tuple(_vector(read, length, np.int64).tolist())
    if any(not -1 <= number < tensors for number in numbers):
        raise ModelError(f"expected {what} among {tensors} tensors, got {numbers}")
    return numbers


def _tensor(raw: Any, i: int, model: Any, buffers: int, size: int) -> Tensor:
    name = (raw.Name() or b"").decode("utf-8", "replace") or f"tensor {i}"
    if raw.Type() not in DTYPES:
        raise ModelError(f"tensor {name}: expected numbers, got type {raw.Type()} of the schema")
    if raw.IsVariable() or raw.Sparsity() is not None:
        kind = "a state between calls" if raw.IsVariable() else "a sparse tensor"
        raise ModelError(f"tensor {name}: expected plain values, got {kind}")
    dtype = np.dtype(DTYPES[raw.Type()])
    shape = tuple(_vector(raw.ShapeAsNumpy, raw.ShapeLength, np.int64).tolist())
    if len(shape) > _TENSOR_DIMENSIONS or any(not 0 < n < 1 << 24 for n in shape):
        raise ModelError(f"tensor {name}: expected a shape of positive sizes, got {shape}")
    if raw.Buffer() >= buffers:
        raise ModelError(f"tensor {name}: expected one of {buffers} buffers, got {raw.Buffer()}")
    scales, zero_points, axis = _quantization(raw, name, dtype, shape)
    data = _data(model.Buffers(raw.Buffer()), name, dtype, shape, size)
    return Tensor(name, dtype.name, shape, scales, zero_points, axis, data)


def _quantization(
    raw: Any, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    quantization = raw.Quantization()
    if quantization is None or not quantization.ScaleLength():
        return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    scales = _vector(quantization.ScaleAsNumpy, quantization.ScaleLength, np.float32)
    points = _vector(quantization.ZeroPointAsNumpy, quantization.ZeroPointLength, np.int64)
    axis = quantization.QuantizedDimension()
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise ModelError(f"tensor {name}: expected scales above 0, got {scales.min():g}")
    if len(points) not in (1, len(scales)):
        raise ModelError(
            f"tensor {name}: expected {len(scales)} zero points, one per scale, got {len(points)}"
        )
    least = _LEAST.get(dtype.name)
    if least is not None and not ((points >= least) & (points <= least + 255)).all():
        raise ModelError(f"tensor {name}: expected zero points of {dtype.name}, got {points[0]}")
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise ModelError(
            f"tensor {name}: expected a scale per entry of an axis of {shape}, got {len(scales)} "
            f"along axis {axis}"
        )
    return scales, np.resize(points, len(scales)), axis


def _data(
    buffer: Any, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], size: int
) -> NDArray[Any] | None:
    if buffer.Offset() or buffer.Size():
        raise ModelError(f"tensor {name}: expected its data in the graph, got data behind it")
    n = buffer.DataLength()
    if not n:
        return None
    if n != math.prod(shape) * dtype.itemsize or n > size:
        raise ModelError(
            f"tensor {name}: expected {math.prod(shape) * dtype.itemsize} bytes for "
            f"{dtype.name} {shape}, got {n}"
        )
    data: NDArray[Any] = buffer.DataAsNumpy().view(dtype.newbyteorder("<")).reshape(shape)
    if dtype.kind == "f" and not np.isfinite(data).all():
        raise ModelError(f"tensor {name}: expected finite values, got NaN or infinite ones")
    return data


def _operator(raw: Any, i: int, codes: list[str], tensors: int) -> Operator:
    if raw.OpcodeIndex() >= len(codes):
        raise ModelError(
            f"operator {i}: expected one of {len(codes)} op codes, got {raw.OpcodeIndex()}"
        )
    op = codes[raw.OpcodeIndex()]
    inputs = _numbers(f"inputs of operator {i}", raw.InputsAsNumpy, raw.InputsLength, tensors)
    outputs = _numbers(f"outputs of operator {i}", raw.OutputsAsNumpy, raw.OutputsLength, tensors)
    if not outputs or min(outputs) < 0:
        raise ModelError(f"operator {i} ({op}): expected outputs, got {outputs}")
    return Operator(op, inputs, outputs, _options(raw, i))


def _options(raw: Any, i: int) -> dict[str, Any]:
    """The options of an operator, all of them, by the accessors of their table."""
    if raw.CustomOptionsLength() or raw.BuiltinOptions2Type():
        raise ModelError(f"operator {i}: expected options of the schema, got custom or newer ones")
    if not raw.BuiltinOptionsType() or raw.BuiltinOptions() is None:
        return {}
    kinds = {number: name for name, number in vars(tflite.BuiltinOptions).items()}
    if raw.BuiltinOptionsType() not in kinds:
        raise ModelError(
            f"operator {i}: expected options of the schema, got type {raw.BuiltinOptionsType()}"
        )
    table = getattr(tflite, kinds[raw.BuiltinOptionsType()])()
    union = raw.BuiltinOptions()
    table.Init(union.Bytes, union.Pos)
    return {
        _snake(name): getattr(table, name)()
        for name, accessor in vars(type(table)).items()
        if name[0].isupper() and _takes_self_alone(accessor) and _is_scalar(name)
    }


def _takes_self_alone(accessor: Any) -> bool:
    code = getattr(accessor, "__code__", None)
    return code is not None and code.co_argcount == 1


def _is_scalar(name: str) -> bool:
    return not name.endswith(("AsNumpy", "Length", "IsNone"))


def _snake(name: str) -> str:
    """stride_h of StrideH"""
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def _check_order(file: TfliteFile) -> None:
    """Each value is made once, before it is read: no cycles."""
    known = {-1, *file.inputs}
    known.update(i for i, tensor in enumerate(file.tensors) if tensor.data is not None)
    for i, operator in enumerate(file.operators):
        for number in operator.inputs:
            if number not in known:
                raise ModelError(
                    f"operator {i} ({operator.op}) reads {file.tensors[number].name}, which no "
                    "operator before it makes"
                )
        for number in operator.outputs:
            if number in known:
                raise ModelError(
                    f"operator {i} ({operator.op}) makes {file.tensors[number].name} again"
                )
            known.add(number)
    missing = [file.tensors[number].name for number in file.outputs if number not in known]
    if missing:
        raise ModelError(f"expected outputs that an operator makes, got {', '.join(missing)}")

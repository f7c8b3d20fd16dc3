"""Reads an .onnx file: its nodes and constants as plain values, everything checked.

PyPI's onnx parses it and works out shapes; it is an extra: pip install engram[onnx].
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError

MOST_BYTES = 256 << 20
LEAST_OPSET = 13
_MOST_NODES = 5000


class Node(NamedTuple):
    """A node. inputs, outputs: names of values, "" for one that is left out."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class OnnxFile(NamedTuple):
    """A file: its one graph. constants: by name. shapes: of values, as far as they are known; a
    dimension of another value is 0."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: Mapping[str, tuple[int, ...]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def load(path: Path) -> OnnxFile:
    """Reads an .onnx file. Raises ModelError, naming the file and the fault."""
    if not path.is_file():
        raise ModelError(f"expected an .onnx file, got no file {path}")
    if path.stat().st_size > MOST_BYTES:
        raise ModelError(
            f"{path}: expected at most {MOST_BYTES >> 20} MiB, got {path.stat().st_size >> 20}; "
            "no board of ours holds such a model"
        )
    try:
        return parse(path.read_bytes())
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def parse(content: bytes) -> OnnxFile:
    """Reads the bytes of an .onnx file. Raises ModelError."""
    try:
        import onnx
    except ImportError as error:
        raise ModelError(
            "expected PyPI's onnx, which reads such files, got no such package; "
            "pip install 'engram[onnx]'"
        ) from error
    try:
        return _read(content, onnx)
    except ModelError:
        raise
    except Exception as error:  # of protobuf, of onnx and of its C++, which have no common type
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"expected a whole .onnx file, got one with a fault: {reason}") from error


def _read(content: bytes, onnx: Any) -> OnnxFile:
    model = onnx.load_model_from_string(content)
    if len(model.graph.node) > _MOST_NODES:
        raise ModelError(f"expected at most {_MOST_NODES} nodes, got {len(model.graph.node)}")
    onnx.checker.check_model(model)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < LEAST_OPSET:
        raise ModelError(
            f"expected operators of version {LEAST_OPSET} or later (opset), got {opset}; export "
            "the model anew"
        )
    return _graph(model.graph, onnx)


def _graph(graph: Any, onnx: Any) -> OnnxFile:
    constants: dict[str, NDArray[Any]] = {}
    for tensor in graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(f"expected {tensor.name} in the file, got it in another one")
        constants[tensor.name] = onnx.numpy_helper.to_array(tensor)
    nodes = []
    for i, node in enumerate(graph.node):
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            constants[node.output[0]] = onnx.numpy_helper.to_array(attributes["value"])
            continue
        name = node.name or f"node {i}"
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
        op = f"{domain}{node.op_type}"
        nodes.append(Node(op, name, tuple(node.input), tuple(node.output), attributes))
    for name, array in constants.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"constant {name}: expected finite values, got NaN or infinite ones")
    values = (*graph.input, *graph.value_info, *graph.output)
    return OnnxFile(
        nodes=tuple(nodes),
        constants=constants,
        shapes={value.name: _shape(value) for value in values},
        inputs=tuple(value.name for value in graph.input if value.name not in constants),
        outputs=tuple(value.name for value in graph.output),
    )


def _shape(value: Any) -> tuple[int, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else 0 for dim in dims)

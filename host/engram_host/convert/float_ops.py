"""Every op of the device library's table in float32 numpy: of calibration, and of the reference.

A function takes (node, tensors, inputs...): node with its attributes and the shape `out`, tensors
by their key in the table of ops, inputs (n, *shape). It returns (n, *out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .quantize import Scale
from .windows import node_windows, scattered

if TYPE_CHECKING:
    from .graph import Node

F32 = NDArray[np.float32]
Described = Mapping[str, Any]
Tensors = Mapping[str, NDArray[Any]]


def apply(node: Described, tensors: Tensors, *inputs: NDArray[Any]) -> F32:
    """One node in float32."""
    return FLOAT[node["op"]](node, tensors, *inputs).astype(np.float32)


def run(nodes: Iterable[Node], values: dict[str, F32]) -> None:
    """Adds the value of each node to values, which has those that the first nodes read."""
    for node in nodes:
        inputs = [values[value] for value in node.inputs]
        values[node.name] = apply(node.described(), node.tensors, *inputs)


def _conv2d(node: Described, tensors: Tensors, x: F32) -> F32:
    view = node_windows(node, x)
    out: F32 = np.einsum("nhwrsc,krsc->nhwk", view, tensors["w"], optimize=True)
    return out + tensors["b"]


def _depthwise(node: Described, tensors: Tensors, x: F32) -> F32:
    out: F32 = np.einsum("nhwrsc,rsc->nhwc", node_windows(node, x), tensors["w"], optimize=True)
    return out + tensors["b"]


def _conv2d_t(node: Described, tensors: Tensors, x: F32) -> F32:
    return scattered(node, x, tensors["w"]) + tensors["b"]


def _dense(node: Described, tensors: Tensors, x: F32) -> F32:
    out: F32 = x.reshape(len(x), -1) @ tensors["w"].T + tensors["b"]
    return out


def _maxpool(node: Described, tensors: Tensors, x: F32) -> F32:
    out: F32 = node_windows(node, x, fill=-np.inf).max(axis=(3, 4))
    return out


def _avgpool(node: Described, tensors: Tensors, x: F32) -> F32:
    counts: F32 = node_windows(node, np.ones_like(x, np.float32)).sum(axis=(3, 4))
    sums: F32 = node_windows(node, x).sum(axis=(3, 4))
    return sums / counts


def _global_avgpool(node: Described, tensors: Tensors, x: F32) -> F32:
    out: F32 = x.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    return out


def _relu(node: Described, tensors: Tensors, x: F32) -> F32:
    return np.maximum(x, 0)


def _relu6(node: Described, tensors: Tensors, x: F32) -> F32:
    return np.clip(x, 0, 6)


def _leaky_relu(node: Described, tensors: Tensors, x: F32) -> F32:
    return np.where(x > 0, x, np.float32(node["slope"]) * x)


def _hard_swish(node: Described, tensors: Tensors, x: F32) -> F32:
    out: F32 = x * np.clip(x + 3, 0, 6) / np.float32(6)
    return out


def _sigmoid(node: Described, tensors: Tensors, x: F32) -> F32:
    with np.errstate(over="ignore"):  # of less than -88: 1 / infinity is right
        e: F32 = np.exp(-x)
    return np.reciprocal(1 + e)


def _tanh(node: Described, tensors: Tensors, x: F32) -> F32:
    out: F32 = np.tanh(x)
    return out


def _softmax(node: Described, tensors: Tensors, x: F32) -> F32:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    out: F32 = e / e.sum(axis=-1, keepdims=True)
    return out


def _add(node: Described, tensors: Tensors, a: F32, b: F32) -> F32:
    return a + b


def _concat(node: Described, tensors: Tensors, a: F32, b: F32) -> F32:
    return np.concatenate([a, b], axis=-1)


def _same(node: Described, tensors: Tensors, x: F32) -> F32:
    return x


def _sample(node: Described, tensors: Tensors, mean: F32, spread: F32) -> F32:
    """Without noise, as a board answers."""
    return mean


def _scale_shift(node: Described, tensors: Tensors, x: F32) -> F32:
    out: F32 = x * tensors["scale"] + tensors["shift"]
    return out


def _pad(node: Described, tensors: Tensors, x: F32) -> F32:
    top, left, bottom, right = node["pad"]
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


def _reshape(node: Described, tensors: Tensors, x: F32) -> F32:
    return x.reshape(len(x), *node["out"])


def _dequantize(node: Described, tensors: Tensors, x: NDArray[np.int8]) -> F32:
    scale, zero_point = node["qp"]
    return Scale(float(np.float32(scale)), zero_point).dequantize(x)


FLOAT: dict[str, Callable[..., F32]] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "pointwise": _conv2d,
    "depthwise": _depthwise,
    "conv2d_t": _conv2d_t,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "global_avgpool": _global_avgpool,
    "relu": _relu,
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "hard_swish": _hard_swish,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "softmax": _softmax,
    "add": _add,
    "concat": _concat,
    "scale_shift": _scale_shift,
    "sample": _sample,
    "stop": _same,
    "pad": _pad,
    "flatten": _reshape,
    "reshape": _reshape,
    "cast": _dequantize,
}

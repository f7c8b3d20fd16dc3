"""An .onnx file, or the graph of torch_graph, as a Network of float32.

ONNX has channels first, (batch, C, H, W); a board has them last. It is resolved here: weights are
reordered, those of a dense layer behind a flatten by the image that was flattened. Samples for the
board are (H, W, C).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError
from engram.nn.names import INPUT

from . import floats, kinds
from .fuse import fused
from .network import Layer, Network, Parameter, Shape, check_values, check_weights
from .onnx_file import Node, OnnxFile
from .parts import ENLARGE, MOST_FACTOR, parts

# Attributes that repeat a shape, or say how a network is trained.
_WITHOUT_EFFECT = ("kernel_shape", "momentum", "allowzero", "noop_with_empty_axes")
_REAL = (1, 10, 11)  # float32, float16 and float64 as Cast counts dtypes
# Modes of Resize that take the pixel below which one of a whole multiple lies.
_WITHIN = (
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
)
_IDENTITIES = ("Identity", "Dropout", "Cast", "QuantizeLinear", "DequantizeLinear")


class Value(NamedTuple):
    """A value of samples. name: of the layer that makes it. shape: without the batch, channels
    last. image: of a flattened image, its (H, W, C); else None."""

    name: str
    shape: Shape
    image: Shape | None = None


class Attributes(dict[str, Any]):
    """The attributes of a node, to a row; remembers which of them the row has read."""

    def __init__(self, own: Mapping[str, Any]) -> None:
        super().__init__(own)
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        self._read.add(key)
        return super().get(key, default)

    def check_rest(self) -> None:
        """Raises ModelError on attributes that nobody read and that could change the result."""
        rest = {
            name: value
            for name, value in self.items()
            if value and name not in self._read and name not in _WITHOUT_EFFECT
        }
        if rest:
            raise ModelError(f"expected no attribute that is unknown here, got {rest}")


class _Builder:
    """The layers so far, and the value that each name of the file stands for."""

    def __init__(self, file: OnnxFile) -> None:
        self.file = file
        self.layers: list[Layer] = []
        self.values: dict[str, Value] = {}
        self.constants = dict(file.constants)
        self._count = self._weights = 0

    def value(self, node: Node, i: int = 0) -> Value:
        """Input i of a node, which differs from sample to sample. Raises ModelError."""
        name = node.inputs[i] if i < len(node.inputs) else ""
        if name not in self.values:
            raise ModelError(f"expected a value of samples as input {i}, got a constant or none")
        return self.values[name]

    def constant(self, node: Node, i: int) -> NDArray[Any] | None:
        """Input i of a node, the same for all samples; None where it is left out."""
        name = node.inputs[i] if i < len(node.inputs) else ""
        if name and name not in self.constants:
            raise ModelError(f"expected a constant as input {i}, got a value of samples")
        return self.constants[name] if name else None

    def need(self, node: Node, i: int) -> NDArray[Any]:
        """As constant(), and it is there."""
        array = self.constant(node, i)
        if array is None:
            raise ModelError(f"expected a constant as input {i}, got none")
        return array

    def add(
        self,
        node: Node,
        op: str,
        inputs: Sequence[Value],
        out: Shape,
        attributes: Mapping[str, Any] | None = None,
        tensors: Mapping[str, NDArray[Any]] | None = None,
        image: Shape | None = None,
        reason: str = "",
    ) -> None:
        """A layer that makes the first output of a node."""
        check_values(out)
        name = f"{op}_{self._count}"
        self._count += 1
        own = {
            key: Parameter(np.ascontiguousarray(array, np.float32))
            for key, array in (tensors or {}).items()
        }
        layer = Layer(
            name=name,
            op=op,
            inputs=tuple(value.name for value in inputs),
            shapes=tuple(value.shape for value in inputs),
            out=out,
            attributes=attributes or {},
            tensors=own,
            source=node.name,
            reason=reason,
        )
        self._weights += layer.weights
        check_weights(self._weights)
        self.layers += parts(layer, name)
        for output in node.outputs[:1]:
            self.values[output] = Value(name, out, image)


def network(file: OnnxFile, name: str) -> Network:
    """The network of a file. name: of the model. Raises ModelError where inputs are several."""
    if len(file.inputs) != 1:
        raise ModelError(f"expected a network of one input, got {len(file.inputs)}")
    shape = file.shapes[file.inputs[0]]
    if len(shape) < 2 or len(shape) > 4 or any(n < 1 for n in shape[1:]):
        raise ModelError(
            f"expected an input of (batch, C, H, W) or (batch, N) with known sizes, got {shape}"
        )
    builder = _Builder(file)
    source = _last(shape[1:])
    check_values(source)
    builder.values[file.inputs[0]] = Value(INPUT, source)
    for node in file.nodes:
        _take(builder, node)
    unknown = [output for output in file.outputs if output not in builder.values]
    if unknown or not file.outputs:
        raise ModelError(
            f"expected outputs that samples make, got {', '.join(map(str, unknown)) or 'none'}"
        )
    layers, outputs = fused(
        builder.layers, [builder.values[output].name for output in file.outputs]
    )
    return Network(
        name, source, floats.checked(layers), {}, tuple(outputs), output_names=file.outputs
    )


def _last(shape: Shape) -> Shape:
    """(C, H, W) with channels last; signals (C, L) as images of a height of 1."""
    if len(shape) == 1:
        return shape
    c, *rest = shape
    return (*([1, *rest] if len(rest) == 1 else rest), c)


def _take(builder: _Builder, node: Node) -> None:
    """A node: folded into constants or layers, or a layer of its own, with a reason where no
    board runs it."""
    inputs = [name for name in node.inputs if name]
    if node.op in _IDENTITIES and inputs[0] in builder.values and _changes_nothing(node):
        for output in node.outputs[:1]:
            builder.values[output] = builder.values[inputs[0]]
        return
    if not any(name in builder.values for name in inputs):
        _fold(builder, node)
        return
    before = len(builder.layers)
    try:
        if node.op not in ROWS:
            raise ModelError(node.attributes.get("reason", f"no kernel for {node.op}"))
        attributes = Attributes(node.attributes)
        ROWS[node.op](builder, node._replace(attributes=attributes))
        attributes.check_rest()
    except ModelError as error:
        del builder.layers[before:]
        sources = [builder.values[name] for name in inputs if name in builder.values]
        shape = builder.file.shapes.get(node.outputs[0], ())
        known = len(shape) > 1 and min(shape[1:]) > 0
        out = _last(shape[1:]) if known else sources[0].shape
        name = node.attributes.get("op", node.op).lower()
        builder.add(node, name, sources, out, reason=str(error))


def _changes_nothing(node: Node) -> bool:
    return node.op != "Cast" or node.attributes.get("to") in _REAL


def _fold(builder: _Builder, node: Node) -> None:
    """A node of constants alone, computed."""
    arrays = [builder.constants[name] for name in node.inputs if name in builder.constants]
    if node.op in ("Identity", "Cast") and arrays:
        builder.constants[node.outputs[0]] = arrays[0]
    elif node.op == "DequantizeLinear" and len(arrays) >= 2:
        builder.constants[node.outputs[0]] = _dequantized(node, *arrays)
    elif node.op in ("Reshape",) and len(arrays) == 2:
        builder.constants[node.outputs[0]] = arrays[0].reshape(arrays[1].astype(int))
    elif node.op == "Transpose" and arrays:
        builder.constants[node.outputs[0]] = arrays[0].transpose(node.attributes.get("perm"))
    else:
        raise ModelError(f"{node.name}: expected values of samples, got {node.op} of constants")


def _dequantized(
    node: Node, x: NDArray[Any], scale: NDArray[Any], zero_point: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    axis = node.attributes.get("axis", 1) % x.ndim if scale.ndim else 0
    shape = [-1 if i == axis else 1 for i in range(x.ndim)] if scale.ndim else []
    zero = 0 if zero_point is None else zero_point.astype(np.int32).reshape(shape)
    real: NDArray[np.float32] = ((x.astype(np.int32) - zero) * scale.reshape(shape)).astype("f4")
    return real


# ---- windows ----------------------------------------------------------------------------------


def _pair(node: Node, key: str, usual: int = 1) -> list[int]:
    """[height, width] of an attribute; of signals the width alone is there."""
    value = [int(n) for n in node.attributes.get(key, [usual, usual])]
    return [usual, *value] if len(value) == 1 else value


def _window(node: Node, kernel: list[int], shape: Shape) -> dict[str, Any]:
    """kernel, stride, pad [top, left, bottom, right] and dilation. shape: of the larger image."""
    stride, dilation = _pair(node, "strides"), _pair(node, "dilations")
    if node.attributes.get("ceil_mode"):
        raise ModelError("expected sizes rounded down, got ceil_mode")
    auto = node.attributes.get("auto_pad", b"NOTSET").decode()
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        ends = []
        for size, reach, step, spread in zip(shape, kernel, stride, dilation):
            total = max(0, (-(-size // step) - 1) * step + spread * (reach - 1) + 1 - size)
            small = total // 2
            ends.append((small, total - small) if auto == "SAME_UPPER" else (total - small, small))
        pad = [ends[0][0], ends[1][0], ends[0][1], ends[1][1]]
    else:
        pad = [int(n) for n in node.attributes.get("pads", [0, 0, 0, 0])]
        pad = [0, pad[0], 0, pad[1]] if len(pad) == 2 else pad
    window: dict[str, Any] = {"kernel": kernel, "stride": stride, "pad": pad}
    return {**window, "dilation": dilation} if dilation != [1, 1] else window


def _size(window: Mapping[str, Any], shape: Shape) -> tuple[int, int]:
    """(height, width) of the output of a window."""
    top, left, bottom, right = window["pad"]
    out = []
    for i, before, after in ((0, top, bottom), (1, left, right)):
        reach = window.get("dilation", [1, 1])[i] * (window["kernel"][i] - 1) + 1
        free = shape[i] + before + after - reach
        if free < 0:
            raise ModelError(f"expected a kernel that fits {shape}, got {window['kernel']}")
        out.append(free // window["stride"][i] + 1)
    return out[0], out[1]


def _image(value: Value) -> Shape:
    if len(value.shape) != 3:
        raise ModelError(f"expected an image or a signal, got {value.shape}")
    return value.shape


def _filters(w: NDArray[Any]) -> NDArray[Any]:
    """Weights (K, C, R, S); those of signals, (K, C, S), get a height of 1."""
    return w[:, :, None, :] if w.ndim == 3 else w


def _conv(builder: _Builder, node: Node) -> None:
    x, w = builder.value(node), _filters(builder.need(node, 1))
    shape, groups = _image(x), node.attributes.get("group", 1)
    b = builder.constant(node, 2)
    k, c, r, s = w.shape
    window = _window(node, [r, s], shape)
    out = (*_size(window, shape), k)
    bias = np.zeros(k, np.float32) if b is None else b
    if groups == 1:
        tensors = {"w": w.transpose(0, 2, 3, 1), "b": bias}
        builder.add(node, kinds.CONVOLUTION, [x], out, window, tensors)
    elif groups == shape[2] == k and c == 1:
        tensors = {"w": w[:, 0].transpose(1, 2, 0), "b": bias}
        builder.add(node, "depthwise", [x], out, window, tensors)
    else:
        raise ModelError(f"expected one group or one filter per channel, got {groups} of {k}")


def _conv_transpose(builder: _Builder, node: Node) -> None:
    x, w = builder.value(node), _filters(builder.need(node, 1))  # (C, K, R, S)
    shape = _image(x)
    if node.attributes.get("group", 1) != 1:
        raise ModelError(f"expected one group, got {node.attributes['group']}")
    c, k, r, s = w.shape
    window = _window(node, [r, s], shape)
    extra = _pair(node, "output_padding", 0)
    top, left, bottom, right = window["pad"]
    height, width = (
        (shape[i] - 1) * window["stride"][i] + n - sum(pad) + extra[i]
        for i, n, pad in ((0, r, (top, bottom)), (1, s, (left, right)))
    )
    window["pad"] = [top, left, bottom - extra[0], right - extra[1]]
    if min(window["pad"]) < 0:
        raise ModelError(f"expected padding of at least {extra} below, got {[bottom, right]}")
    b = builder.constant(node, 2)
    bias = np.zeros(k, np.float32) if b is None else b
    tensors = {"w": w.transpose(0, 2, 3, 1), "b": bias}
    builder.add(node, "conv2d_t", [x], (height, width, k), window, tensors)


def _pool(op: str) -> Callable[[_Builder, Node], None]:
    def row(builder: _Builder, node: Node) -> None:
        x = builder.value(node)
        window = _window(node, _pair(node, "kernel_shape"), _image(x))
        if node.attributes.get("count_include_pad") and any(window["pad"]):
            raise ModelError("expected means without the padding, got count_include_pad")
        builder.add(node, op, [x], (*_size(window, x.shape), x.shape[2]), window)

    return row


def _global_pool(builder: _Builder, node: Node) -> None:
    x = builder.value(node)
    builder.add(node, "global_avgpool", [x], (1, 1, _image(x)[2]))


def _mean(builder: _Builder, node: Node) -> None:
    x, axes = builder.value(node), node.attributes.get("axes")
    if axes is None:
        axes = builder.need(node, 1).tolist()
    if sorted(axis % 4 for axis in axes) != [2, 3] or len(_image(x)) != 3:
        raise ModelError(f"expected the mean over height and width, got axes {list(axes)}")
    builder.add(node, "global_avgpool", [x], (1, 1, x.shape[2]))
    if not node.attributes.get("keepdims", 1):
        mean = builder.values[node.outputs[0]]
        builder.add(node, "flatten", [mean], (x.shape[2],))


# ---- dense layers and reshapes ----------------------------------------------------------------


def _dense(builder: _Builder, node: Node, w: NDArray[Any], b: NDArray[Any] | None) -> None:
    """w (M, N), its columns in the order of a flattened (C, H, W)."""
    x = builder.value(node)
    if w.ndim != 2 or w.shape[1] != prod(x.shape):
        raise ModelError(f"expected weights over {prod(x.shape)} values, got {w.shape}")
    if x.image is not None:
        h, wide, c = x.image
        w = w.reshape(-1, c, h, wide).transpose(0, 2, 3, 1).reshape(w.shape)
    bias = np.zeros(len(w), np.float32) if b is None else np.broadcast_to(b.ravel(), len(w))
    builder.add(node, kinds.HEAD, [x], (len(w),), {}, {"w": w, "b": bias})


def _gemm(builder: _Builder, node: Node) -> None:
    if node.attributes.get("transA"):
        raise ModelError("expected samples in rows, got transA")
    w = builder.need(node, 1) * node.attributes.get("alpha", 1.0)
    b = builder.constant(node, 2)
    if b is not None:
        b = b * node.attributes.get("beta", 1.0)
    _dense(builder, node, w if node.attributes.get("transB") else w.T, b)


def _matmul(builder: _Builder, node: Node) -> None:
    _dense(builder, node, builder.need(node, 1).T, None)


def _flatten(builder: _Builder, node: Node) -> None:
    x = builder.value(node)
    if node.op == "Flatten" and node.attributes.get("axis", 1) != 1:
        raise ModelError(f"expected a flatten behind the batch, got axis {node.attributes}")
    shape = builder.file.shapes.get(node.outputs[0], ())
    if len(shape) != 2 and node.op != "Flatten":
        raise ModelError(f"expected a flattened image, got {shape}")
    image = x.shape if len(x.shape) == 3 else x.image
    builder.add(node, "flatten", [x], (prod(x.shape),), image=image)


# ---- functions, sums, what is folded ----------------------------------------------------------


def _function(op: str) -> Callable[[_Builder, Node], None]:
    def row(builder: _Builder, node: Node) -> None:
        x = builder.value(node)
        builder.add(node, op, [x], x.shape, image=x.image)

    return row


def _leaky(builder: _Builder, node: Node) -> None:
    x = builder.value(node)
    slope = float(node.attributes.get("alpha", 0.01))
    builder.add(node, "leaky_relu", [x], x.shape, {"slope": slope}, image=x.image)


def _softmax(builder: _Builder, node: Node) -> None:
    x = builder.value(node)
    if len(x.shape) != 1 or node.attributes.get("axis", -1) not in (-1, 1):
        raise ModelError(f"expected a softmax over classes, got {x.shape}")
    builder.add(node, "softmax", [x], x.shape)


def _clip(builder: _Builder, node: Node) -> None:
    x = builder.value(node)
    low, high = (builder.constant(node, i) for i in (1, 2))
    ends = [None if end is None else float(end) for end in (low, high)]
    if ends not in ([0.0, 6.0], [0.0, None]):
        raise ModelError(f"expected a clip from 0 to 6 or to nothing, got {ends}")
    builder.add(node, "relu6" if ends[1] else "relu", [x], x.shape, image=x.image)


def _concat(builder: _Builder, node: Node) -> None:
    parts = [builder.value(node, i) for i in range(len(node.inputs))]
    if node.attributes.get("axis", 1) not in (1, 1 - len(parts[0].shape) - 1):
        raise ModelError(f"expected a concatenation of channels, got {dict(node.attributes)}")
    if any(part.image for part in parts):
        raise ModelError("expected values or images, got flattened images")
    first = parts[0]
    for part in parts[1:]:
        out = (*first.shape[:-1], first.shape[-1] + part.shape[-1])
        builder.add(node, "concat", [first, part], out)
        first = builder.values[node.outputs[0]]


def _enlarge(builder: _Builder, node: Node) -> None:
    """Nearest neighbours by whole factors."""
    x, attributes = builder.value(node), node.attributes
    h, w, c = _image(x)
    if attributes.get("mode", b"nearest") != b"nearest":
        raise ModelError(f"expected nearest neighbours, got {attributes['mode'].decode()}")
    centre = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = attributes.get("nearest_mode", b"round_prefer_floor").decode()
    if (centre, rounding) not in _WITHIN:
        raise ModelError(f"expected pixels that lie within others, got {centre}, {rounding}")
    scales, sizes = builder.constant(node, 2), builder.constant(node, 3)
    if scales is not None and scales.size == 4:
        factors = [float(n) for n in scales]
    elif sizes is not None and sizes.size == 4:
        factors = [1.0, sizes[1] / c, sizes[2] / h, sizes[3] / w]
    else:
        raise ModelError("expected four factors or sizes, got others")
    tall, wide = (round(n) for n in factors[2:])
    if factors != [1, 1, tall, wide] or not 1 <= min(tall, wide) <= max(tall, wide) <= MOST_FACTOR:
        raise ModelError(
            f"expected whole factors of height and width, up to {MOST_FACTOR}, got {factors}"
        )
    out = (h * tall, w * wide, c)
    builder.add(node, ENLARGE, [x], out, {"factors": [tall, wide]})


def _pad(builder: _Builder, node: Node) -> None:
    x, pads = builder.value(node), builder.need(node, 1).tolist()
    fill = builder.constant(node, 2)
    mode = node.attributes.get("mode", b"constant")
    if mode != b"constant" or (fill is not None and fill.any()):
        raise ModelError("expected a padding with zeros, got another one")
    h, w, c = _image(x)
    before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    if len(before) != 4 or any((*before[:2], *after[:2])) or min(pads) < 0:
        raise ModelError(f"expected padding of height and width, got {pads}")
    pad = [before[2], before[3], after[2], after[3]]
    out = (h + pad[0] + pad[2], w + pad[1] + pad[3], c)
    builder.add(node, "pad", [x], out, {"pad": pad})


def _normalise(builder: _Builder, node: Node) -> None:
    scale, shift, mean, variance = (builder.need(node, i) for i in range(1, 5))
    gain = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    _affine(builder, node, builder.value(node), gain, shift - mean * gain)


def _affine(
    builder: _Builder, node: Node, x: Value, gain: NDArray[Any], shift: NDArray[Any]
) -> None:
    """x * gain + shift per channel."""
    channels = x.shape[-1]
    if x.image is not None:
        raise ModelError("expected a factor per channel, got one of a flattened image")
    gain, shift = (_per_channel(part, channels, len(x.shape)) for part in (gain, shift))
    builder.add(node, "scale_shift", [x], x.shape, {}, {"scale": gain, "shift": shift})


def _per_channel(part: NDArray[Any], channels: int, dimensions: int) -> NDArray[np.float32]:
    """A constant as a number per channel; images have the channels before height and width."""
    array = np.asarray(part, np.float32)
    if array.size == 1:
        return np.full(channels, array.ravel()[0], np.float32)
    own = array.shape[-dimensions:] if dimensions == 3 else array.shape[-1:]
    if array.size != channels or channels not in (own[0], array.size):
        raise ModelError(f"expected a number per channel, {channels}, got {array.shape}")
    return array.ravel()


def _elementwise(
    node: Node, of: Callable[[NDArray[Any]], tuple[Any, Any]]
) -> Callable[[_Builder], None]:
    """A sum or product with a constant. of: (gain, shift) of the constant."""

    def fold(builder: _Builder) -> None:
        first = node.inputs[0] in builder.values
        x, constant = builder.value(node, 0 if first else 1), builder.need(node, 1 if first else 0)
        if node.op in ("Sub", "Div") and not first:
            raise ModelError(f"expected {node.op} of a value by a constant, got it turned round")
        gain, shift = of(np.asarray(constant, np.float32))
        _affine(builder, node, x, np.asarray(gain), np.asarray(shift))

    return fold


_BY_CONSTANT: Mapping[str, Callable[[NDArray[Any]], tuple[Any, Any]]] = {
    "Add": lambda c: (np.float32(1), c),
    "Sub": lambda c: (np.float32(1), -c),
    "Mul": lambda c: (c, np.float32(0)),
    "Div": lambda c: (1 / c, np.float32(0)),
}


def _arithmetic(builder: _Builder, node: Node) -> None:
    both = all(name in builder.values for name in node.inputs)
    if not both:
        _elementwise(node, _BY_CONSTANT[node.op])(builder)
        return
    if node.op != "Add":
        raise ModelError(f"no kernel for {node.op} of two values")
    a, b = builder.value(node, 0), builder.value(node, 1)
    if a.shape != b.shape or a.image != b.image:
        raise ModelError(f"expected two values of one shape, got {a.shape} and {b.shape}")
    builder.add(node, "add", [a, b], a.shape, image=a.image)


ROWS: Mapping[str, Callable[[_Builder, Node], None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool("maxpool"),
    "AveragePool": _pool("avgpool"),
    "GlobalAveragePool": _global_pool,
    "ReduceMean": _mean,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Flatten": _flatten,
    "Reshape": _flatten,
    "Squeeze": _flatten,
    "Relu": _function("relu"),
    "LeakyRelu": _leaky,
    "HardSwish": _function("hard_swish"),
    "Sigmoid": _function("sigmoid"),
    "Tanh": _function("tanh"),
    "Softmax": _softmax,
    "Clip": _clip,
    "Concat": _concat,
    "Pad": _pad,
    "Resize": _enlarge,
    "BatchNormalization": _normalise,
    "Add": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
}

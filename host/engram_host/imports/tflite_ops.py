"""TensorFlow Lite's operators as layers of engram.nn.ops: a row per operator.

An option that a row does not read must have the value at which it changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

from engram.errors import ModelError
from engram_host.convert import attributes

from .network import Layer, Parameter, Shape
from .parts import ENLARGE, MOST_FACTOR
from .tflite_file import ACTIVATIONS, Operator, Tensor

_PADDING = {tflite.Padding.SAME: "same", tflite.Padding.VALID: "valid"}
# Options that say how a kernel computes float32 from integers, or repeat a dtype.
_WITHOUT_EFFECT = ("asymmetric_quantize_inputs", "quantized_bias_type", "pot_scale_int16")


class Part(NamedTuple):
    """An operator as a row reads it. inputs: how many of its inputs are values of samples."""

    op: str
    inputs: int = 1
    attributes: Mapping[str, Any] = {}
    tensors: Mapping[str, Parameter] = {}


class Seen:
    """An operator and its tensors, to a row; remembers which options the row has read."""

    def __init__(self, operator: Operator, tensors: Sequence[Tensor]) -> None:
        self.tensors = [tensors[i] if i >= 0 else None for i in operator.inputs]
        self.out = tensors[operator.outputs[0]]
        self._options = dict(operator.options)

    def option(self, name: str) -> Any:
        """The value of an option. Raises ModelError where the file has none."""
        if name not in self._options:
            raise ModelError(f"expected the option {name}, got none")
        return self._options.pop(name)

    def activation(self) -> str:
        """The op fused behind this one, "" for none."""
        number = self._options.pop("fused_activation_function", 0)
        if number not in ACTIVATIONS:
            raise ModelError(
                f"expected an activation of {', '.join(filter(None, ACTIVATIONS.values()))}, "
                f"got number {number} of the schema"
            )
        return ACTIVATIONS[number]

    def check_rest(self) -> None:
        """Raises ModelError on options that nobody read and that could change the result."""
        rest = {
            name: value
            for name, value in self._options.items()
            if value and name not in _WITHOUT_EFFECT
        }
        if rest:
            raise ModelError(f"expected no option that is unknown here, got {rest}")

    def value(self, i: int = 0) -> Tensor:
        """Input i, which differs from sample to sample."""
        tensor = self.tensors[i] if i < len(self.tensors) else None
        if tensor is None or tensor.data is not None:
            raise ModelError(f"expected a value of samples as input {i}, got a constant or none")
        return tensor

    def constant(self, i: int) -> NDArray[Any]:
        """Input i, which is the same for all samples."""
        tensor = self.tensors[i] if i < len(self.tensors) else None
        if tensor is None or tensor.data is None:
            raise ModelError(f"expected a constant as input {i}, got a value of samples or none")
        return tensor.data

    def weights(self, i: int, order: Sequence[int], shape: Sequence[int], axis: int) -> Parameter:
        """Input i as weights, its dimensions in another order, then in a shape.

        axis: of the output channels, as the file has it. Raises ModelError on a zero point.
        """
        data, tensor = self.constant(i), self.tensors[i]
        assert tensor is not None
        if data.ndim != len(order):
            raise ModelError(f"expected weights of {len(order)} dimensions, got {tensor.shape}")
        if tensor.zero_points.any():
            raise ModelError("expected weights with zero points of 0, got others (uint8 models?)")
        if len(tensor.scales) > 1 and tensor.axis != axis:
            raise ModelError(f"expected scales along axis {axis}, got axis {tensor.axis}")
        moved = np.ascontiguousarray(data.transpose(order)).reshape(shape)
        return Parameter(moved, tensor.scales if len(tensor.scales) else None)

    def bias(self, i: int, channels: int) -> Parameter:
        """Input i as a bias; zeros where it is left out."""
        tensor = self.tensors[i] if i < len(self.tensors) else None
        if tensor is None:
            return Parameter(np.zeros(channels, np.int32 if self.is_integer else np.float32))
        if self.constant(i).shape != (channels,):
            raise ModelError(f"expected a bias of {channels} values, got {tensor.shape}")
        if tensor.zero_points.any():
            raise ModelError("expected a bias with zero points of 0, got others")
        return Parameter(self.constant(i), tensor.scales if len(tensor.scales) else None)

    def has_constant(self) -> bool:
        """Whether one of two inputs is a constant."""
        given = [tensor for tensor in self.tensors if tensor is not None]
        return len(given) == 2 and sum(tensor.data is not None for tensor in given) == 1

    @property
    def is_integer(self) -> bool:
        """Whether the output is made of int8."""
        return self.out.dtype == "int8"


def image(tensor: Tensor) -> Shape:
    """(H, W, C) of a tensor (1, H, W, C). Raises ModelError."""
    if len(tensor.shape) != 4:
        raise ModelError(f"expected a value (1, height, width, channels), got {tensor.shape}")
    return tensor.shape[1:]


def _window(seen: Seen, larger: Shape, kernel: Sequence[int], op: str) -> dict[str, Any]:
    """kernel, stride, pad, dilation. larger: the image that the kernel slides over."""
    padding = seen.option("padding")
    if padding not in _PADDING:
        raise ModelError(f"expected the padding SAME or VALID, got number {padding} of the schema")
    entry = {
        "op": op,
        "kernel": list(kernel),
        "stride": [seen.option("stride_h"), seen.option("stride_w")],
        "pad": _PADDING[padding],
    }
    dilation = [seen._options.pop(f"dilation_{axis}_factor", 1) for axis in "hw"]
    if dilation != [1, 1]:
        entry["dilation"] = dilation
    return attributes.normalised(entry, None, larger)


# ---- rows -------------------------------------------------------------------------------------


def _conv2d(seen: Seen) -> Part:
    x, w = image(seen.value()), seen.constant(1)
    if w.ndim != 4 or w.shape[3] != x[2]:
        raise ModelError(f"expected weights over all {x[2]} channels, got {w.shape}: groups")
    tensors = {
        "w": seen.weights(1, (0, 1, 2, 3), w.shape, 0),
        "b": seen.bias(2, w.shape[0]),
    }
    return Part("conv2d", 1, _window(seen, x, w.shape[1:3], "conv2d"), tensors)


def _depthwise(seen: Seen) -> Part:
    x, w = image(seen.value()), seen.constant(1)
    many = seen.option("depth_multiplier")
    if w.ndim != 4 or w.shape[0] != 1 or w.shape[3] != x[2] * many:
        raise ModelError(f"expected weights (1, R, S, {x[2] * many}), got {w.shape}")
    if many != 1 and x[2] != 1:
        raise ModelError(f"expected one filter per channel, got {many} per each of {x[2]}")
    op, order, shape = "depthwise", (0, 1, 2, 3), w.shape[1:]
    if many != 1:  # of one channel: that is a convolution
        op, order, shape = "conv2d", (3, 1, 2, 0), (many, *w.shape[1:3], 1)
    tensors = {"w": seen.weights(1, order, shape, 3), "b": seen.bias(2, w.shape[3])}
    return Part(op, 1, _window(seen, x, w.shape[1:3], op), tensors)


def _transpose_conv(seen: Seen) -> Part:
    x, w, out = image(seen.value(2)), seen.constant(1), image(seen.out)
    if w.ndim != 4 or (w.shape[0], w.shape[3]) != (out[2], x[2]):
        raise ModelError(f"expected weights ({out[2]}, R, S, {x[2]}), got {w.shape}")
    if tuple(seen.constant(0).tolist()) != seen.out.shape:
        raise ModelError(f"expected an output {seen.out.shape}, got {seen.constant(0).tolist()}")
    k, r, s, c = w.shape
    tensors = {"w": seen.weights(1, (3, 1, 2, 0), (c, r, s, k), 0), "b": seen.bias(3, k)}
    seen.tensors = [seen.tensors[2]]
    return Part("conv2d_t", 1, _window(seen, out, (r, s), "conv2d_t"), tensors)


def _dense(seen: Seen) -> Part:
    x, w = seen.value(), seen.constant(1)
    if seen.option("weights_format"):
        raise ModelError("expected weights in rows, got shuffled ones")
    seen.option("keep_num_dims")
    if w.ndim != 2 or w.shape[1] != math.prod(x.shape[1:]):
        raise ModelError(
            f"expected weights over all {math.prod(x.shape[1:])} values of a sample, got {w.shape}"
        )
    tensors = {"w": seen.weights(1, (0, 1), w.shape, 0), "b": seen.bias(2, w.shape[0])}
    return Part("dense", 1, {}, tensors)


def _pool(op: str) -> Callable[[Seen], Part]:
    def row(seen: Seen) -> Part:
        x = image(seen.value())
        kernel = (seen.option("filter_height"), seen.option("filter_width"))
        window = _window(seen, x, kernel, op)
        if op == "avgpool" and kernel == x[:2] and image(seen.out)[:2] == (1, 1):
            return Part("global_avgpool")
        return Part(op, 1, window)

    return row


def _mean(seen: Seen) -> Part:
    shape = seen.value().shape
    axes = sorted(int(axis) % len(shape) for axis in np.atleast_1d(seen.constant(1)))
    seen.option("keep_dims")
    if len(shape) != 4 or axes != [1, 2]:
        raise ModelError(f"expected the mean over height and width, got axes {axes} of {shape}")
    return Part("mean")


def _add(seen: Seen) -> Part:
    if seen.has_constant():
        return _shift(seen, 1)
    a, b = seen.value(0), seen.value(1)
    if a.shape != b.shape:
        raise ModelError(f"expected two values of one shape, got {a.shape} and {b.shape}")
    return Part("add", 2)


def _sub(seen: Seen) -> Part:
    if not seen.has_constant() or seen.value(0) is None:
        raise ModelError("no kernel for a difference of two values of samples")
    return _shift(seen, -1)


def _shift(seen: Seen, sign: int) -> Part:
    """A sum with a constant, of float32: one number, or one per channel."""
    if seen.is_integer:
        raise ModelError(
            "no kernel for a sum with a constant in int8; leave it out of the network, and give "
            "samples that have it"
        )
    _, values = _per_channel(seen)
    ones = Parameter(np.ones(len(values), np.float32))
    return Part(
        "scale_shift", 1, {}, {"scale": ones, "shift": Parameter(values * np.float32(sign))}
    )


def _per_channel(seen: Seen) -> tuple[Tensor, NDArray[Any]]:
    """(the constant input of two, its values: one per channel of the other)."""
    i = next(i for i, tensor in enumerate(seen.tensors) if tensor and tensor.data is not None)
    data, tensor = seen.constant(i), seen.tensors[i]
    assert tensor is not None
    channels = seen.value(1 - i).shape[-1]
    if data.size not in (1, channels) or (data.size > 1 and data.shape[-1] != channels):
        raise ModelError(f"expected a number per channel, {channels}, got {data.shape}")
    return tensor, np.full(channels, data.ravel(), data.dtype)


def _mul(seen: Seen) -> Part:
    """A product with a constant: one number, or one per channel."""
    if not seen.has_constant():
        raise ModelError("no kernel for a product of two values of samples")
    tensor, factors = _per_channel(seen)
    channels = len(factors)
    if len(tensor.scales) != (1 if seen.is_integer else 0):
        raise ModelError(
            f"expected factors of one scale in int8, of none in float32, got {len(tensor.scales)}"
        )
    if seen.is_integer:
        wide = factors.astype(np.int32) - tensor.zero_points[0]
        if wide.min() < -128 or wide.max() > 127:
            raise ModelError(
                "expected factors less their zero point within int8, got "
                f"{wide.min()} to {wide.max()}"
            )
        factors = wide.astype(np.int8)
    scales = tensor.scales if len(tensor.scales) else None
    zeros = np.zeros(channels, np.int32 if seen.is_integer else np.float32)
    return Part(
        "scale_shift",
        1,
        {},
        {"scale": Parameter(factors, scales), "shift": Parameter(zeros, scales)},
    )


def _enlarge(seen: Seen) -> Part:
    """Nearest neighbours. Where the sizes are whole multiples, all but align_corners agree."""
    (h, w, c), out = image(seen.value()), image(seen.out)
    seen.option("half_pixel_centers")
    if seen.option("align_corners"):
        raise ModelError("expected pixels that lie within others, got align_corners")
    if max(out[0] // h, out[1] // w) > MOST_FACTOR:
        raise ModelError(f"expected multiples up to {MOST_FACTOR}, got {h} x {w} to {out[:2]}")
    if out[0] % h or out[1] % w or out[2] != c:
        raise ModelError(f"expected whole multiples of {h} x {w}, got {out[0]} x {out[1]}")
    if tuple(seen.constant(1).tolist()) != out[:2]:
        raise ModelError(f"expected a size {out[:2]}, got {seen.constant(1).tolist()}")
    return Part(ENLARGE, 1, {"factors": [out[0] // h, out[1] // w]})


def _concat(seen: Seen) -> Part:
    if len(seen.tensors) < 2:
        raise ModelError(f"expected two values or more, got {len(seen.tensors)}")
    parts = [seen.value(i) for i in range(len(seen.tensors))]
    axis, dimensions = seen.option("axis"), len(seen.out.shape)
    if axis % dimensions != dimensions - 1:
        raise ModelError(f"expected a concatenation of channels, got axis {axis}")
    return Part("concat", len(parts))


def _pad(seen: Seen) -> Part:
    image(seen.value())
    ends = seen.constant(1)
    if ends.shape != (4, 2) or ends[0].any() or ends[3].any() or ends.min() < 0:
        raise ModelError(f"expected padding of height and width, got {ends.tolist()}")
    pad = [int(n) for n in (*ends[1:3, 0], *ends[1:3, 1])]
    return Part("pad", 1, {"pad": pad})


def _reshape(seen: Seen) -> Part:
    if math.prod(seen.out.shape[1:]) != math.prod(seen.value().shape[1:]):
        raise ModelError(
            f"expected the same values per sample, got {seen.value().shape} as {seen.out.shape}"
        )
    seen._options.pop("new_shape", None)
    seen._options.pop("squeeze_dims", None)
    return Part("flatten" if len(seen.out.shape) == 2 else "reshape")


def _softmax(seen: Seen) -> Part:
    beta = seen.option("beta")
    if beta != 1:
        raise ModelError(f"expected a softmax with beta 1, got {beta:g}")
    return Part("softmax")


def _leaky_relu(seen: Seen) -> Part:
    return Part("leaky_relu", 1, {"slope": float(seen.option("alpha"))})


def _same(op: str) -> Callable[[Seen], Part]:
    return lambda seen: Part(op)


ROWS: Mapping[str, Callable[[Seen], Part]] = {
    "CONV_2D": _conv2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _dense,
    "AVERAGE_POOL_2D": _pool("avgpool"),
    "MAX_POOL_2D": _pool("maxpool"),
    "MEAN": _mean,
    "ADD": _add,
    "SUB": _sub,
    "MUL": _mul,
    "RESIZE_NEAREST_NEIGHBOR": _enlarge,
    "CONCATENATION": _concat,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "SOFTMAX": _softmax,
    "RELU": _same("relu"),
    "RELU6": _same("relu6"),
    "LEAKY_RELU": _leaky_relu,
    "HARD_SWISH": _same("hard_swish"),
    "LOGISTIC": _same("sigmoid"),
    "TANH": _same("tanh"),
    "QUANTIZE": _same("quantize"),
    "DEQUANTIZE": _same("dequantize"),
}


def layer(operator: Operator, tensors: Sequence[Tensor], values: Sequence[str]) -> Layer:
    """An operator as a layer without a name. values: names of its inputs that samples make.

    One that boards do not run is a layer too, with the reason.
    """
    seen = Seen(operator, tensors)
    samples = [tensor for tensor in seen.tensors if tensor is not None and tensor.data is None]
    try:
        if operator.op not in ROWS:
            raise ModelError(f"no kernel for {operator.op}")
        if len(operator.outputs) != 1:
            raise ModelError(f"expected one output, got {len(operator.outputs)}")
        for tensor in (seen.out, *samples):
            if tensor.shape[:1] != (1,):
                raise ModelError(f"expected a batch of 1 as first dimension, got {tensor.shape}")
        part = ROWS[operator.op](seen)
        activation = seen.activation()
        seen.check_rest()
    except ModelError as error:
        part, activation, reason = Part(operator.op.lower(), len(values)), "", str(error)
    else:
        reason = ""
    return Layer(
        name="",
        op=part.op,
        inputs=tuple(values),
        shapes=tuple(t.shape[1:] for t in samples),
        out=seen.out.shape[1:],
        attributes=part.attributes,
        tensors=part.tensors,
        activation=activation,
        source=seen.out.name,
        reason=reason,
    )

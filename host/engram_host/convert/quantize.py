"""Integer arithmetic of the frozen stage: TensorFlow Lite's 8-bit quantization scheme.

Weights are symmetric int8 with a scale per output channel, activations asymmetric int8 with one
scale a tensor, biases and accumulators int32. Between layers an accumulator is scaled by a
31-bit multiplier and a power of two:

    https://ai.google.dev/edge/litert/models/quantization_spec
    https://arxiv.org/abs/1712.05877
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError

from .rounding import Inputs, half_away, rounded

INT8_MIN, INT8_MAX = -128, 127
LEVELS = 255  # steps between the ends of the int8 range
INT32_MAX = 2**31 - 1
ADD_LEFT_SHIFT = 20  # of both terms of a sum, as TensorFlow Lite takes it for int8

_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)  # below it float32 loses digits
_BIAS_LIMIT = 2**30  # half of int32: the other half is the products'


class Scale(NamedTuple):
    """An asymmetric int8 quantization: real = (q - zero_point) * scale."""

    scale: float
    zero_point: int

    def quantize(self, real: NDArray[Any]) -> NDArray[np.int8]:
        """Nearest int8 value, halves away from zero, out-of-range values clamped."""
        steps = np.asarray(real, np.float32) / np.float32(self.scale)
        whole = np.trunc(steps + np.copysign(np.float32(0.5), steps))
        return np.clip(whole + self.zero_point, INT8_MIN, INT8_MAX).astype(np.int8)

    def dequantize(self, q: NDArray[np.int8]) -> NDArray[np.float32]:
        """The real numbers, float32."""
        steps = q.astype(np.float32) - np.float32(self.zero_point)
        return steps * np.float32(self.scale)


def activation_scale(low: float, high: float) -> Scale:
    """The scale whose int8 range covers [low, high] and represents 0 exactly.

    Zero must be exact because padding is zero. After a ReLU low is 0 and the zero point -128.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    # Stored as float32 on the board; rounding here keeps both sides on the same number.
    scale = float(np.float32((high - low) / LEVELS))
    if scale < _SMALLEST_SCALE:
        return Scale(1.0 / LEVELS, INT8_MIN)  # a dead layer: any scale says the same
    zero_point = math.floor(INT8_MIN - low / scale + 0.5)
    return Scale(scale, max(INT8_MIN, min(INT8_MAX, zero_point)))


def multiplier(real: float) -> tuple[int, int]:
    """A factor as (31-bit multiplier, shift): real = multiplier * 2**(shift - 31).

    A positive shift goes left. A factor below 2**-32 becomes (0, 0).
    """
    fraction, exponent = math.frexp(real)
    fixed = math.floor(fraction * 2**31 + 0.5)
    if fixed == 2**31:
        fixed, exponent = 2**30, exponent + 1
    return (0, 0) if exponent < -31 else (fixed, exponent)


class QuantizedLayer(NamedTuple):
    """The four tensors of a frozen layer with weights, and the scale of each output channel."""

    w: NDArray[np.int8]
    bias: NDArray[np.int32]
    mult: NDArray[np.int32]
    shift: NDArray[np.int32]


def quantize_layer(
    name: str,
    w: NDArray[np.float32],
    b: NDArray[np.float32],
    channel_axis: int,
    source: Scale,
    target: Scale,
    inputs: Inputs | None = None,
) -> QuantizedLayer:
    """int8 weights and int32 bias, multiplier and shift of one layer.

    w: float32 with its output channels on channel_axis. source, target: the scales of its input
    and output. inputs: that the weights and the bias are fitted to; None: each number is rounded
    by itself. Raises ModelError when an accumulator could leave int32.
    """
    whole = np.moveaxis(w, channel_axis, 0)
    channels = whole.reshape(len(whole), -1).astype(np.float64)
    scales = np.abs(channels).max(axis=1) / INT8_MAX
    # A channel of tiny weights with a large bias: the bias must still fit its int32.
    scales = np.maximum(scales, np.abs(b).astype(np.float64) / (source.scale * _BIAS_LIMIT))
    scales[scales == 0] = 1.0
    steps = rounded(channels / scales[:, None], inputs)
    sums = b.astype(np.float64)
    if inputs is not None:  # the mean of every output stays
        sums += (channels * inputs.wanted).sum(axis=1)
        sums -= (steps * inputs.mean).sum(axis=1) * scales * source.scale
    bias = half_away(sums / (source.scale * scales)).astype(np.int64)
    factors = [multiplier(source.scale * s / target.scale) for s in scales.tolist()]
    mult = np.array([m for m, _ in factors], np.int64)
    shift = np.array([s for _, s in factors], np.int64)

    worst = np.abs(bias) + np.abs(steps).sum(axis=1).astype(np.int64) * LEVELS
    worst <<= np.maximum(shift, 0)
    if worst.max() > INT32_MAX:
        raise ModelError(
            f"layer {name}: channel {int(worst.argmax())} could overflow its 32-bit accumulator; "
            "its weights or its bias are far larger than its output: normalise it"
        )
    qw = np.moveaxis(steps.astype(np.int8).reshape(whole.shape), 0, channel_axis)
    return QuantizedLayer(qw, bias.astype(np.int32), mult.astype(np.int32), shift.astype(np.int32))


def add_parameters(a: Scale, b: Scale, target: Scale, clamps: tuple[int, int]) -> list[int]:
    """q (12) of add_s8: TensorFlow Lite's ADD of values of two scales. clamps: of the output."""
    largest = 2 * max(a.scale, b.scale)
    factors = (
        a.scale / largest,
        b.scale / largest,
        largest / (target.scale * 2**ADD_LEFT_SHIFT),
    )
    parts = [part for factor in factors for part in multiplier(factor)]
    zero_points = [a.zero_point, b.zero_point, target.zero_point]
    return [*zero_points, *clamps, ADD_LEFT_SHIFT, *parts]


def rectifier_table(slope: float, source: Scale, target: Scale, top: int) -> NDArray[np.int8]:
    """table (256) of lookup_s8: x where it is positive, else slope * x; at most top, of int8.

    TensorFlow Lite's RELU, RELU6 and LEAKY_RELU, which multiply in fixed point.
    """
    x = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64) - source.zero_point
    factors = [factor * source.scale / target.scale for factor in (1.0, slope)]
    positive, negative = (
        requantize(x, *(np.asarray(part) for part in multiplier(factor))) for factor in factors
    )
    out = np.where(x >= 0, positive, negative) + target.zero_point
    return np.clip(out, INT8_MIN, top).astype(np.int8)


def function_table(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]], source: Scale, target: Scale
) -> NDArray[np.int8]:
    """table (256) of lookup_s8: any function of one real number, in float32.

    TensorFlow Lite's LOGISTIC and TANH.
    """
    x = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64).astype(np.int8)
    return target.quantize(function(source.dequantize(x)))


def softmax_table(source: Scale) -> NDArray[np.int32]:
    """table (256) of softmax_s8: the exponentials of the differences from the largest value."""
    e = np.exp(-np.arange(256) * source.scale) * 2.0**31
    return np.minimum(half_away(e), INT32_MAX).astype(np.int32)


def requantize(
    accumulator: NDArray[np.int64], mult: NDArray[Any], shift: NDArray[Any]
) -> NDArray[np.int64]:
    """MultiplyByQuantizedMultiplier over the last axis, on int64 holding int32 values.

    mult, shift: integers, one an element of the last axis, or one for all.
    """
    left = np.maximum(shift, 0).astype(np.int64)
    right = np.maximum(-shift, 0).astype(np.int64)
    return _rounding_shift(_doubling_high_mul(accumulator << left, mult.astype(np.int64)), right)


def requantize_once(
    accumulator: NDArray[np.int64], mult: NDArray[Any], shift: NDArray[Any]
) -> NDArray[np.int64]:
    """The same rounded once, halves upwards: what TensorFlow Lite's interpreter does in dense
    layers."""
    places = 31 - shift.astype(np.int64)
    return (accumulator * mult.astype(np.int64) + (np.int64(1) << (places - 1))) >> places


def _doubling_high_mul(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """SaturatingRoundingDoublingHighMul: round(a * b / 2**31), the division toward zero."""
    product = a * b
    total = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(total >= 0, total >> 31, -((-total) >> 31))
    return np.minimum(high, INT32_MAX)


def _rounding_shift(x: NDArray[np.int64], exponent: NDArray[np.int64]) -> NDArray[np.int64]:
    """RoundingDivideByPOT: x / 2**exponent, halves away from zero."""
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)

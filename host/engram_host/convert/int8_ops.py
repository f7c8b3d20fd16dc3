"""Every op of the device library's int8 rows in numpy, exact, and the scale of its output.

A function takes (node, tensors, inputs...) as in float_ops.py, of int8. Integers and TensorFlow
Lite's rounding give bit for bit what a board computes: the kernels are held to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .float_ops import Described, Tensors
from .quantize import INT8_MAX, INT8_MIN, INT32_MAX, Scale, requantize, requantize_once
from .windows import as_row, by_channel, node_windows, over_windows, scattered

I8 = NDArray[np.int8]
I64 = NDArray[np.int64]

_AT_ONCE = 32  # samples whose windows are in memory


def apply(node: Described, tensors: Tensors, *inputs: NDArray[Any]) -> I8:
    """One node in int8."""
    return INT8[node["op"]].compute(node, tensors, *inputs)


def _finish(
    node: Described, tensors: Tensors, acc: I64, scaled: Callable[..., I64] = requantize
) -> I8:
    """Accumulators (..., channels) with bias, scaled, clamped to the activation's range."""
    out_zp, act_min, act_max = node["q"][1:]
    acc = acc + tensors["bias"].astype(np.int64)
    values = scaled(acc, tensors["mult"], tensors["shift"])
    return np.clip(values + out_zp, act_min, act_max).astype(np.int8)


def _centred(node: Described, x: I8) -> I64:
    """x - zero point: padding is then 0."""
    return x.astype(np.int64) - node["q"][0]


def _products(rows: I64, w: I8) -> I64:
    """rows (n, taps) @ w (channels, taps).T, in float64, which has a fast product and is exact
    below 2**53: an accumulator has 32 bits."""
    return (rows.astype(np.float64) @ w.T.astype(np.float64)).astype(np.int64)


def _conv2d(node: Described, tensors: Tensors, x: I8) -> I8:
    w = tensors["w"].reshape(len(tensors["w"]), -1)
    parts = []
    for i in range(0, max(1, len(x)), _AT_ONCE):
        view = node_windows(node, _centred(node, x[i : i + _AT_ONCE]))
        acc = _products(view.reshape(-1, w.shape[1]), w)
        parts.append(_finish(node, tensors, acc.reshape(*view.shape[:3], len(w))))
    return np.concatenate(parts)


def _depthwise(node: Described, tensors: Tensors, x: I8) -> I8:
    view = node_windows(node, _centred(node, x))
    return _finish(node, tensors, (view * tensors["w"].astype(np.int64)).sum(axis=(3, 4)))


def _conv2d_t(node: Described, tensors: Tensors, x: I8) -> I8:
    w = tensors["w"].astype(np.int64).transpose(3, 1, 2, 0)  # (K, R, S, C) as float32 has it
    return _finish(node, tensors, scattered(node, _centred(node, x), w))


def _dense(node: Described, tensors: Tensors, x: I8) -> I8:
    rows = _centred(node, x).reshape(len(x), -1)
    return _finish(node, tensors, _products(rows, tensors["w"]), requantize_once)


def _scale_shift(node: Described, tensors: Tensors, x: I8) -> I8:
    return _finish(node, tensors, _centred(node, x) * tensors["scale"].astype(np.int64))


def _clamped(node: Described, x: NDArray[Any]) -> I8:
    act_min, act_max = node["q"][-2:]
    return np.clip(x, act_min, act_max).astype(np.int8)


def _maxpool(node: Described, tensors: Tensors, x: I8) -> I8:
    return _clamped(node, node_windows(node, x, fill=INT8_MIN).max(axis=(3, 4)))


def _avgpool(node: Described, tensors: Tensors, x: I8) -> I8:
    """Mean over the window without its padding, halves away from zero."""
    wide = x.astype(np.int64)
    sums = node_windows(node, wide).sum(axis=(3, 4))
    counts = node_windows(node, np.ones_like(wide)).sum(axis=(3, 4))
    half = counts // 2
    return _clamped(node, np.where(sums > 0, (sums + half) // counts, -((half - sums) // counts)))


def _global_avgpool(node: Described, tensors: Tensors, x: I8) -> I8:
    size = list(x.shape[1:3])
    whole = {**node, "kernel": size, "stride": size, "pad": [0, 0, 0, 0]}
    return _avgpool(whole, tensors, x)


def _add(node: Described, tensors: Tensors, a: I8, b: I8) -> I8:
    """TensorFlow Lite's ADD."""
    a_zp, b_zp, out_zp, act_min, act_max, left = node["q"][:6]
    a_factor, b_factor, out_factor = (node["q"][i : i + 2] for i in (6, 8, 10))
    total = _scaled((a.astype(np.int64) - a_zp) << left, *a_factor)
    total = total + _scaled((b.astype(np.int64) - b_zp) << left, *b_factor)
    return np.clip(_scaled(total, *out_factor) + out_zp, act_min, act_max).astype(np.int8)


def _scaled(x: I64, mult: I64 | int, shift: I64 | int = 0) -> I64:
    return requantize(x, np.asarray(mult, np.int64), np.asarray(shift, np.int64))


def _lookup(node: Described, tensors: Tensors, x: I8) -> I8:
    table: I8 = tensors["table"]
    return table[x.astype(np.int64) + 128]


def _softmax(node: Described, tensors: Tensors, x: I8) -> I8:
    """TensorFlow Lite's SOFTMAX: the sum is divided by as a fixed-point reciprocal."""
    wide = x.astype(np.int64)
    e = tensors["table"][wide.max(axis=-1, keepdims=True) - wide].astype(np.int64)
    scale, bits = _reciprocal(((e + 2048) >> 12).sum(axis=-1, keepdims=True))
    return np.clip(_scaled(e, scale, -(bits + 3)) - 128, INT8_MIN, INT8_MAX).astype(np.int8)


def _reciprocal(total: I64) -> tuple[I64, I64]:
    """(scale, bits): 2**31 / total is scale / 2**bits, by three steps of Newton and Raphson."""
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # of each total
    d = (total << (32 - bits)) >> 1
    x = 1515870810 + _scaled(np.full_like(d, -1010580540), d)  # 48/17 - 32/17 d
    for _ in range(3):
        x = x + 4 * _scaled((1 << 29) - _scaled(d, x), x)
    return np.minimum(2 * x, INT32_MAX), bits


def _concat(node: Described, tensors: Tensors, a: I8, b: I8) -> I8:
    return np.concatenate([a, b], axis=-1)


def _pad(node: Described, tensors: Tensors, x: I8) -> I8:
    top, left, bottom, right = node["pad"]
    around = ((0, 0), (top, bottom), (left, right), (0, 0))
    return np.pad(x, around, constant_values=node["q"][0])


def _reshape(node: Described, tensors: Tensors, x: I8) -> I8:
    return x.reshape(len(x), *node["out"])


def _quantize(node: Described, tensors: Tensors, x: NDArray[np.float32]) -> I8:
    scale, zero_point = node["qp"]
    return Scale(float(np.float32(scale)), zero_point).quantize(x)


KEPT = "kept"  # the output has the scale of the input: values are compared, averaged or copied


class Op(NamedTuple):
    """compute: the function. scale: of the output, KEPT, or None: from the range of its values.
    clamps: the real numbers at which an activation cuts; a kernel with clamps can do it alone.
    taps: a function (node, x), the inputs (places, groups, taps) that each weight meets; None: its
    weights, if any, are rounded one by one."""

    compute: Callable[..., I8]
    scale: Scale | str | None = None
    clamps: tuple[float, float] | None = None
    taps: Callable[..., NDArray[Any]] | None = None


INT8: Mapping[str, Op] = {
    "conv2d": Op(_conv2d, taps=over_windows),
    "pointwise": Op(_conv2d, taps=over_windows),
    "depthwise": Op(_depthwise, taps=by_channel),
    "conv2d_t": Op(_conv2d_t),
    "dense": Op(_dense, taps=as_row),
    "scale_shift": Op(_scale_shift),
    "add": Op(_add),
    "maxpool": Op(_maxpool, KEPT),
    "avgpool": Op(_avgpool, KEPT),
    "global_avgpool": Op(_global_avgpool, KEPT),
    "concat": Op(_concat, KEPT),
    "pad": Op(_pad, KEPT),
    "flatten": Op(_reshape, KEPT),
    "reshape": Op(_reshape, KEPT),
    "relu": Op(_lookup, clamps=(0.0, inf)),
    "relu6": Op(_lookup, clamps=(0.0, 6.0)),
    "leaky_relu": Op(_lookup),
    "hard_swish": Op(_lookup),
    "sigmoid": Op(_lookup, Scale(1 / 256, -128)),  # these three as TensorFlow Lite has them
    "tanh": Op(_lookup, Scale(1 / 128, 0)),
    "softmax": Op(_softmax, Scale(1 / 256, -128)),
    "cast": Op(_quantize),
}

"""Single ops, as an import has to know them beside the tables of the device library."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from engram.nn import ops

# Ops of other frameworks that the device library has not, and the op that learns in their place.
MEAN, RESCALE, FLOAT = "mean", "quantize", "dequantize"
LEARNS_AS: Mapping[str, str] = {MEAN: "global_avgpool"}
GONE = (RESCALE, FLOAT)  # float32 has no scale to change

HEAD = "dense"  # makes classes
CONVOLUTION = "conv2d"
# What may stand behind the values of the last layer: its objective has the same in it.
PROBABILITIES = ("softmax", "logsoftmax", "sigmoid", RESCALE, FLOAT, "flatten", "reshape")
# The output has the scale and the zero point of the input: values are moved or compared.
ONE_SCALE = ("avgpool", "global_avgpool", "maxpool", "concat", "pad", "reshape", "flatten")

# Real numbers at which an activation cuts.
CLAMPS: Mapping[str, tuple[float, float]] = {
    "": (-inf, inf),
    "relu": (0.0, inf),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}
# Layers whose kernels cut at an activation's ends themselves.
CLAMPING = ("conv2d", "depthwise", "conv2d_t", "dense", "add")
FACTORS = "scale_shift"
RECTIFIERS = ("relu", "relu6", "leaky_relu")  # tables of integers, computed in fixed point
SOFTMAX = "softmax"


def channel_axes(op: str) -> dict[str, int]:
    """{key of a tensor of an op: its axis of output channels}"""
    words = [word.split(":") for word in ops.OPS[learns_as(op)][1].split()]
    return {key: axes.split(",").index(words[-1][1]) for key, axes in words}


def learns_as(op: str) -> str:
    """The op of the device library that learns as an op of a network does."""
    return LEARNS_AS.get(op, op)

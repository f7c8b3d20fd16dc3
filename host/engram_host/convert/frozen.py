"""The frozen stage in int8: merge() its nodes, choose_scales() of their values, quantized() each.

A scale_shift goes into the weights before it, a ReLU into the clamps of the kernel before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.nn import formats, geometry, ops
from engram.nn.names import INPUT

from . import float_ops
from .graph import F32, Entry, FloatModel, Node
from .int8_ops import INT8, KEPT
from .quantize import (
    Scale,
    activation_scale,
    add_parameters,
    function_table,
    quantize_layer,
    rectifier_table,
    softmax_table,
)
from .rounding import Inputs

s8 = formats.load("s8")


class Step(NamedTuple):
    """A node of the device model.

    clamps: real numbers at which the kernel cuts its output. value: of the float model, which it
    reproduces.
    """

    node: Node
    clamps: tuple[float, float]
    value: str


UNCLAMPED = (-inf, inf)


def merge(model: FloatModel) -> list[Step]:
    """The frozen nodes of a float model, as the device has them."""
    readers = Counter(value for node in model.frozen for value in node.inputs)
    readers[model.latent] += 1
    steps: dict[str, Step] = {}  # by the name of the value in the float model
    names = {INPUT: INPUT}  # value in the float model: node in the device model
    for node in model.frozen:
        first = node.inputs[0]
        before = steps.get(first) if readers[first] == 1 else None
        clamps = INT8[node.op].clamps
        if model.version == "1" and ops.OPS[node.op][0] is geometry.flat:
            names[node.name] = names[first]  # chains leave it out: the next layer is dense
            continue
        if before is None or before.clamps != UNCLAMPED:
            step = _single(node, names)
        elif node.op == "scale_shift" and len(before.node.tensors) == 2:
            step = Step(folded(before.node, node), UNCLAMPED, node.name)
        elif clamps and "q" in _symbols(before.node):
            step = Step(before.node, clamps, node.name)
        else:
            step = _single(node, names)
        if step.node.name != node.name:
            del steps[first]
        steps[node.name] = step
        names[node.name] = step.node.name
    return _rescaled(list(steps.values()))


def _single(node: Node, names: Mapping[str, str]) -> Step:
    inputs = tuple(names[value] for value in node.inputs)
    return Step(replace(node, inputs=inputs), UNCLAMPED, node.name)


def _symbols(node: Node) -> set[str]:
    """The symbols that the int8 rows of a node name."""
    return {symbol for row in s8.rows(node.op)[0] for symbol in row.split()[1:]}


def _axis(text: str) -> int:
    """The axis of the output channels in weights, from a text like "w:K,R,S,C b:K"."""
    weights, bias = (word.split(":")[1] for word in text.split())
    return weights.split(",").index(bias)


def folded(before: Node, node: Node) -> Node:
    """A node with weights and the scale_shift behind it as one node with weights."""
    (w_key, w), (b_key, b) = before.tensors.items()
    scale, shift = node.tensors["scale"], node.tensors["shift"]
    shape = [1] * w.ndim
    shape[_axis(ops.OPS[before.op][1])] = -1
    tensors = {w_key: w * scale.reshape(shape), b_key: b * scale + shift}
    return replace(before, tensors=tensors)


def _rescaled(steps: Sequence[Step]) -> list[Step]:
    """Steps with a change of scale before a concatenation where a value cannot take its scale."""
    makers = {step.node.name: step for step in steps}

    def is_fixed(value: str) -> bool:
        while value != INPUT and len(makers[value].node.inputs) == 1 and _keeps(makers[value]):
            value = makers[value].node.inputs[0]
        return value == INPUT or isinstance(INT8[makers[value].node.op].scale, Scale)

    out: list[Step] = []
    for step in steps:
        node = step.node
        if len(node.inputs) > 1 and _keeps(step):
            inputs = []
            for i, (value, shape) in enumerate(zip(node.inputs, node.shapes)):
                if is_fixed(value):
                    name = f"{node.name}:scale{i}"
                    identity = Node(name, "leaky_relu", (value,), (shape,), shape, {"slope": 1.0})
                    of = makers[value].value if value in makers else INPUT
                    out.append(Step(identity, UNCLAMPED, of))
                    value = name
                inputs.append(value)
            step = step._replace(node=replace(node, inputs=tuple(inputs)))
        out.append(step)
    return out


def _keeps(step: Step) -> bool:
    return INT8[step.node.op].scale == KEPT


def choose_scales(
    steps: Sequence[Step], values: Mapping[str, F32], source: Scale, percentile: float
) -> dict[str, Scale]:
    """{name of a value: its scale}, "input" included.

    values: what the float model computes. percentile: how much of a range is kept.
    """
    group = {INPUT: INPUT}  # value: one that stands for all of the same scale
    fixed = {INPUT: source}
    ranges: dict[str, NDArray[Any]] = {}
    for step in steps:
        name, scale = step.node.name, INT8[step.node.op].scale
        group[name] = name
        if isinstance(scale, Scale):
            fixed[name] = scale
        if scale == KEPT:
            for value in step.node.inputs:
                one, other = group[value], group[name]
                group = {member: one if at == other else at for member, at in group.items()}
        else:
            ranges[name] = np.percentile(values[step.value], [100.0 - percentile, percentile])
    group_scales = {group[name]: scale for name, scale in fixed.items()}
    for name in group:
        if group[name] not in group_scales:
            ends = [ranges[other] for other in ranges if group[other] == group[name]]
            low, high = min(end[0] for end in ends), max(end[1] for end in ends)
            group_scales[group[name]] = activation_scale(float(low), float(high))
    return {name: group_scales[group[name]] for name in group}


def quantized(
    step: Step, scales: Mapping[str, Scale], inputs: Inputs | None = None
) -> tuple[Entry, dict[str, NDArray[Any]]]:
    """(q and the names of tensors by key, tensors by name) of a node of the device model.

    inputs: that it has seen, as quantize_layer() takes them. Raises ModelError when an
    accumulator could leave int32.
    """
    node, facts = step.node, step.node.described()
    sources, target = [scales[value] for value in node.inputs], scales[node.name]
    tensors: dict[str, NDArray[Any]] = {}
    for key, dtype, shape in s8.tensors(facts):
        if key == "table" and dtype == "I32":
            tensors = {key: softmax_table(sources[0])}
        elif key == "table":
            tensors = {key: _table(node, sources[0], target)}
        elif not tensors:
            tensors = _weights(node, key, shape, sources[0], target, inputs)
    entry: Entry = {key: f"{node.name}.{key}" for key in tensors}
    symbols, clamps = _symbols(node), _clamps(step.clamps, target)
    if "x2" in symbols and "q" in symbols:
        entry["q"] = add_parameters(sources[0], sources[1], target, clamps)
    elif symbols & {"q", "zp"}:
        entry["q"] = [sources[0].zero_point, target.zero_point, *clamps]
    return entry, {f"{node.name}.{key}": tensor for key, tensor in tensors.items()}


def _clamps(clamps: tuple[float, float], target: Scale) -> tuple[int, int]:
    """act_min, act_max"""
    low, high = target.quantize(np.array(clamps, np.float32)).tolist()
    return low, high


def _weights(
    node: Node,
    key: str,
    shape: Sequence[int],
    source: Scale,
    target: Scale,
    inputs: Inputs | None,
) -> dict[str, NDArray[Any]]:
    """int8 weights in the order of dimensions of the int8 rows, and what goes with them."""
    pattern, quantized_pattern = ops.OPS[node.op][1], s8.texts(node.op)
    before, after = (
        text.split()[0].split(":")[1].split(",") for text in (pattern, quantized_pattern)
    )
    w, b = node.tensors.values()
    w = np.ascontiguousarray(w.transpose([before.index(name) for name in after]))
    assert w.shape == tuple(shape)
    parts = quantize_layer(node.name, w, b, _axis(quantized_pattern), source, target, inputs)
    return {key: parts.w, "bias": parts.bias, "mult": parts.mult, "shift": parts.shift}


def _table(node: Node, source: Scale, target: Scale) -> NDArray[np.int8]:
    op, slope = INT8[node.op], node.attributes.get("slope", 0.0)
    if op.clamps or "slope" in node.attributes:
        top = _clamps(op.clamps or UNCLAMPED, target)[1]
        return rectifier_table(slope, source, target, top)
    entry = node.described()
    return function_table(lambda x: float_ops.apply(entry, {}, x), source, target)

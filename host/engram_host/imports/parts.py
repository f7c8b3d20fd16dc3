"""Layers that a board computes in several: concatenations of many values, and images enlarged."""

from __future__ import annotations

from dataclasses import replace

from .network import Layer, Shape

ENLARGE = "resize_nearest"  # attribute "factors": [height, width], whole numbers
MOST_FACTOR = 64  # a layer each


def parts(layer: Layer, name: str) -> list[Layer]:
    """A layer by its name as those that a board has; the last one makes its value."""
    if layer.reason:
        return [replace(layer, name=name)]
    if layer.op == ENLARGE:
        return _enlarged(layer, name)
    if layer.op == "concat":
        return _concatenated(layer, name)
    return [replace(layer, name=name)]


def _concatenated(layer: Layer, name: str) -> list[Layer]:
    """Concatenations of two values each."""
    made, inputs, shapes = [], layer.inputs[:1], layer.shapes[:1]
    for i in range(1, len(layer.inputs)):
        shape = (*layer.out[:-1], shapes[0][-1] + layer.shapes[i][-1])
        part = replace(
            layer,
            name=name if i == len(layer.inputs) - 1 else f"{name}:{i}",
            inputs=(inputs[0], layer.inputs[i]),
            shapes=(shapes[0], layer.shapes[i]),
            out=shape,
        )
        made.append(part)
        inputs, shapes = (part.name,), (shape,)
    return made


def _enlarged(layer: Layer, name: str) -> list[Layer]:
    """Nearest neighbours by whole factors: a pixel beside itself is a wider image, a row beside
    itself a higher one, with no arithmetic at all."""
    (h, w, c), (tall, wide) = layer.shapes[0], layer.attributes["factors"]
    made: list[Layer] = []

    def add(op: str, inputs: tuple[str, ...], shapes: tuple[Shape, ...], out: Shape) -> str:
        made.append(
            replace(
                layer, name=f"{name}:{len(made)}", op=op, inputs=inputs, shapes=shapes, out=out,
                attributes={},
            )
        )  # fmt: skip
        return made[-1].name

    def repeat(value: str, shape: Shape, times: int) -> tuple[str, Shape]:
        one = shape
        # a value of its own: a node does not add up the gradients of one that it reads twice
        again = add("reshape", (value,), (one,), one) if times > 1 else value
        for _ in range(times - 1):
            out = (*shape[:2], shape[2] + one[2])
            value, shape = add("concat", (value, again), (shape, one), out), out
        return value, shape

    value, shape = repeat(layer.inputs[0], (h, w, c), wide)
    row = (h, 1, w * wide * c)
    value = add("reshape", (value,), (shape,), row)
    value, shape = repeat(value, row, tall)
    add("reshape", (value,), (shape,), (h * tall, w * wide, c))
    made[-1] = replace(made[-1], name=name)
    return made

"""The float model file: parsed, checked, its shapes worked out by the table of ops of engram.nn.

A safetensors file of float32 tensors with metadata {"engram_float": VERSION, "graph": JSON}.
Version 2:

    name, classes (0 where no output classifies)
    input     shape [H, W, C] or [N]; dtype "uint8" | "float32"; scale, zero_point
    nodes     [{name, op, in, ...}, ...], each after those whose names are in its `in`; "input" is
              the input of the model. op: of engram.nn.ops. Tensors by their key in that table (w,
              b; scale, shift); a second one that is missing is zero. Attributes: kernel (where
              weights do not say it), stride, pad, dilation, slope; out, where weights do not say
              it. "relu": true puts a ReLU behind a node
    latent    name of the node whose value is stored: nodes up to it become int8; "input": none
    outputs   [{node, objective "classify" | "regress", weight}, ...]

Batch normalisation is a scale_shift, scale = gamma / sqrt(var + eps), shift = beta - mean * scale.

Version 1, a chain, is read for ever. In the place of nodes, latent and outputs it has `layers`,
which are nodes without name and in, and `frozen`: how many of them, from the first, become int8.

A uint8 input u stands for the real number (u - 128 - zero_point) * scale: on the board its top
bit is flipped, which makes it the int8 value of that quantization. A float32 input may leave out
scale and zero_point; they are then taken from the calibration data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError
from engram.nn import geometry, ops
from engram.nn.graph import build, pairs
from engram.nn.names import INPUT

from . import attributes, model_file

INPUT_DTYPES = ("uint8", "float32")
F32 = NDArray[np.float32]
Shape = tuple[int, ...]
Entry = dict[str, Any]

_INPUT_KEYS = ("shape", "dtype", "scale", "zero_point")
_OUTPUT_KEYS = ("node", "objective", "weight")


@dataclass(frozen=True)
class Node:
    """One node of a float model. tensors: {key in the table of ops: array}, in its order.

    inputs: names of values. shapes: those of the inputs, [H, W, C] or [N].
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    out: Shape
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, F32] = field(default_factory=dict, repr=False)

    def described(self) -> Entry:
        """This node as the device library describes it, a tensor by the name it has in a file."""
        keys = [word.split(":")[0] for word in ops.OPS[self.op][1].split()]
        return {
            "name": self.name,
            "op": self.op,
            "in": list(self.inputs),
            "shapes": [list(shape) for shape in self.shapes],
            "out": list(self.out),
            **self.attributes,
            **{key: f"{self.name}.{key}" for key in keys},
        }


@dataclass(frozen=True)
class FloatModel:
    """A checked float model. .frozen: the nodes that become int8; .adaptive: the others."""

    version: str
    name: str
    classes: int
    input_shape: Shape
    input_dtype: str
    input_scale: float | None
    input_zero_point: int | None
    frozen: tuple[Node, ...]
    adaptive: tuple[Node, ...]
    latent: str
    outputs: tuple[Mapping[str, Any], ...]


def load(path: Path) -> FloatModel:
    """Reads and checks a float model file. Raises ModelError naming the node and the reason."""
    tensors, metadata = model_file.read(path)
    version = metadata.get("engram_float")
    if version not in _READERS:
        kind = "a device model already" if "engram_model" in metadata else "no float model"
        raise ModelError(
            f"{path}: expected a float model of version {' or '.join(_READERS)}, "
            f"got {version or kind}"
        )
    try:
        raw = json.loads(metadata["graph"])
        return _parse(version, raw, tensors)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelError(f"{path}: its graph is incomplete ({error!r})") from error


def _parse(version: str, raw: Entry, tensors: model_file.Tensors) -> FloatModel:
    source = raw["input"]
    attributes.refuse_unknown("graph", raw, ("name", "classes", "input", *_KEYS[version]))
    attributes.refuse_unknown("input", source, _INPUT_KEYS)
    scale, zero_point = _input_scale(source)
    entries, latent, outputs = _READERS[version](raw)
    for entry in entries:
        _texts(entry["op"])
        attributes.check_keys(entry)
    for output in outputs:
        attributes.refuse_unknown(f"output {output['node']}", output, _OUTPUT_KEYS)
    entries, latent, outputs = _expanded(entries, latent, outputs)
    shapes: dict[str, Shape] = {INPUT: tuple(source["shape"])}
    nodes = []
    for entry in entries:
        node = _node(entry, shapes, tensors)
        shapes[node.name] = node.out
        nodes.append(node)
    names = [node.name for node in nodes]
    if latent not in (INPUT, *names):
        raise ModelError(f"expected the latent among {INPUT}, {', '.join(names)}; got {latent}")
    split = 0 if latent == INPUT else names.index(latent) + 1
    model = FloatModel(
        version=version,
        name=raw["name"],
        classes=raw.get("classes", 0),
        input_shape=shapes[INPUT],
        input_dtype=source["dtype"],
        input_scale=scale,
        input_zero_point=zero_point,
        frozen=tuple(nodes[:split]),
        adaptive=tuple(nodes[split:]),
        latent=latent,
        outputs=tuple(outputs),
    )
    _check_cut(model)
    _check_outputs(model)
    return model


def _input_scale(source: Entry) -> tuple[float | None, int | None]:
    if source["dtype"] not in INPUT_DTYPES:
        raise ModelError(
            f"expected an input of dtype {' or '.join(INPUT_DTYPES)}, got {source['dtype']}"
        )
    scale = source.get("scale")
    zero_point = source.get("zero_point")
    if source["dtype"] == "uint8" and (scale is None or zero_point is None):
        raise ModelError("expected scale and zero_point of a uint8 input in the graph, got none")
    if scale is not None and not scale > 0:
        raise ModelError(f"expected an input scale above 0, got {scale}")
    return scale, zero_point


# ---- both versions as entries of version 2 ----------------------------------------------------

_Read = tuple[list[Entry], str, list[Entry]]  # entries of nodes, latent, outputs


def _chain(raw: Entry) -> _Read:
    frozen, layers = raw["frozen"], raw["layers"]
    if not 0 <= frozen < len(layers):
        raise ModelError(
            f"expected 0 to {len(layers) - 1} frozen layers, got {frozen}; "
            "leave at least the last layer to learn"
        )
    values = [INPUT]
    entries = []
    for i, layer in enumerate(layers):
        name = layer["w"].rsplit(".", 1)[0] if "w" in layer else f"{layer['op']}{i}"
        entries.append({**layer, "name": name, "in": values[-1:]})
        values.append(name)
    return entries, values[frozen], [{"node": values[-1], "objective": "classify"}]


def _named(raw: Entry) -> _Read:
    return raw["nodes"], raw["latent"], raw["outputs"]


_READERS = {"1": _chain, "2": _named}
_KEYS = {"1": ("layers", "frozen"), "2": ("nodes", "latent", "outputs")}


def _expanded(entries: Iterable[Entry], latent: str, outputs: Iterable[Entry]) -> _Read:
    """Nodes of their own for what is short for them: a ReLU, sums of more than two values."""
    behind: dict[str, str] = {}  # a node: the ReLU behind it
    out: list[Entry] = []
    for entry in entries:
        node = {**entry, "in": [behind.get(value, value) for value in entry["in"]]}
        relu = node.pop("relu", False)
        out += pairs(node)
        if relu:
            behind[node["name"]] = f"{node['name']}:relu"
            out.append({"name": behind[node["name"]], "op": "relu", "in": [node["name"]]})
    moves = [{**output, "node": behind.get(output["node"], output["node"])} for output in outputs]
    return out, behind.get(latent, latent), moves


# ---- nodes ------------------------------------------------------------------------------------


def _node(entry: Entry, shapes: Mapping[str, Shape], tensors: model_file.Tensors) -> Node:
    """A node whose shapes follow from the table of ops. shapes: of the values before it."""
    name, op = entry["name"], entry["op"]
    try:
        text = _texts(op)
        if name in shapes:
            raise ModelError("expected names that differ, got this one twice")
        unknown = [value for value in entry["in"] if value not in shapes]
        if unknown:
            raise ModelError(
                f"expected inputs among the nodes before it ({', '.join(shapes)}), "
                f"got {', '.join(unknown)}"
            )
        if len(entry["in"]) != ops.arity(op):
            raise ModelError(f"expected {ops.arity(op)} inputs, got {len(entry['in'])}")
        if "out" not in entry and ops.OPS[op][0] in (geometry.transposed, geometry.reshape):
            raise ModelError("expected the shape of its output as out, got none")
        w = _first_tensor(entry, text, tensors)
        sources = tuple(shapes[value] for value in entry["in"])
        kernel, out = _said_by(text, w)
        own = tuple(entry.get("out", ()))
        larger = own if ops.OPS[op][0] is geometry.transposed else sources[0]
        known = attributes.normalised(entry, kernel, larger)
        node = Node(name, op, tuple(entry["in"]), sources, own or out, known)
        shape = ops.OPS[op][0](node.described(), [list(source) for source in sources])
        if own and list(own) != shape:
            raise ModelError(f"expected an output of shape {shape}, got out {list(own)}")
        node = replace(node, out=tuple(shape))
        return replace(node, tensors=_tensors(entry, node, w, tensors))
    except ModelError as error:
        raise ModelError(f"node {name} ({op}): {error}") from error


def _texts(op: str) -> str:
    if op not in ops.OPS:
        raise ModelError(f"expected an op of {', '.join(sorted(ops.OPS))}; got {op}")
    text: str = ops.OPS[op][1]
    return text


def _first_tensor(entry: Entry, text: str, tensors: model_file.Tensors) -> F32 | None:
    """The weights of a node, which say what its entry need not."""
    if not text:
        return None
    key, names = text.split()[0].split(":")
    w = _tensor(tensors, entry[key])
    if w.ndim != len(names.split(",")):
        raise ModelError(f"expected weights ({names}), got {w.shape}, which do not belong to it")
    return w


def _said_by(text: str, w: F32 | None) -> tuple[list[int] | None, Shape]:
    """(kernel, what is known of the output shape) that the weights of a node say."""
    if w is None:
        return None, ()
    first, second = text.split()
    axes = dict(zip(first.split(":")[1].split(","), w.shape))
    channels = axes[second.split(":")[1]]
    if "R" in axes:
        return [axes["R"], axes["S"]], (0, 0, channels)
    return None, (channels,)


def _tensors(
    entry: Entry, node: Node, w: F32 | None, tensors: model_file.Tensors
) -> Mapping[str, F32]:
    """The tensors of a node by key: its weights w, then its bias, which may be missing."""
    out: dict[str, F32] = {}
    for key, shape in ops.tensors(node.described()):
        if not out and w is not None:
            out[key] = w
        else:
            zeros = np.zeros(shape, np.float32)
            out[key] = _tensor(tensors, entry[key]) if entry.get(key) else zeros
        if out[key].shape != shape:
            what = "weights" if out[key] is w else "bias"
            raise ModelError(f"expected {what} of shape {shape}, got {out[key].shape}")
    return out


def _tensor(tensors: model_file.Tensors, name: str) -> F32:
    if name not in tensors:
        raise ModelError(f"expected a tensor {name} in the file, got none of that name")
    tensor = tensors[name]
    if tensor.dtype != np.float32:
        raise ModelError(f"tensor {name}: expected float32, got {tensor.dtype}")
    bad = int(np.count_nonzero(~np.isfinite(tensor)))
    if bad:
        raise ModelError(f"tensor {name}: expected finite values, got {bad} NaN or infinite ones")
    return tensor


# ---- the whole --------------------------------------------------------------------------------


def _check_cut(model: FloatModel) -> None:
    """Only the latent is stored and replayed: nothing else of the frozen stage can be read."""
    before = {INPUT, *(node.name for node in model.frozen)} - {model.latent}
    for node in model.adaptive:
        for value in before.intersection(node.inputs):
            raise ModelError(
                f"node {node.name} ({node.op}) reads {value}, which lies before the latent "
                f"{model.latent}: only the latent is stored and replayed; let the latent be a "
                "node where all branches have joined (an add, a concat), or the last node before "
                "they part"
            )


def _check_outputs(model: FloatModel) -> None:
    nodes = {node.name: node for node in model.adaptive}
    for output in model.outputs:
        node = nodes.get(output["node"])
        if node is None:
            raise ModelError(
                f"expected an output among the nodes after the latent {model.latent} "
                f"({', '.join(nodes)}), got {output['node']}"
            )
        size = geometry.elems(node.out)
        if output["objective"] == "classify" and (node.op, size) != ("dense", model.classes):
            raise ModelError(
                f"expected the classes from a dense node without ReLU, one output for each of "
                f"the {model.classes} classes; got {node.op} with {size}"
            )
    entries = [{**node.described(), "format": "f32"} for node in (*model.frozen, *model.adaptive)]
    outputs = [{"weight": 1, **output} for output in model.outputs]
    build(entries, INPUT, model.input_shape, model.input_shape, outputs)

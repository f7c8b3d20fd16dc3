"""The graph of a model: nodes with named inputs, in an order in which each follows its inputs.

A node is a dict: name, op, format, in (names of values), out (shape), the attributes of its op
(kernel, stride, pad, dilation, slope, q, qp) and, by key, the names of its tensors. A value has
the name of the node that makes it; "input" is the int8 input of the model.

The value named by latent["node"] is the latent: what is stored and replayed. Nodes up to it are
the frozen stage; they run once per sample, in int8. Nodes after it are the adaptive stage; they
read the latent as float32 and no other value of the frozen stage.

read() also takes graphs of version 1, two chains of layers, for ever.
"""

from ..errors import ModelError
from . import formats
from .geometry import elems
from .names import INPUT, LATENT
from .net import Net
from .objectives import NAMES as OBJECTIVES
from .objectives import load
from .ops import OPS, arity

CHOICES = ("f32", "q8", "mixed")  # of reform()
FORMAT_OF_STAGE = {"frozen": "s8", "adaptive": "f32"}


def build(nodes, latent, input_shape, latent_shape, outputs):
    """A net.Net of nodes in order. Raises ModelError, naming the node."""
    at = 0
    if latent != INPUT:
        names = [node["name"] for node in nodes]
        if latent not in names:
            raise ModelError("expected the latent to be a node, got %s" % latent)
        at = names.index(latent) + 1
    frozen = _stage(nodes[:at], {INPUT: (list(input_shape), "s8")}, "frozen")
    shape = frozen[-1]["out"] if frozen else input_shape
    if list(shape) != list(latent_shape):
        raise ModelError("expected a latent of shape %s, got %s" % (shape, latent_shape))
    rest = nodes[at:]
    for node in rest:
        node["in"] = [LATENT if value == latent else value for value in node["in"]]
    net = Net(frozen, rest, list(input_shape), latent, list(latent_shape), outputs)
    _set_adaptive(net, rest)
    net.head = _head(net)
    return net


def reform(net, choice):
    """Gives the float32 and q8 nodes of a net.Net another format: "f32", "q8" as far as they have
    it, or "mixed": q8 but for the nodes that make outputs."""
    if choice not in CHOICES:
        raise ModelError("expected a format of %s, got %r" % (", ".join(CHOICES), choice))
    made = {node["name"]: node["in"][0] for node in net.adaptive if _is_cast(node)}
    nodes = [node for node in net.adaptive if node["name"] not in made]
    outputs = [output["node"] for output in net.outputs]
    for node in nodes:
        node["in"] = [made.get(value, value) for value in node["in"]]
        if node["format"] == "s8":
            continue
        is_output = node["name"] in outputs
        integer = choice == "q8" or (choice == "mixed" and not is_output)
        node["format"] = "q8" if integer and _q8().suits(node, is_output) else "f32"
    _set_adaptive(net, nodes)
    net.head = _head(net)


def format_of(net):
    """The format of the adaptive nodes that have parameters: "f32", "q8" or "mixed"."""
    nodes = [node for node in net.adaptive if node["format"] != "s8" and OPS[node["op"]][1]]
    formats_used = sorted(set([node["format"] for node in nodes]))
    return formats_used[0] if len(formats_used) == 1 else "mixed" if formats_used else "f32"


def _q8():
    return formats.load("q8")


def _is_cast(node):
    return node["op"] in ("cast", "uncast") and "qp" not in node


def _set_adaptive(net, nodes):
    """Net.adaptive of the nodes, without the casts, in their formats."""
    outputs = [output["node"] for output in net.outputs]
    readers = [node for node in nodes if LATENT in node["in"]]
    integer = [node for node in readers if node.get("format") == "q8"]
    net.latent_format = "q8" if readers and len(integer) == len(readers) else "f32"
    for node in nodes:
        node.pop("is_output", None)
        if node["name"] in outputs and node.get("format") == "q8":
            node["is_output"] = True
    net.adaptive = _stage(nodes, {LATENT: (net.latent_shape, net.latent_format)}, "adaptive")


def _head(net):
    """The node that tells classes apart, or None."""
    if not net.outputs:
        raise ModelError("expected an output with an objective, got none")
    head, names = None, []
    for output in net.outputs:
        if output["node"] in names:
            raise ModelError("expected one output per node, got two of %s" % output["node"])
        names.append(output["node"])
        if output["objective"] not in OBJECTIVES:
            raise ModelError(
                "expected an objective of %s, got %s"
                % (", ".join(OBJECTIVES), output["objective"])
            )
        node = net.node(output["node"])
        expected = load(output["objective"]).EXPECTED
        if expected == "latent" and elems(node["out"]) != elems(net.latent_shape):
            raise ModelError(
                "expected %d values of %s, as many as the latent has, got %d"
                % (elems(net.latent_shape), node["name"], elems(node["out"]))
            )
        if output["objective"] == "classify":
            if head:
                raise ModelError("expected one output that tells classes apart, got two")
            head = node
    if head and (head["op"] != "dense" or head["format"] == "s8"):
        raise ModelError("expected the classes from a dense float32 node, got %s" % head["op"])
    if head and any([head["name"] in node["in"] for node in net.adaptive]):
        raise ModelError(
            "expected no node that reads the classes, whose number can grow; got one of %s"
            % head["name"]
        )
    return head


def read(raw, version):
    """A net.Net of what the JSON of a model file says, version "1" or "2"."""
    nodes, latent, outputs = (_chains if version == "1" else _named)(raw)
    return build(nodes, latent, raw["input"]["shape"], raw["latent"]["shape"], outputs)


def _chains(raw):
    """Version 1: the layers of both stages in order, each after the one before."""
    nodes, value = [], INPUT
    latent = value
    for stage in ("frozen", "adaptive"):
        for i, layer in enumerate(raw[stage]):
            node = dict(layer)
            node["name"] = "%s%d" % (stage[0], i)
            node["format"] = FORMAT_OF_STAGE[stage]
            node["expects"] = node.pop("in", None)
            node["in"] = [value]
            nodes.append(node)
            value = node["name"]
        if stage == "frozen":
            latent = value
    return nodes, latent, [{"node": value, "objective": "classify", "weight": 1}]


def _named(raw):
    outputs = [
        {key: o[key] for key in ("node", "objective", "weight", "warm_up") if key in o}
        for o in raw["outputs"]
    ]
    for output in outputs:
        output.setdefault("weight", 1)
    nodes = []
    for node in raw["nodes"]:
        nodes += pairs(dict(node))
    return nodes, raw["latent"]["node"], outputs


def pairs(node):
    """A sum or concatenation of more than two values, as one of two after the other."""
    inputs, chain = node["in"], []
    if node.get("format", "f32") == "f32" and arity(node["op"]) == 2:
        while len(inputs) > 2:
            part = {"op": node["op"], "in": inputs[:2], "format": "f32"}
            part["name"] = "%s:%d" % (node["name"], len(chain))
            inputs = [part["name"]] + inputs[2:]
            chain.append(part)
        node["in"] = inputs
    return chain + [node]


def _stage(nodes, values, stage):
    """The nodes with their shapes, and casts where formats meet. values: {name: (shape, format)},
    those that the first nodes may read."""
    out = []
    for node in nodes:
        name, op = node["name"], node["op"]
        if op not in OPS:
            raise ModelError(
                "node %s: expected an op of %s, got %s" % (name, ", ".join(sorted(OPS)), op)
            )
        if name in values:
            raise ModelError("expected names that differ, got %s twice" % name)
        form = node.setdefault("format", FORMAT_OF_STAGE[stage])
        try:
            formats.load(form).rows(formats.load(form).variant(node))
            for i, value in enumerate(node["in"]):
                if value not in values:
                    raise ModelError(
                        "expected an input of %s, got %s" % (", ".join(sorted(values)), value)
                    )
                if values[value][1] != form:
                    out += _cast(node, i, values, out)
            node["shapes"] = [values[value][0] for value in node["in"]]
            _set_shape(node)
        except ModelError as e:
            raise ModelError("node %s (%s): %s" % (name, op, e))
        values[name] = (node["out"], _format_of_values(node))
        out.append(node)
    return out


def _format_of_values(node):
    return "f32" if node["format"] == "q8" and _q8().kind(node) == "f32" else node["format"]


def _cast(node, i, values, before):
    """[a node that brings input i of `node` into its format], or [] where there is one."""
    value = node["in"][i]
    shape, form = values[value]
    name = "%s:%s" % (value, node["format"])
    if (form, node["format"]) in (("f32", "q8"), ("q8", "f32")):
        node["in"] = node["in"][:i] + [name] + node["in"][i + 1 :]
        if name in values:
            return []
        values[name] = (shape, node["format"])
        op = "cast" if form == "f32" else "uncast"
        cast = {"name": name, "op": op, "format": "q8", "in": [value]}
        cast["shapes"], cast["out"] = [shape], shape
        return [cast]
    source = node if node["format"] == "s8" else [n for n in before if n["name"] == value][0]
    qp = source.get("in_qp", ((),) * (i + 1))[i] if source is node else source.get("qp")
    if not qp:
        raise ModelError("expected a scale and a zero point to cast %s by, got none" % value)
    cast = {"name": name, "op": "cast", "format": node["format"], "in": [value], "qp": qp}
    cast["shapes"], cast["out"] = [shape], shape
    node["in"] = node["in"][:i] + [name] + node["in"][i + 1 :]
    values[name] = (shape, node["format"])
    return [cast]


def _set_shape(node):
    own, shapes = node.pop("expects", None), node["shapes"]
    if own is not None and node["op"] != "dense" and list(own) != list(shapes[0]):
        raise ModelError("expected an input %s, got %s" % (shapes[0], own))
    if own is not None and elems(own) != elems(shapes[0]):
        raise ModelError("expected an input of %d elements, got %s" % (elems(shapes[0]), own))
    if node["op"] == "conv2d" and _is_pointwise(node):
        node["op"] = "pointwise"
    if len(shapes) != arity(node["op"]):
        raise ModelError("expected %d inputs, got %d" % (arity(node["op"]), len(shapes)))
    shape = OPS[node["op"]][0](node, shapes)
    if list(node.get("out", shape)) != shape:
        raise ModelError("expected an output %s, got %s" % (shape, node["out"]))
    node["out"] = shape


def _is_pointwise(node):
    return (
        list(node["kernel"]) == [1, 1]
        and list(node["stride"]) == [1, 1]
        and list(node["pad"]) == [0, 0, 0, 0]
    )

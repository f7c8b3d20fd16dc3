"""The scope of learning: nodes of the adaptive stage, each whole, its biases or some channels.

A scope is a text of terms with commas between them, for example "head,all.b": the head whole, and
the biases of all nodes. A term is

    all         each node that has weights
    last:K      the last K of them
    head        the nodes that make the outputs (those with weights nearest to them)
    NAME        one node, by its name in the model
    TERM.b      of those nodes the biases alone
    TERM.in:0-7+12     of those nodes the weights of these input channels (channels.py)
    TERM.out:0-3       of these output channels; a node may have both
    TERM.in:norm:0.25  of the share of the channels with the largest weights, in the L2 norm of
                       the model file's

A node that one term names whole is whole.

Biases alone: TinyTL (Cai, Gan, Zhu and Han, NeurIPS 2020). Head alone: TinyOL (Ren, Anicic and
Runkler, IJCNN 2021).
"""

from ..errors import DataError
from . import formats

PRESETS = {"bias": "all.b", "head": "head", "all": "all"}


def learning(graph, scope="all", weights=None):
    """{name of a node: "all", "bias" or chosen channels} of the adaptive nodes of graph.Graph that
    learn.

    weights: function(node) -> its weights in the model file, array('f'), for norms.
    Raises DataError on a scope that names nothing.
    """
    owners = _owners(graph)
    out = {}
    for term in scope.split(","):
        selector, side, part = _parted(term.strip())
        for name in _select(graph, owners, selector, scope):
            if not side:
                out[name] = "all"
            elif side == "b":
                out.setdefault(name, "bias")
            elif out.get(name) != "all":
                own = _channels(graph, name, side, part, scope, weights)
                before = out.get(name, "bias")
                if before != "bias" and (side + ":" in before or _is_one_axis(graph.node(name))):
                    raise DataError(
                        "scope %r: expected one choice of channels of %s, got two; write 0-3+6"
                        % (scope, name)
                    )
                out[name] = own if before == "bias" else before + ";" + own
    return out


def _parted(term):
    """(selector, "", "b", "in" or "out", which channels) of a term."""
    for side in ("in", "out"):
        selector, dot, part = term.partition("." + side + ":")
        if dot:
            return selector, side, part
    return (term[:-2], "b", "") if term.endswith(".b") else (term, "", "")


def _channels(graph, name, side, part, scope, weights):
    """The choice of a node's channels, as channels.py reads it. Raises DataError."""
    from .channels import axes, largest, ranges, text_of

    node = graph.node(name)
    axis, count = axes(node)[side]
    if graph.head is node and side == "out":
        raise DataError(
            "scope %r: expected input channels of %s, whose outputs are the classes, got outputs"
            % (scope, name)
        )
    if part.startswith("norm:"):
        share = _number(part[5:])
        if not 0 < share <= 1:
            raise DataError(
                "scope %r: expected a share of the channels of %s above 0, at most 1, got %r"
                % (scope, name, part[5:])
            )
        return text_of(side, ranges(largest(node, axis, weights(node), share)))
    chosen = []
    for word in part.split("+"):
        first, dash, last = word.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            chosen = []
            break
        chosen += range(int(first), int(last or first) + 1)
    if not chosen or len(set(chosen)) < len(chosen) or max(chosen) >= count:
        raise DataError(
            "scope %r: expected %sput channels of %s from 0 to %d, each once, as 0-3+6, or "
            "norm:SHARE, got %r" % (scope, side, name, count - 1, part)
        )
    return text_of(side, ranges(sorted(chosen)))


def _is_one_axis(node):
    """Whether input and output channels of a node are the same."""
    from .channels import axes

    return axes(node)["in"] == axes(node)["out"]


def _number(text):
    try:
        return float(text)
    except ValueError:
        return 0


def _owners(graph):
    """Names of the nodes that have float32 tensors, in the order of the graph."""
    return [
        node["name"]
        for node in graph.adaptive
        if "F32" in [dtype for _, dtype, _ in formats.load(node["format"]).tensors(node)]
    ]


def _select(graph, owners, selector, scope):
    if selector == "all":
        return owners
    if selector == "head":
        return heads(graph)
    if selector.startswith("last:") and selector[5:].isdigit() and int(selector[5:]) > 0:
        return owners[-int(selector[5:]) :]
    if selector in owners:
        return [selector]
    raise DataError(
        "scope %r: expected all, head, last:K or a node that has weights (%s), got %r"
        % (scope, ", ".join(owners), selector)
    )


def heads(graph):
    """Names of the nodes with weights that lie nearest to the outputs, at them or below."""
    owners = _owners(graph)
    makers = {node["name"]: node for node in graph.adaptive}
    out, todo = [], [output["node"] for output in graph.outputs]
    while todo:
        name = todo.pop()
        if name in owners:
            out.append(name)
        elif name in makers:
            todo += makers[name]["in"]
    return [name for name in owners if name in out]

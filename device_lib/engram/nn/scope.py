"""The scope of learning: nodes of the adaptive stage, each whole or with its biases alone.

A scope is a text of terms with commas between them, for example "head,all.b": the head whole, and
the biases of all nodes. A term is

    all         each node that has weights
    last:K      the last K of them
    head        the nodes that make the outputs (those with weights nearest to them)
    NAME        one node, by its name in the model
    TERM.b      of those nodes the biases alone

Biases alone: TinyTL (Cai, Gan, Zhu and Han, NeurIPS 2020). Head alone: TinyOL (Ren, Anicic and
Runkler, IJCNN 2021).
"""

from ..errors import DataError
from . import formats

PRESETS = {"bias": "all.b", "head": "head", "all": "all"}


def learning(graph, scope="all"):
    """{name of a node: "all" or "bias"} of the adaptive nodes of graph.Graph that learn.

    Raises DataError on a scope that names nothing.
    """
    owners = _owners(graph)
    out = {}
    for term in scope.split(","):
        selector, dot, part = term.strip().rpartition(".") if term.endswith(".b") else (
            term.strip(), "", "")
        for name in _select(graph, owners, selector, scope):
            if not dot:
                out[name] = "all"
            elif part == "b":
                out.setdefault(name, "bias")
    return out


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

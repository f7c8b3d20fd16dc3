"""The number formats that are compared: a name, and what it changes of a model and a learner."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

REFERENCE = "f32"


class Variant(NamedTuple):
    """A way to train. body, head: format of the nodes below the head, and of the head.

    node: further keys of each node of that format; learner: further options of Learner.
    broken: it stands here to show what a rule of rounding costs, and no bar is asked of it.
    """

    what: str
    body: str = "f32"
    head: str = "f32"
    node: Mapping[str, Any] = {}
    learner: Mapping[str, Any] = {}
    broken: bool = False

    def graph(self, graph: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a graph in these formats."""
        out = copy.deepcopy(dict(graph))
        heads = {output["node"] for output in out["outputs"]}
        for node in out["nodes"]:
            form = self.head if node["name"] in heads else self.body
            if form != REFERENCE:
                node["format"] = form
                node.update(self.node)
        return out


VARIANTS: dict[str, Variant] = {
    REFERENCE: Variant("float32"),
}

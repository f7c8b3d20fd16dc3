"""The number formats that are compared: a name, and what it changes of a model and a learner."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from engram_host.convert import model_file

REFERENCE = "f32"


class Variant(NamedTuple):
    """A way to train. body, head: format of the nodes below the head, and of the head.

    node: further keys of each node of that format; learner: further options of Learner.
    broken: it stands here to show what a rule of rounding costs, and no bar is asked of it.
    on_boards: its steps are counted on emulated boards.
    """

    what: str
    body: str = "f32"
    head: str = "f32"
    node: Mapping[str, Any] = {}
    learner: Mapping[str, Any] = {}
    broken: bool = False
    on_boards: bool = False

    def graph(self, graph: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a graph in these formats."""
        out = copy.deepcopy(dict(graph))
        heads = {output["node"] for output in out["outputs"]}
        names = [node["name"] for node in out["nodes"]]
        latent = out["latent"]["node"]
        first = names.index(latent) + 1 if latent in names else 0
        for node in out["nodes"][first:]:
            form = self.head if node["name"] in heads else self.body
            if form != REFERENCE:
                node["format"] = form
                node.update(self.node)
        return out

    def file(self, raw: bytes) -> bytes:
        """A model file whose adaptive stage is in these formats."""
        (size,) = struct.unpack_from("<Q", raw)
        metadata = json.loads(raw[8 : 8 + size])["__metadata__"]
        graph = json.loads(metadata["graph"])
        if metadata["engram_model"] == "1":
            graph = with_names(graph)
        text = json.dumps(self.graph(graph))
        return model_file.with_metadata(raw, graph=text, engram_model="2")


def with_names(graph: Mapping[str, Any]) -> dict[str, Any]:
    """A graph of version 2 from one of version 1, two chains without names."""
    nodes, value = [], "input"
    latent = value
    for stage in ("frozen", "adaptive"):
        for i, layer in enumerate(graph[stage]):
            node = {key: item for key, item in layer.items() if key != "in"}
            nodes.append({**node, "name": f"{stage[0]}{i}", "in": [value]})
            value = nodes[-1]["name"]
        latent = value if stage == "frozen" else latent
    rest = {key: graph[key] for key in ("name", "classes", "input")}
    return {
        **rest,
        "latent": {**graph["latent"], "node": latent},
        "nodes": nodes,
        "outputs": [{"node": value, "objective": "classify"}],
    }


VARIANTS: dict[str, Variant] = {
    REFERENCE: Variant("float32", on_boards=True),
}

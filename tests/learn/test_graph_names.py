"""Graphs that a learner could not keep apart are refused, with what is wrong with them."""

import io

import numpy as np
import pytest
import tiny_model

from engram import ModelError, ModelSpec
from engram.continual.config import Config

SCALE = {"scale": 1 / 64, "zero_point": -3}


def dense(name, source, units, w=None):
    own = w or name
    return {
        "op": "dense", "name": name, "in": [source], "out": [units],
        "w": f"{own}.w", "b": f"{own}.b",
    }  # fmt: skip


def load(nodes, outputs):
    """The ModelSpec of dense nodes and others over a latent of 4; a node of classes makes 4."""
    graph = {
        "name": "names", "classes": 4, "nodes": nodes,
        "input": {"shape": [4], "dtype": "float32", **SCALE},
        "latent": {"node": "input", "shape": [4], **SCALE},
        "outputs": [{"node": node, "objective": objective} for node, objective in outputs],
    }  # fmt: skip
    tensors = {}
    for node in nodes:
        if "w" in node:
            tensors[node["w"]], tensors[node["b"]] = (4, 4), (4,)
    rows = [(key, "F32", s, np.zeros(s, "f4").tobytes()) for key, s in tensors.items()]
    return ModelSpec(io.BytesIO(tiny_model.pack(graph, rows, "2")))


@pytest.mark.parametrize(
    "name, options",
    [
        ("params", {}), ("grads", {"momentum": 0}), ("velocity", {}), ("labels", {}),
        ("latents", {}), ("input", {}), (":latent", {}), ("mean", {"optimiser": "adam"}),
        ("q", {"strategy": "lwf"}), ("fisher", {"strategy": "ewc"}),
    ],
)  # fmt: skip
def test_a_node_has_no_name_of_a_buffer_of_the_learner(name, options):
    with pytest.raises(ModelError, match=name):
        spec = load([dense(name, "input", 4), dense("c", name, 4)], [("c", "classify")])
        Config(spec, 4, **options).plan()


def test_such_a_name_is_free_where_the_learner_has_no_such_buffer():
    spec = load([dense("q", "input", 4), dense("c", "q", 4)], [("c", "classify")])
    Config(spec, 4).plan()


def test_a_node_is_one_output():
    nodes = [dense("a", "input", 4), dense("c", "a", 4)]
    with pytest.raises(ModelError, match="two of c"):
        load(nodes, [("c", "classify"), ("c", "regress")])


def test_a_float32_tensor_is_of_one_node():
    nodes = [dense("a", "input", 4), dense("b", "a", 4, "a"), dense("c", "b", 4)]
    with pytest.raises(ModelError, match=r"got a\.. of two"):
        load(nodes, [("c", "classify")])


def test_no_node_reads_the_classes():
    nodes = [dense("c", "input", 4), {"op": "tanh", "name": "t", "in": ["c"]}]
    with pytest.raises(ModelError, match="number can grow; got one of c"):
        load(nodes, [("c", "classify"), ("t", "regress")])

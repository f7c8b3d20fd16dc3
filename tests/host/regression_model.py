"""A small model that regresses, alone or beside classes, and samples that it can learn.

Four float32 inputs, no frozen stage, one hidden layer. Of an input x

    classes   which of x[0], x[1], x[2] is the largest
    place     2 values: x[0] - x[1] and x[2] / 2
    size      1 value: the mean of x
"""

import struct

import numpy as np
import tiny_model

from engram_host import samples

HIDDEN = 12
VALUES = {"classes": 3, "place": 2, "size": 1}


def write(path, *outputs):
    """The device model with these outputs; the path."""
    rng = np.random.default_rng(5)
    nodes = [_dense("hidden", "input", HIDDEN), {"name": "act", "op": "relu", "in": ["hidden"]}]
    nodes += [_dense(name, "act", VALUES[name]) for name in outputs]
    tensors = []
    for name, n, fan_in in [("hidden", HIDDEN, 4), *((o, VALUES[o], HIDDEN) for o in outputs)]:
        w = rng.normal(size=n * fan_in) / fan_in**0.5
        tensors.append((f"{name}.w", "F32", (n, fan_in), struct.pack(f"<{w.size}f", *w)))
        tensors.append((f"{name}.b", "F32", (n,), struct.pack(f"<{n}f", *[0.1] * n)))
    scale = {"scale": 1 / 255, "zero_point": -128}
    graph = {
        "name": "plane",
        "classes": VALUES["classes"] if "classes" in outputs else 0,
        "input": {"shape": [4], "dtype": "float32", **scale},
        "nodes": nodes,
        "latent": {"node": "input", "shape": [4], **scale},
        "outputs": [
            {"node": o, "objective": "classify" if o == "classes" else "regress"} for o in outputs
        ],
    }
    path.write_bytes(tiny_model.pack(graph, tensors, "2"))
    return path


def _dense(name, value, n):
    return {
        "name": name, "op": "dense", "in": [value], "out": [n], "w": f"{name}.w", "b": f"{name}.b",
    }  # fmt: skip


def arrays(n, *outputs, seed=1):
    """{"x", and of "y" and "targets" what a model with these outputs learns from}."""
    x = np.random.default_rng(seed).random((n, 4)).astype(np.float32)
    values = {
        "place": np.stack([x[:, 0] - x[:, 1], x[:, 2] / 2], axis=1),
        "size": x.mean(axis=1, keepdims=True),
    }
    columns = [values[name] for name in outputs if name != "classes"]
    columns_of_file = {"x": x}
    if "classes" in outputs:
        columns_of_file["y"] = x[:, :3].argmax(axis=1)
    if columns:
        columns_of_file["targets" if "classes" in outputs else "y"] = np.concatenate(
            columns, axis=1
        )
    return columns_of_file


def some(n, *outputs, seed=1):
    """The Samples of arrays()."""
    return samples.make(**arrays(n, *outputs, seed=seed))

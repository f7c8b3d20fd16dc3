"""A classifier for a frozen stage of somebody else's: it learns from the values that any function
on the board makes of a sample (OpenMV's ml.Model, TensorFlow Lite's runtime, own C).

Engram keeps these values, replays them and trains on them; engram.open(features=function) calls
the function.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.convert import model_file
from engram_host.convert.quantize import activation_scale
from engram_host.errors import InputError

from .layers import Layers

_VERSION = "2"  # of a device model


@dataclass
class Recipe:
    """The choices of a head.

    inputs    values of a sample, as the function makes them, float32
    classes   room in the classifier
    low, high the ends of their range; values beyond are clamped when they are stored
    hidden    units of dense layers with a ReLU before the classifier
    """

    inputs: int
    classes: int
    low: float
    high: float
    hidden: Sequence[int] = ()
    seed: int = 1
    name: str = "head"


def range_of(values: NDArray[Any]) -> tuple[float, float]:
    """(low, high) of values (n, inputs), without one of a thousand at either end."""
    low, high = np.percentile(np.asarray(values, np.float64), [0.1, 99.9])
    return float(low), float(high)


def write(path: Path, recipe: Recipe) -> int:
    """Writes a device model without frozen layers; its size in bytes. Raises InputError."""
    if not recipe.low < recipe.high:
        raise InputError(
            f"expected a range from low to high, got {recipe.low:g} to {recipe.high:g}"
        )
    layers = Layers([recipe.inputs], recipe.seed)
    value = "input"
    for i, units in enumerate(recipe.hidden):
        value = layers.dense(f"dense{i}", value, units)
        value = layers.op(f"dense{i}_relu", "relu", value)
    last = layers.dense("classes", value, recipe.classes, gain=1)
    layers.tensors["classes.w"][:] = 0  # all classes alike before anything is learned
    scale = activation_scale(recipe.low, recipe.high)._asdict()
    shape = [recipe.inputs]
    graph = {
        "name": recipe.name,
        "classes": recipe.classes,
        "input": {"shape": shape, "dtype": "float32", **scale},
        "nodes": [{"format": "f32", **node} for node in layers.nodes],
        "latent": {"node": "input", "shape": shape, **scale},
        "outputs": [{"node": last, "objective": "classify", "weight": 1}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"engram_model": _VERSION, "graph": json.dumps(graph)}
    return model_file.write(path, layers.tensors, metadata)

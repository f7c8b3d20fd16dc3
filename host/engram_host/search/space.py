"""The choices of a search: a table of options of a learner, and what each may be for a model."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engram.nn.graph import reform
from engram.nn.model import ModelSpec
from engram.nn.ops import OPS
from engram.nn.scope import learning

Point = dict[str, Any]  # {dimension: choice}

# Number format -> the options of a learner that make it.
FORMATS: dict[str, dict[str, Any]] = {
    "f32": {},
    "q8": {"format": "q8"},
    "mixed": {"format": "mixed"},
}

BITS = (3, 4, 6, 8)
BUFFERS = (50, 100, 200, 500, 1000, 2000)
BATCHES = (4, 8, 16, 32)
STEPS = (50, 100, 200, 400, 800)


def scopes(spec: ModelSpec) -> tuple[str, ...]:
    """Scopes of a model from the least to the most that learns: all biases, the last layers."""
    graph = spec.net
    names = ["all.b", "head"]
    names += [f"last:{k}" for k in range(2, len(graph.adaptive) + 1)]
    found: dict[tuple[tuple[str, str], ...], str] = {}
    for name in names:
        found.setdefault(tuple(sorted(learning(graph, name).items())), name)
    return tuple(found.values())


def formats(spec: ModelSpec) -> tuple[str, ...]:
    """Number formats that make a difference to the layers of a model: a model whose output is its
    only layer has no "mixed", one whose output cannot be q8 has no other q8 than "mixed"."""
    found: dict[tuple[tuple[str, str], ...], str] = {}
    for name, options in FORMATS.items():
        net = copy.deepcopy(spec.net)
        if options:
            reform(net, options["format"])
        layers = [node for node in net.adaptive if OPS[node["op"]][1]]
        found.setdefault(tuple((node["name"], node["format"]) for node in layers), name)
    return tuple(found.values())


# Dimension -> its choices for a model, in an order in which neighbours are alike.
DIMENSIONS: dict[str, Callable[[ModelSpec], Sequence[Any]]] = {
    "scope": scopes,
    "format": formats,
    "bits": lambda spec: BITS,
    "budget": lambda spec: BUFFERS,
    "batch": lambda spec: BATCHES,
    "steps": lambda spec: STEPS,
}


class Space:
    """The points of a search: one of the choices of each dimension.

    spec: of the model. fixed: {dimension: the only choice}, as a user gave it.
    """

    def __init__(self, spec: ModelSpec, fixed: Mapping[str, Any] | None = None) -> None:
        only = fixed or {}
        self.choices: dict[str, tuple[Any, ...]] = {
            name: (only[name],) if only.get(name) is not None else tuple(choices(spec))
            for name, choices in DIMENSIONS.items()
        }

    def __len__(self) -> int:
        n = 1
        for choices in self.choices.values():
            n *= len(choices)
        return n

    def __iter__(self) -> Iterator[Point]:
        for values in itertools.product(*self.choices.values()):
            yield dict(zip(self.choices, values))

    def place(self, point: Point) -> tuple[int, ...]:
        """The places of a point's choices among those of its dimensions."""
        return tuple(self.choices[name].index(point[name]) for name in self.choices)

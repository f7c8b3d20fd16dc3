"""Contribution analysis: the layers and channels that are worth learning on a user's data.

Lin, Zhu, Chen, Wang, Gan, Han, "On-Device Training Under 256KB Memory" (NeurIPS 2022): one layer
at a time is fine-tuned beside all biases, and what it gains in accuracy over the biases alone is
its contribution; parts of its channels have theirs. What learns is the set whose contributions
add up to the most within the limits. Here every set is looked at, as models of a board have few
layers; those with the largest sums are then learned, as contributions do not quite add up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from engram.errors import DataError
from engram.nn.model import ModelSpec
from engram.nn.scope import learning

from ..errors import InputError
from .feasible import Costs, Way, refusal
from .space import Point

BIASES = "all.b"
# Parts of a layer that may learn: all of it, or the input channels with the largest weights.
PARTS = ("", ".in:norm:0.5", ".in:norm:0.25")
_MOST_LAYERS = 6  # of which all sets are looked at
_VERIFIED = 3  # sets that are learned in the end


class Contribution(NamedTuple):
    """A layer, or channels of it: accuracy with it and all biases, what that is above the biases
    alone, and the way on the board; None where it is beyond the limits."""

    layer: str
    part: str
    scope: str
    accuracy: float
    gain: float
    way: Way | None


class Choice(NamedTuple):
    """A set of layers within the limits: its contributions added up, and its own accuracy."""

    scope: str
    sum: float
    accuracy: float
    way: Way


class Analysis(NamedTuple):
    """biases: accuracy where the biases alone learn. choices: the best first."""

    biases: float
    contributions: list[Contribution]
    choices: list[Choice]


def layers(spec: ModelSpec) -> list[str]:
    """Names of the layers that can learn."""
    return list(learning(spec.net, "all"))


def analysed(
    names: list[str],
    costs: Costs,
    accuracy: Callable[[Point], float],
    point: Point,
    on_run: Callable[[str, float], None] = lambda scope, value: None,
) -> Analysis:
    """The contributions of layers, and the best sets of them within the limits of costs.

    names: of the layers. accuracy: of a Point. point: all but the scope. on_run: called with each
    scope that was learned. Raises InputError where not even the biases stay within the limits.
    """

    def run(scope: str) -> float:
        value = accuracy({**point, "scope": scope})
        on_run(scope, value)
        return value

    least = costs.verdict({**point, "scope": BIASES})
    if not least.fits:
        raise InputError(
            f"expected limits within which the biases can learn, got {refusal(least)}; give wider "
            "ones, or a smaller --batch, --budget or --steps"
        )
    biases = run(BIASES)
    found = []
    for name, part in itertools.product(names, PARTS):
        scope = _scope([name + part])
        try:
            verdict = costs.verdict({**point, "scope": scope})
        except DataError:  # a layer without such channels
            continue
        value, way = run(scope), verdict.ways[0] if verdict.fits else None
        found.append(Contribution(name, part, scope, value, value - biases, way))
    known = {BIASES: biases, **{one.scope: one.accuracy for one in found}}
    sets = list(itertools.islice(_within(found, costs, point), _VERIFIED))
    alone = [(one.scope, one.gain, one.way) for one in found if one.way]  # were learned anyway
    sets += [one for one in alone if one[0] not in [scope for scope, _, _ in sets]]
    choices = [
        Choice(scope, total, known[scope] if scope in known else run(scope), way)
        for scope, total, way in sets
    ]
    choices.sort(key=lambda one: one.accuracy, reverse=True)
    return Analysis(biases, found, choices[:_VERIFIED])


def _within(
    found: Sequence[Contribution], costs: Costs, point: Point
) -> Iterator[tuple[str, float, Way]]:
    """(scope, sum of gains, way) of the sets that stay within the limits, the largest sum first:
    of each layer one part, or its bias alone."""
    best: dict[str, float] = {}
    for one in found:
        best[one.layer] = max(one.gain, best.get(one.layer, one.gain))
    names = sorted(best, key=lambda name: best[name], reverse=True)[:_MOST_LAYERS]
    parts = [
        [None, *(one for one in found if one.layer == name)] for name in best if name in names
    ]
    sets = [[one for one in chosen if one] for chosen in itertools.product(*parts)]
    for chosen in sorted(sets, key=lambda each: sum(one.gain for one in each), reverse=True):
        scope = _scope([one.layer + one.part for one in chosen])
        verdict = costs.verdict({**point, "scope": scope})
        if verdict.fits:
            yield scope, sum(one.gain for one in chosen), verdict.ways[0]


def _scope(terms: Sequence[str]) -> str:
    """All biases, and these layers or parts of them."""
    return ",".join((BIASES, *terms))


def rows(analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain values."""
    return {
        "biases": analysis.biases,
        "contributions": [
            {**one._asdict(), "way": None if one.way is None else one.way._asdict()}
            for one in analysis.contributions
        ],
        "chosen": [
            {"scope": one.scope, "sum": one.sum, "accuracy": one.accuracy, **one.way._asdict()}
            for one in analysis.choices
        ],
    }

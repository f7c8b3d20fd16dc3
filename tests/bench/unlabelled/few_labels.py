"""Few labels: what 10, 100 or 200 of a class are worth, and how much unlabelled pictures help.

Every row but the nearest neighbour learns through the device library, as a board does it. The
labelled pictures are drawn by the seed from the training set, the same for all rows; accuracy is
on the data set's whole test set. Rates were chosen with seed 1 and 100 labels a class on 2,000 to
4,000 other pictures of the training set, never on the test set.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import memory
import numpy as np
import scratch_networks as networks
from rows import Row, Rows, figures, mean, table, told

from engram.continual.learner import Learner
from engram.nn.model import ModelSpec
from engram_host import boards
from engram_host.datasets import Dataset, digits, draw_per_class, fashion_mnist
from engram_host.learning.latent_store import LatentStore
from engram_host.make import features
from engram_host.planning.report import plan_report

PART = "few_labels"
SEEDS = (1, 2, 3)
EPOCHS = 30
BITS = 8  # of a stored latent
BOARD = "qemu_m4f"  # 256 KB of RAM
BAR, BAR_RAM = 0.84, 256 * 1024  # at 100 labels a class of Fashion-MNIST
GAP = 0.005  # that q8 may lie below float32


class Set(NamedTuple):
    """A data set. labels: how many a class; kernel: of features."""

    title: str
    load: Callable[[], Dataset]
    labels: tuple[int, ...]
    kernel: int


SETS = {
    "fashion": Set("Fashion-MNIST, 60,000 and 10,000 pictures", fashion_mnist, (10, 100, 200), 5),
    # its classes have 141 training pictures at least, so there are no 200
    "digits": Set("the digits of the demo, 1,437 and 360", digits, (10, 100), 3),
}


class Method(NamedTuple):
    """what: for people. learner: options of Learner; none: nothing learns."""

    what: str
    learner: Mapping[str, Any] | None = None


_SCRATCH = {"lr": 0.05, "momentum": 0.0}
METHODS = {
    "neighbour": Method("nearest neighbour on raw pixels"),
    "pixels": Method("softmax on raw pixels", {"lr": 0.05}),
    "cnn": Method("small CNN, 109,930 parameters, on the labels alone", _SCRATCH),
    "vae": Method("VAE of the paper, trained without labels; classifier 10-20-10 on its code"),
    "features": Method("features learned without labels, int8; head in float32", {}),
    "features_q8": Method("the same, head in `q8`", {"format": "q8"}),
}
PAPER = {10: 63.4, 100: 75.1, 200: 77.4}  # %, of the VAE on Fashion-MNIST


class Cell(NamedTuple):
    data: str
    method: str
    labels: int
    seed: int

    @property
    def key(self) -> str:
        return f"{PART}/{self.data}/{self.method}/{self.labels}/{self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    """The cells, seed by seed; small: the digits, one seed."""
    for seed in SEEDS[:1] if small else SEEDS:
        for data in ("digits",) if small else SETS:
            for labels in SETS[data].labels[: 1 if small else None]:
                for method in METHODS:
                    if method != "vae":  # paper.py
                        yield Cell(data, method, labels, seed)


def run(cell: Cell) -> Row:
    """{"accuracy" on the test set, "seconds", ...}, of a learner its memory beside it."""
    start_s = time.perf_counter()
    data = SETS[cell.data].load()
    x, y = drawn(data, cell.labels, cell.seed)
    method = METHODS[cell.method]
    if method.learner is None:
        row: Row = {"accuracy": neighbours(data, x, y)}
    else:
        row = learned(model(cell, data), x, y, data, cell.seed, method.learner)
    row |= {"seconds": round(time.perf_counter() - start_s, 1), "kind": "host"}
    return {**cell._asdict(), **row}


def drawn(data: Dataset, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many pictures of each class of the training set, and their labels."""
    return draw_per_class(data.x_train, data.y_train, range(10), labels, seed)


def neighbours(data: Dataset, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy of the label of the nearest of the pictures x, by the squares of pixels."""
    rows = x.reshape(len(x), -1).astype(np.float32)
    right = 0
    for at in range(0, len(data.x_test), 500):
        tests = data.x_test[at : at + 500].reshape(-1, rows.shape[1]).astype(np.float32)
        distances = np.square(rows).sum(axis=1) - 2 * tests @ rows.T
        right += int((y[distances.argmin(axis=1)] == data.y_test[at : at + 500]).sum())
    return right / len(data.x_test)


def model(cell: Cell, data: Dataset) -> bytes:
    """The model file of a method."""
    if cell.method.startswith("features"):
        return featured(cell.data, cell.seed)
    layers = networks.SMALL_CNN if cell.method == "cnn" else (networks.Dense(10),)
    graph, tensors = networks.graph_of("few", layers, data.x_train.shape[1:], cell.seed)
    if cell.method == "pixels":
        tensors["w0"][:] = 0
    return networks.file_of(scaled(graph, data, cell.method == "pixels"), tensors)


def scaled(graph: Mapping[str, Any], data: Dataset, to_features: bool = False) -> dict:
    """The graph with the scale with which the largest byte of the samples is 1; to_features: with
    which they are spread as the inputs of the head of `engram make features` are."""
    scale = 1 / int(data.x_train.max())
    parts = {part: {**graph[part], "scale": scale} for part in ("input", "latent")}
    if to_features:
        some = data.x_train[:2000]
        variance = some.reshape(len(some), -1).astype(np.float32).var(axis=0).sum()
        parts["latent"]["scale"] = float((features.SPREAD / variance) ** 0.5)
    return {**graph, **parts}


@functools.cache
def featured(data: str, seed: int) -> bytes:
    """The model of `engram make features` from all training pictures, without labels."""
    recipe = features.Recipe(10, kernel=SETS[data].kernel, seed=seed)
    with tempfile.TemporaryDirectory(prefix="engram-features-") as folder:
        path = Path(folder) / "m.safetensors"
        features.write(path, SETS[data].load().x_train, recipe)
        return path.read_bytes()


def learned(
    raw: bytes, x: np.ndarray, y: np.ndarray, data: Dataset, seed: int, options: Mapping[str, Any]
) -> Row:
    """A row of a model file that has learned pictures x of labels y."""
    spec = ModelSpec(BytesIO(raw))
    store = LatentStore(len(x), spec.latent_elems, BITS)
    learner = Learner(spec, store, strategy="finetune", seed=seed, budget=len(x), **options)
    for picture, label in zip(x.reshape(len(x), -1), y.tolist()):
        learner.observe(memoryview(np.ascontiguousarray(picture)), label)
    losses = [record["loss"] for record in learner.steps(epochs=EPOCHS, replay=False)]
    return {
        "accuracy": tested(learner, data),
        "losses": [round(loss, 4) for loss in (losses[0], losses[-1])],
        **planned(raw, options),
    }


def tested(learner: Learner, data: Dataset) -> float:
    x = np.ascontiguousarray(data.x_test).reshape(len(data.x_test), -1)
    result = learner.evaluate(zip(map(memoryview, x), data.y_test.tolist()))
    return float(result["accuracy"])


def planned(raw: bytes, options: Mapping[str, Any]) -> Row:
    """RAM by the plan, `model`: "train_bytes" of weights, gradients and activations; "ram" of the
    whole learner on BOARD, and whether it "fits" there."""
    chosen = {name: options[name] for name in memory.PLANNED if name in options}
    with tempfile.TemporaryDirectory(prefix="engram-plan-") as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(raw)
        report = plan_report(
            path, [boards.load(BOARD).facts], 16, bits=BITS, strategy="finetune", **chosen
        )
    (fit,) = report["fit"]
    return {
        "train_bytes": memory.of(raw, 16, {"strategy": "finetune", "momentum": 0.9, **chosen})[
            "train_bytes"
        ],
        "ram": fit["needed_bytes"], "fits": fit["fits"], "micro": fit["micro"],
    }  # fmt: skip


def line(row: Row) -> str:
    return f"{row['accuracy']:.4f} ({row['seconds']} s)"


def section(rows: Rows) -> list[str]:
    """The part's text: a table a data set."""
    out = ["## Few labels"]
    for data, how in SETS.items():
        head = ["learns from labels", *(f"{n} labels a class, %" for n in how.labels),
                f"RAM on {BOARD}, kB (plan)", "bar"]  # fmt: skip
        out += [f"### {how.title}", table(head, [_row(rows, data, name) for name in METHODS])]
        out += gaps(rows, data)
    return out


def _row(rows: Rows, data: str, name: str) -> list[str]:
    if name == "vae":
        import paper

        told_of = [paper.told_at(rows, data, labels) for labels in SETS[data].labels]
        return [METHODS[name].what, *told_of, "", ""]
    by_labels = {labels: _rows(rows, data, name, labels) for labels in SETS[data].labels}
    ram = figures(by_labels[SETS[data].labels[0]], "ram")
    parts = [told(of, "accuracy") + (f" ({len(of)} seed)" if len(of) == 1 else "")
             for of in by_labels.values()]  # fmt: skip
    said = ""
    if data == "fashion" and name.startswith("features"):
        said = _bar(by_labels[100])
    return [METHODS[name].what, *parts, f"{max(ram) / 1000:.0f}" if ram else "", said]


def _rows(rows: Rows, data: str, name: str, labels: int) -> list[Row]:
    return rows.all_of(Cell(data, name, labels, seed).key for seed in SEEDS)


def _bar(rows: list[Row]) -> str:
    reached = mean(rows, "accuracy")
    if reached is None:
        return ""
    good = reached >= BAR and all(row["ram"] <= BAR_RAM and row["fits"] for row in rows)
    bar = f"≥ {100 * BAR:.0f} % at 100, within {BAR_RAM // 1024} KB"
    return f"{bar}: {'reached' if good else 'not reached'}"


def gaps(rows: Rows, data: str) -> list[str]:
    """q8 less float32, over the seeds that have both."""
    texts = []
    for labels in SETS[data].labels:
        pairs = [
            [rows.get(Cell(data, name, labels, seed).key) for name in ("features_q8", "features")]
            for seed in SEEDS
        ]
        both = [a["accuracy"] - b["accuracy"] for a, b in pairs if a and b]
        if both:
            gap = float(np.mean(both))
            bar = "reached" if gap >= -GAP else "not reached"
            texts.append(f"{labels} labels {100 * gap:+.1f} points ({bar})")
    if not texts:
        return []
    return [f"The head in `q8` less that in float32, bar ≥ -{100 * GAP:.1f}: {'; '.join(texts)}."]

"""Another sensor, and no labels of it: what a model that has learned can do.

Clean samples with labels teach a head on a frozen stage, as a board does it. Then samples of the
other sensor come, without labels, and others of it test. The bound has their labels: the head goes
on learning from them and the clean ones.

What changes weights (entropy, pseudo-labels, the bound) is a simulation in numpy of one dense
layer in float32 on the device library's latents, SGD; match() is the library's, and so are all
latents.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import few_labels
import numpy as np
from numpy.typing import NDArray
from rows import Row, Rows, mean, table

from engram.continual.learner import Learner
from engram.nn.model import ModelSpec
from engram_host.datasets import Dataset, fsdd
from engram_host.datasets.splits import split_by_class
from engram_host.learning.latent_store import LatentStore
from engram_host.make import features

PART = "shift"
SEEDS = (1, 2, 3)
LABELS, UNLABELLED, TESTS = 100, 1000, 2000
FEW = 50  # unlabelled samples, in a column of its own
CONFIDENT = 0.9
NEAR, SHARE = 3, 0.5  # nearest stored samples that agree; of the samples, those that are closest
STEPS, BATCH = 400, 32
RATE, ENTROPY_RATE = 0.02, 0.005
# Of the spoken digits' head: with the learner's usual 0.05 one seed diverged.
LEARNER_RATES = {"fashion": 0.05, "digits": 0.05, "spoken": 0.01}
SKEWED = 5  # classes of the unlabelled samples, in a column of its own

F32 = NDArray[np.float32]
Pictures = NDArray[np.uint8]
SENSORS = {
    "none": "none",
    "dark": "30 % as bright",
    "contrast": "35 % of the contrast, 90 brighter",
    "blur": "blur of 5 x 5",
    "noise": "noise of deviation 40",
    "rotation": "turned by 25°",
}
SOUNDS = {"none": "none", "hum": "noise at 10 dB", "quiet": "muffled: high tones at a third"}
METHODS = {
    "before": "before",
    "input": "mean and deviation of inputs",
    "match": "`match()`: those of each value of the latent",
    "match_few": f"`match()` with {FEW} samples",
    "match_skewed": f"`match()`, samples of {SKEWED} classes",
    "prototypes": "class means, moved with the mean (before: class means)",
    "entropy": "least entropy",
    "confident": "pseudo-labels: confident",
    "near": "pseudo-labels: near",
    "match_confident": "`match()`, then confident",
    "match_near": "`match()`, then near",
    "bound": "with labels",
}
RISKS = ("confident", "near", "match_confident", "match_near")


class Cell(NamedTuple):
    data: str
    sensor: str
    seed: int

    @property
    def key(self) -> str:
        return f"{PART}/{self.data}/{self.sensor}/{self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    """small: the digits of the demo, a dark sensor."""
    if small:
        yield Cell("digits", "dark", 1)
        return
    for seed in SEEDS:
        for sensor in SENSORS:
            yield Cell("fashion", sensor, seed)
        for sensor in SOUNDS:
            yield Cell("spoken", sensor, seed)


class Situation(NamedTuple):
    """x, y: with labels; unlabelled, and hidden, its labels; tests, and right, their labels."""

    x: Pictures
    y: NDArray[Any]
    unlabelled: Pictures
    hidden: NDArray[Any]
    tests: Pictures
    right: NDArray[Any]


def seen(x: Pictures, sensor: str, rng: np.random.Generator, top: int) -> Pictures:
    """Pictures (n, height, width, 1) as a sensor gives them; top: the largest byte there is."""
    flat = x[..., 0].astype(np.float64) * 255 / top
    if sensor == "dark":
        flat = flat * 0.3
    elif sensor == "contrast":
        flat = flat * 0.35 + 90
    elif sensor == "noise":
        flat = flat + rng.normal(0, 40, flat.shape)
    elif sensor == "blur":
        flat = _along(_along(flat, 1), 2)
    elif sensor == "rotation":
        flat = _turned(flat, np.deg2rad(25))
    return np.clip(np.rint(flat * top / 255), 0, top).astype(np.uint8)[..., None]


def _along(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    padded = np.pad(x, [(2, 2) if i == axis else (0, 0) for i in range(3)])
    n = x.shape[axis]
    return sum(k * padded.take(range(i, i + n), axis) for i, k in enumerate(kernel))


def _turned(x: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    middle = (x.shape[1] - 1) / 2
    at = np.arange(x.shape[1]) - middle
    rows, columns = np.meshgrid(at, at, indexing="ij")
    i = np.rint(np.cos(angle) * rows + np.sin(angle) * columns + middle).astype(int)
    j = np.rint(-np.sin(angle) * rows + np.cos(angle) * columns + middle).astype(int)
    last = x.shape[1] - 1
    inside = (i >= 0) & (i <= last) & (j >= 0) & (j <= last)
    return np.where(inside, x[:, i.clip(0, last), j.clip(0, last)], 0)


def situation(cell: Cell) -> Situation:
    """The samples of a cell; those with labels are clean."""
    rng = np.random.default_rng(cell.seed)
    if cell.data == "spoken":
        return _spoken(cell, rng)
    data: Dataset = few_labels.SETS[cell.data].load()
    x, y = few_labels.drawn(data, LABELS, cell.seed)
    known = {picture.tobytes() for picture in x}
    rows = rng.permutation(len(data.x_train))[: UNLABELLED + len(x)]
    rows = np.array([i for i in rows if data.x_train[i].tobytes() not in known][:UNLABELLED])
    tests = rng.permutation(len(data.x_test))[:TESTS]
    top = int(data.x_train.max())
    new, old = (
        seen(part, cell.sensor, rng, top) for part in (data.x_train[rows], data.x_test[tests])
    )
    return Situation(x, y, new, data.y_train[rows], old, data.y_test[tests])


@functools.cache
def _sounds(sensor: str) -> tuple[Pictures, NDArray[Any]]:
    """(MFCCs of FSDD as bytes, (n, 49, 10, 1); digits)"""
    clips, rng = fsdd(), np.random.default_rng(1)
    made = clips._replace(sounds=[_heard(sound, sensor, rng) for sound in clips.sounds])
    return (made.features().astype(np.int16) + 128).astype(np.uint8)[..., None], clips.label


def _heard(sound: NDArray[np.int16], sensor: str, rng: np.random.Generator) -> NDArray[np.int16]:
    x = sound.astype(np.float64)
    if sensor == "hum":
        size = np.sqrt(np.square(x).mean() / 10)
        x = x + size * np.convolve(rng.standard_normal(len(x) + 7), np.ones(8) / 8**0.5, "valid")
    elif sensor == "quiet":
        low = np.convolve(x, np.ones(5) / 5, "same")
        x = low + (x - low) / 3
    return np.clip(np.rint(x), -32768, 32767).astype(np.int16)


def _spoken(cell: Cell, rng: np.random.Generator) -> Situation:
    """LABELS clean ones of a digit; 1,000 others without labels; 1,000 others to test."""
    clean, y = _sounds("none")
    other, _ = _sounds(cell.sensor)
    rest, tests = split_by_class(y, 100, cell.seed)
    order = rng.permutation(rest)
    labelled = np.concatenate([[i for i in order if y[i] == c][:LABELS] for c in range(10)])
    new = rng.permutation(np.setdiff1d(order, labelled))[:UNLABELLED]
    return Situation(clean[labelled], y[labelled], other[new], y[new], other[tests], y[tests])


@functools.cache
def _model(data: str, seed: int) -> bytes:
    """The model file: features without labels, of all training samples."""
    if data != "spoken":
        return few_labels.featured(data, seed)
    with tempfile.TemporaryDirectory(prefix="engram-shift-") as folder:
        path = Path(folder) / "m.safetensors"
        features.write(path, _sounds("none")[0], features.Recipe(10, kernel=5, seed=seed))
        return path.read_bytes()


class Bench:
    """A learner that knows the clean samples, and its head as numpy arrays.

    .w, .b     the head; .old, .y: latents of the stored samples, their labels
    """

    def __init__(self, cell: Cell, at: Situation, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        raw = _model(cell.data, cell.seed)
        path = folder / "model.safetensors"
        path.write_bytes(raw)
        spec = ModelSpec(BytesIO(raw))
        store = LatentStore(len(at.x), spec.latent_elems, 8)
        self.learner = Learner(
            spec, store, strategy="finetune", seed=cell.seed, budget=len(at.x),
            lr=LEARNER_RATES[cell.data],
        )  # fmt: skip
        self.learner.path = str(path)
        for x, label in zip(at.x.reshape(len(at.x), -1), at.y.tolist()):
            self.learner.observe(memoryview(np.ascontiguousarray(x)), label)
        for _ in self.learner.steps(epochs=few_labels.EPOCHS, replay=False):
            pass
        self.y, self.old = at.y, self.latents(at.x)
        self.params = np.array(self.learner.stage.params).copy()
        self.w, self.b = self.head()

    def head(self) -> tuple[F32, F32]:
        head = self.learner.stage.head
        b = np.array(head.b).copy()
        return np.array(head.w).reshape(len(b), -1).copy(), b

    def latents(self, x: Pictures) -> F32:
        scale, zero = self.learner.latent_qp
        rows = x.reshape(len(x), -1)
        codes = [np.frombuffer(self.learner.latent(memoryview(row)), np.int8) for row in rows]
        return (np.array(codes, np.float32) - np.float32(zero)) * np.float32(scale)

    def matched(self, x: Pictures) -> tuple[F32, F32]:
        """The head after match() with these samples; the learner's own stays."""
        self.learner.match(map(memoryview, x.reshape(len(x), -1)))
        found = self.head()
        self.learner.stage.params[:] = memoryview(self.params)
        self.learner.matched = 0
        return found


def run(cell: Cell) -> Row:
    """{method: accuracy, "risk": {method: [pseudo-labels, share of wrong ones, that of the worst
    class]}, ...}"""
    start_s = time.perf_counter()
    at = situation(cell)
    with tempfile.TemporaryDirectory(prefix="engram-shift-") as folder:
        row = _row(at, Bench(cell, at, Path(folder)), cell.seed)
    return {**cell._asdict(), **row, "kind": "host",
            "seconds": round(time.perf_counter() - start_s, 1)}  # fmt: skip


def _row(at: Situation, bench: Bench, seed: int) -> Row:
    new, tests = bench.latents(at.unlabelled), bench.latents(at.tests)
    own, rng = (bench.w, bench.b), np.random.default_rng(seed)

    def accuracy(head: tuple[F32, F32], of: F32 = tests) -> float:
        return float(((of @ head[0].T + head[1]).argmax(1) == at.right).mean())

    top = 255 if max(at.x.max(), at.tests.max()) > 16 else 16
    like = _like(at.x, at.unlabelled, top)
    matched = bench.matched(at.unlabelled)
    skewed = at.hidden < SKEWED
    means = np.array([bench.old[bench.y == c].mean(0) for c in range(10)])
    moved = means + new.mean(0) - bench.old.mean(0)
    row: Row = {
        "before": accuracy(own),
        "input": accuracy(own, bench.latents(like(at.tests))),
        "match": accuracy(matched),
        "match_few": accuracy(bench.matched(at.unlabelled[:FEW])),
        "match_skewed": accuracy(bench.matched(at.unlabelled[skewed])),
        "class_means": _nearest_mean(means, tests, at.right),
        "prototypes": _nearest_mean(moved, tests, at.right),
        "entropy": accuracy(taught(own, new, None, rng)),
        "risk": {},
    }
    g, shift = _transform(bench.old, new)
    for name, head, z in (("", own, new), ("match_", matched, new * g + shift)):
        for kind, found in (("confident", _confident(head, new)), ("near", _near(bench, z))):
            chosen, labels = found
            row["risk"][name + kind] = _risk(chosen, labels, at.hidden)
            learned = taught(head, new[chosen], labels[chosen], rng) if chosen.any() else head
            row[name + kind] = accuracy(learned)
    both = np.concatenate([bench.old, new]), np.concatenate([bench.y, at.hidden])
    row["bound"] = accuracy(taught(own, *both, rng))
    return row


def _like(usual: Pictures, new: Pictures, top: int) -> Callable[[Pictures], Pictures]:
    """Gives inputs the mean and the deviation of others."""
    gain, mean_ = usual.std() / new.std(), new.mean()

    def made(x: Pictures) -> Pictures:
        return np.clip(np.rint((x - mean_) * gain + usual.mean()), 0, top).astype(np.uint8)

    return made


def _transform(old: F32, new: F32) -> tuple[F32, F32]:
    """What match() does to a latent: (gain, shift)."""
    calm = 0.04 * old.var(0).mean()
    gain = np.sqrt((old.var(0) + calm) / (new.var(0) + calm))
    return gain, old.mean(0) - gain * new.mean(0)


def _nearest_mean(means: F32, x: F32, right: NDArray[Any]) -> float:
    away = np.square(means).sum(1) - 2 * x @ means.T
    return float((away.argmin(1) == right).mean())


def _softmax(z: F32) -> F32:
    powers = np.exp(z - z.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def taught(
    head: tuple[F32, F32], x: F32, y: NDArray[Any] | None, rng: np.random.Generator
) -> tuple[F32, F32]:
    """A head after some steps of SGD; y None: towards answers of less entropy."""
    w, b = (part.copy() for part in head)
    for _ in range(STEPS if y is not None else STEPS // 2):
        rows = rng.integers(0, len(x), BATCH)
        p = _softmax(x[rows] @ w.T + b)
        if y is not None:
            p[np.arange(BATCH), y[rows]] -= 1
            slope, rate = p / BATCH, RATE
        else:
            logs = np.log(p + 1e-12)
            slope = -p * (logs - (p * logs).sum(1, keepdims=True)) / BATCH
            rate = ENTROPY_RATE
        w -= rate * slope.T @ x[rows]
        b -= rate * slope.sum(0)
    return w, b


def _confident(head: tuple[F32, F32], x: F32) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    p = _softmax(x @ head[0].T + head[1])
    return p.max(1) > CONFIDENT, p.argmax(1)


def _near(bench: Bench, x: F32) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """The label on which the nearest stored samples agree, of the closest half."""
    away = np.square(x).sum(1)[:, None] - 2 * x @ bench.old.T + np.square(bench.old).sum(1)
    labels = bench.y[np.argsort(away, 1)[:, :NEAR]]
    least = away.min(1)
    chosen = (labels == labels[:, :1]).all(1) & (least <= np.quantile(least, SHARE))
    return chosen, labels[:, 0]


def _risk(chosen: NDArray[np.bool_], labels: NDArray[Any], right: NDArray[Any]) -> list[float]:
    """[how many, share of wrong ones, the largest such share among the labels that were given]"""
    wrong, given = (labels != right)[chosen], labels[chosen]
    if not len(wrong):
        return [0, 0.0, 0.0]
    worst = max(float(wrong[given == c].mean()) for c in set(given.tolist()))
    return [len(wrong), float(wrong.mean()), worst]


def line(row: Row) -> str:
    return f"{row['before']:.3f}, matched {row['match']:.3f}, bound {row['bound']:.3f}"


def section(rows: Rows) -> list[str]:
    """The part's text: accuracies, and the risk of pseudo-labels."""
    out = ["## Another sensor, without labels"]
    for data, title, sensors in (
        ("fashion", "Fashion-MNIST", SENSORS), ("spoken", "Spoken digits (FSDD)", SOUNDS)
    ):  # fmt: skip
        found = {
            sensor: rows.all_of(Cell(data, sensor, seed).key for seed in SEEDS)
            for sensor in sensors
        }
        head = [f"accuracy, %, means of {len(SEEDS)} seeds (`host`)", *sensors.values()]
        body = [
            [what, *(_told(of, name) for of in found.values())] for name, what in METHODS.items()
        ]
        out += [f"### {title}", table(head, body)]
        head = ["wrong pseudo-labels, %: all, worst class (how many)", *sensors.values()]
        body = [[METHODS[name], *(_risks(of, name) for of in found.values())] for name in RISKS]
        out += [table(head, body)]
    return out


def _told(rows: list[Row], name: str) -> str:
    value = mean(rows, name)
    if value is None:
        return "not run"
    if name == "prototypes":
        return f"{100 * value:.1f} ({100 * (mean(rows, 'class_means') or 0):.1f})"
    return f"{100 * value:.1f}"


def _risks(rows: list[Row], name: str) -> str:
    if not rows:
        return "not run"
    count, wrong, worst = np.mean([row["risk"][name] for row in rows], axis=0)
    return f"{100 * wrong:.0f}, {100 * worst:.0f} ({count:.0f})"

"""Grids of the search of `engram plan`: every point within the limits, trained once, on two data
sets; and how many trainings a search takes for their front.

Accuracies are kept in out/bench/search, a file a case.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engram.nn.model import ModelSpec
from engram_host import boards, samples
from engram_host.convert import convert
from engram_host.datasets import digits
from engram_host.search.feasible import Costs, Limits
from engram_host.search.front import front, hypervolume
from engram_host.search.search import run_of
from engram_host.search.space import Point, Space
from engram_host.search.study import Study, Tried, objectives, pareto
from engram_host.search.trial import Data, Trials, parts

ROOT = Path(__file__).resolve().parents[3]
OUT = ROOT / "out" / "bench" / "search"
BOARD = "qemu_m4f"
SEEDS = (1, 2, 3, 4, 5)
GOAL, BAR = 0.99, 0.15  # share of the grid's hypervolume, share of its trainings
MOST = 0.3  # of the grid's trainings: where a search is given up


class Case(NamedTuple):
    """A model, the samples of its trials, the limits. model: function of a folder for files; data:
    of the model's path. choices: of some dimensions, fewer than there are: its runs are long."""

    name: str
    model: Callable[[Path], Path]
    data: Callable[[Path], Data]
    limits: Limits
    choices: dict[str, tuple[Any, ...]] = {}


def digits_model(folder: Path) -> Path:
    data, path = digits(), folder / "digits.safetensors"
    source = ROOT / "examples" / "digits" / "digits_float.safetensors"
    convert(source, data.x_train[data.y_train < 5], path)
    return path


def digits_data(path: Path) -> Data:
    """Scanned digits: 0 to 4 are known, 5 to 9 come in one session."""
    data = digits()
    both = samples.make(data.x_train, data.y_train), samples.make(data.x_test, data.y_test)
    return parts(path, *both, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], True, 5, 1)


def spoken_data(path: Path) -> Data:
    """FSDD, protocol P3 of the continual benchmark: 0 to 5 are known, then a word a session."""
    import latents_protocols

    stream = latents_protocols.spoken_digits()
    both = (
        samples.make(stream.x_train, stream.y_train.astype(np.uint8)),
        samples.make(stream.x_test, stream.y_test.astype(np.uint8)),
    )
    return parts(path, *both, [list(group) for group in stream.groups], True, 6, 1)


DIGITS = Case("digits", digits_model, digits_data, Limits(96_000, 256 << 10, 40.0))
SPOKEN = Case(
    "spoken digits",
    lambda _: ROOT / "examples" / "backbones" / "models" / "spoken_digits.safetensors",
    spoken_data,
    Limits(160_000, 384 << 10, 200.0),
    {"bits": (3, 4, 8), "steps": (50, 100, 200)},
)
CASES = {case.name: case for case in (DIGITS, SPOKEN)}


def space_of(case: Case, model: Path, fixed: Any = None) -> Space:
    with open(model, "rb") as stream:
        space = Space(ModelSpec(stream), fixed)
    space.choices.update(case.choices)
    return space


class Grid:
    """A case with the accuracy of each point within its limits.

    model: the file of its model. kept: {key of a point: its accuracy}, of what was trained.
    fixed: as Space takes it.
    """

    def __init__(
        self, case: Case, model: Path, kept: dict[str, float], fixed: Any = None
    ) -> None:
        self.space = space_of(case, model, fixed)
        self.case, self.kept, data = case, kept, case.data(model)
        board = boards.load(BOARD).facts
        self.costs = Costs(model, board, case.limits, data.most_new)
        self.points = [p for p in self.space if self.costs.verdict(p).fits]
        self._run = run_of(Trials(model, data, {}, 1), self.costs)
        self.limits = {name: getattr(case.limits, name) for name in case.limits.given()}

    def key(self, point: Point) -> str:
        """The key of a point: all that decides its accuracy."""
        micro = self.costs.micro(point)
        values = [*point.values(), *([] if micro is None else [f"micro {micro}"])]
        return "/".join(map(str, values))

    def train(self, points: Iterable[Point]) -> None:
        """Trains points anew."""
        for point in points:
            self.kept[self.key(point)] = self._run(point)

    def accuracy(self, point: Point) -> float:
        """A point's accuracy; trained where that has not been done."""
        key = self.key(point)
        if key not in self.kept:
            self.kept[key] = self._run(point)
        return self.kept[key]

    def tried(self, point: Point) -> Tried:
        return Tried(point, self.accuracy(point), self.costs.verdict(point).ways)

    def values(self, tried: Tried) -> list[tuple[float, ...]]:
        return [objectives(choice, self.limits) for _, choice in pareto([tried], self.limits)]


def searches(grid: Grid, seed: int, counts: Iterable[int], whole: float = 0) -> list[Tried]:
    """The points that a search trains, in order: so many, then so many, until it has GOAL of a
    hypervolume."""
    order: list[Tried] = []
    study = Study(grid.space, grid.costs, grid.accuracy, seed=seed)
    for most in counts:
        study.run(most, on_trial=order.append)
        if whole and share(grid, order, whole) >= GOAL:
            break
    return order


def at_random(grid: Grid, seed: int, most: int) -> list[Tried]:
    points = random.Random(seed).sample(grid.points, most)
    return [grid.tried(point) for point in points]


def share(grid: Grid, order: list[Tried], whole: float) -> float:
    """Share of the grid's hypervolume that some trainings have found."""
    values = [(one, None) for tried in order for one in grid.values(tried)]
    return hypervolume([one for one, _ in front(values)]) / whole


def trainings(grid: Grid, order: list[Tried], whole: float) -> int | None:
    """How many of the trainings find GOAL; None where all of them do not. It never falls."""
    if share(grid, order, whole) < GOAL:
        return None
    low, high = 0, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        if share(grid, order[:middle], whole) >= GOAL:
            high = middle
        else:
            low = middle
    return high


class Whole(NamedTuple):
    """All of a grid: its Pareto front, and the hypervolume of that."""

    front: int
    best: float
    hypervolume: float


def whole_of(grid: Grid) -> Whole:
    everything = [grid.tried(point) for point in grid.points]
    ends = pareto(everything, grid.limits)
    best = max(tried.accuracy for tried in everything)
    return Whole(len(ends), best, hypervolume([values for values, _ in ends]))


def counted(grid: Grid, whole: Whole, seed: int) -> dict[str, Any]:
    """Trainings until GOAL, of the search and of random points, and what BAR of them find."""
    most, bar = int(MOST * len(grid.points)), int(BAR * len(grid.points))
    row: dict[str, Any] = {
        "points": len(grid.space), "fitting": len(grid.points), "front": whole.front,
        "best": whole.best,
    }  # fmt: skip
    orders = {
        "search": searches(grid, seed, (bar, most), whole.hypervolume),
        "random": at_random(grid, seed, most),
    }
    for name, order in orders.items():
        row[name] = {
            "trainings": trainings(grid, order, whole.hypervolume),
            "share_at_bar": share(grid, order[:bar], whole.hypervolume),
        }
    return row


def load(case: str) -> dict[str, float]:
    """The accuracies that were kept, by the keys of points."""
    path = OUT / f"{case}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def save(grid: Grid) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{grid.case.name}.json"
    path.write_text(json.dumps(grid.kept, indent=0) + "\n")

"""The search of `engram plan` against an exhaustive grid.

    python tests/bench/budget/search.py [--docs]

Every point of a grid is trained once, on two data sets; accuracies are kept in
out/bench/search.json. Then the search runs with several seeds over the same points, and what is
counted are its trainings until its Pareto front has 99 % of the hypervolume of the grid's. The
bar: at most 15 % of the grid's trainings. With --docs the table and the picture go into
docs/search.md.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests/bench/continual")]

import numpy as np  # noqa: E402

from engram.nn.model import ModelSpec  # noqa: E402
from engram_host import boards, samples  # noqa: E402
from engram_host.convert import convert  # noqa: E402
from engram_host.datasets import digits  # noqa: E402
from engram_host.report.figures.front import front_picture  # noqa: E402
from engram_host.report.figures.render import save_png  # noqa: E402
from engram_host.search.feasible import Costs, Limits  # noqa: E402
from engram_host.search.front import front, hypervolume  # noqa: E402
from engram_host.search.space import Point, Space  # noqa: E402
from engram_host.search.study import Study, Tried, objectives, pareto  # noqa: E402
from engram_host.search.trial import Data, Trials, parts  # noqa: E402

OUT = ROOT / "out" / "bench" / "search.json"
DOCUMENT = ROOT / "docs" / "search.md"
PICTURE = ROOT / "docs" / "images" / "search.png"
BEGIN, END = "<!-- make bench-budget: begin -->", "<!-- make bench-budget: end -->"
BOARD = "qemu_m4f"
SEEDS = (1, 2, 3, 4, 5)
GOAL, BAR = 0.99, 0.15  # share of the grid's hypervolume, share of its trainings
MOST = 0.3  # of the grid's trainings: where a search is given up


class Case(NamedTuple):
    """A grid: a model, the samples of its trials, the limits."""

    name: str
    model: Path
    data: Data
    limits: Limits


def digits_case(folder: Path) -> Case:
    """Scanned digits: 0 to 4 are known, 5 to 9 come in one session."""
    data, path = digits(), folder / "digits.safetensors"
    source = ROOT / "examples" / "digits" / "digits_float.safetensors"
    convert(source, data.x_train[data.y_train < 5], path)
    both = samples.make(data.x_train, data.y_train), samples.make(data.x_test, data.y_test)
    trial = parts(path, *both, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], True, 5, 1)
    return Case("digits", path, trial, Limits(96_000, 256 << 10, 40.0))


def spoken_case(folder: Path) -> Case:
    """FSDD, protocol P3 of the continual benchmark: 0 to 5 are known, then a word a session."""
    import latents_protocols

    stream = latents_protocols.spoken_digits()
    path = ROOT / "examples" / "backbones" / "models" / "spoken_digits.safetensors"
    both = (
        samples.make(stream.x_train, stream.y_train.astype(np.uint8)),
        samples.make(stream.x_test, stream.y_test.astype(np.uint8)),
    )
    trial = parts(path, *both, [list(group) for group in stream.groups], True, 6, 1)
    return Case("spoken digits", path, trial, Limits(160_000, 384 << 10, 200.0))


CASES: tuple[Callable[[Path], Case], ...] = (digits_case, spoken_case)


class Grid:
    """A case with the accuracy of each point within its limits."""

    def __init__(self, case: Case, kept: dict[str, float], choices: Any = None) -> None:
        with open(case.model, "rb") as stream:
            self.space = Space(ModelSpec(stream), choices)
        self.case, self.kept = case, kept
        board = boards.load(BOARD).facts
        self.costs = Costs(case.model, board, case.limits, case.data.most_new)
        self.points = [p for p in self.space if self.costs.verdict(p).fits]
        self._trials = Trials(case.model, case.data, {}, 1)
        self.limits = {name: getattr(case.limits, name) for name in case.limits.given()}

    def key(self, point: Point) -> str:
        return "/".join([self.case.name, *(str(value) for value in point.values())])

    def accuracy(self, point: Point) -> float:
        """A point's accuracy; trained where that has not been done."""
        key = self.key(point)
        if key not in self.kept:
            self.kept[key] = self._trials.accuracy(point)
        return self.kept[key]

    def tried(self, point: Point) -> Tried:
        return Tried(point, self.accuracy(point), self.costs.verdict(point).ways)

    def values(self, tried: Tried) -> list[tuple[float, ...]]:
        return [objectives(choice, self.limits) for _, choice in pareto([tried], self.limits)]


def searches(grid: Grid, seed: int, most: int) -> list[Tried]:
    """The points that a search trains, in order."""
    order: list[Tried] = []
    study = Study(grid.space, grid.costs, grid.accuracy, seed=seed)
    study.run(most, on_trial=order.append)
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


def compared(grid: Grid, seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """The figures of a grid: trainings until GOAL, of the search and of random points."""
    everything = [grid.tried(point) for point in grid.points]
    ends = pareto(everything, grid.limits)
    whole = hypervolume([values for values, _ in ends])
    most, bar = int(MOST * len(grid.points)), int(BAR * len(grid.points))
    row: dict[str, Any] = {
        "name": grid.case.name, "points": len(grid.space), "fitting": len(grid.points),
        "front": len(ends), "best": max(tried.accuracy for tried in everything),
    }  # fmt: skip
    for name, way in (("search", searches), ("random", at_random)):
        counts, at_bar = [], []
        for seed in seeds:
            order = way(grid, seed, most)
            counts.append(trainings(grid, order, whole))
            at_bar.append(share(grid, order[:bar], whole))
        row[name] = {"trainings": counts, "share_at_bar": at_bar}
    return row


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| data | points | within the limits | on the front | trainings to 99 %, "
        f"{len(SEEDS)} seeds | of the grid's | hypervolume at 15 % | random: of the grid's | |",
        "|---|---:|---:|---:|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['name']} | {row['points']:,} | {row['fitting']:,} | {row['front']} "
            f"| {_words(row['search']['trainings'])} | {_parts(row, 'search')} "
            f"| {min(row['search']['share_at_bar']):.1%} to "
            f"{max(row['search']['share_at_bar']):.1%} | {_parts(row, 'random')} "
            f"| {'reached' if reached(row) else 'not reached'} |"
        )
    return "\n".join(lines)


def reached(row: dict[str, Any]) -> bool:
    """Whether every seed took at most BAR of the grid's trainings."""
    counts = row["search"]["trainings"]
    return all(n is not None and n <= BAR * row["fitting"] for n in counts)


def _words(counts: list[int | None]) -> str:
    return ", ".join("–" if n is None else str(n) for n in counts)


def _parts(row: dict[str, Any], name: str) -> str:
    counts = row[name]["trainings"]
    found = [n / row["fitting"] for n in counts if n is not None]
    if len(found) < len(counts):
        return f"> {MOST:.0%}" if not found else f"{min(found):.1%} to > {MOST:.0%}"
    return f"{min(found):.1%} to {max(found):.1%}"


def put(text: str) -> None:
    """Replaces the table in the document."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def picture(grid: Grid) -> None:
    """The grid's points, and the front of a search that trains BAR of them."""
    everything = [grid.tried(point) for point in grid.points]
    order = searches(grid, SEEDS[0], int(BAR * len(grid.points)))
    rows = [{"accuracy": t.accuracy, **t.ways[0]._asdict()} for t in everything]
    ends = [
        {"accuracy": choice.accuracy, **choice.way._asdict()}
        for _, choice in pareto(order, grid.limits)
    ]
    names = grid.case.limits.given()
    save_png(front_picture(rows, ends, names, grid.case.limits._asdict()), PICTURE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--docs", action="store_true", help="table and picture into docs/")
    parser.add_argument("--again", action="store_true", help="train the grids anew")
    options = parser.parse_args()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(OUT.read_text()) if OUT.is_file() and not options.again else {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for make in CASES:
            grid = Grid(make(Path(folder)), kept)
            for point in grid.points:
                grid.accuracy(point)
            OUT.write_text(json.dumps(kept, indent=0) + "\n")
            rows.append(compared(grid))
            print(json.dumps(rows[-1]), flush=True)
            if options.docs and len(rows) == 1:
                picture(grid)
    text = markdown(rows)
    print(text)
    if options.docs:
        put(text)
        print(f"wrote {DOCUMENT.relative_to(ROOT)}, {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

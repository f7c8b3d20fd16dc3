"""The search of `engram plan` against an exhaustive grid.

First every point within the limits is trained, a scope and a number format at a time. Then the
search runs with several seeds over the same points, and what is counted are its trainings until
its Pareto front has 99 % of the hypervolume of the grid's. The bar: at most 15 % of the grid's
trainings. The table and the picture are in docs/search.md.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import search_grid
from rows import Row, Rows
from search_grid import BAR, CASES, MOST, ROOT, Grid, Whole

from engram_host.report.figures.front import front_picture
from engram_host.report.figures.render import save_png
from engram_host.search.study import pareto

PART = "search"
DOCUMENT = ROOT / "docs" / "search.md"
PICTURE = ROOT / "docs" / "images" / "search.png"
BEGIN, END = "<!-- make bench-budget: begin -->", "<!-- make bench-budget: end -->"
SEEDS = (1, 2, 3, 4, 5)


class Cell(NamedTuple):
    """part: (scope, format) of the points to train, or () for a search with a seed."""

    case: str
    part: tuple[str, ...]
    seed: int = 0

    @property
    def key(self) -> str:
        name = self.case.replace(" ", "_")
        return f"{PART}/{name}/{'/'.join(self.part) if self.part else self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    """small: none; tests/bench/test_search.py runs a small grid."""
    for case in () if small else CASES:
        choices = search_grid.space_of(CASES[case], _model(case)).choices
        for scope in choices["scope"]:
            yield from (Cell(case, (scope, form)) for form in choices["format"])
        yield from (Cell(case, (), seed) for seed in SEEDS)


def run(cell: Cell) -> Row:
    began, grid = time.monotonic(), grid_of(cell.case)
    if cell.part:
        points = [p for p in grid.points if (p["scope"], p["format"]) == cell.part]
        grid.train(points)
        search_grid.save(grid)
        row: dict[str, Any] = {"trained": len(points)}
    else:
        row = search_grid.counted(grid, whole_of(cell.case, len(grid.kept)), cell.seed)
    return {**row, "seconds": time.monotonic() - began}


@cache
def _model(case: str) -> Path:
    return CASES[case].model(Path(tempfile.mkdtemp(prefix="engram-search-")))


@cache
def grid_of(case: str) -> Grid:
    return Grid(CASES[case], _model(case), search_grid.load(case))


@cache
def whole_of(case: str, count: int) -> Whole:
    """count: of what was trained when it was asked for."""
    return search_grid.whole_of(grid_of(case))


def line(row: Row) -> str:
    """The line that is printed when a cell has run."""
    if "trained" in row:
        return f"{row['trained']} points trained, {row['seconds']:.0f} s"
    found, by_chance = (row[name]["trainings"] or "more" for name in ("search", "random"))
    return f"{found} trainings of {row['fitting']}, at random {by_chance}"


def merged(case: str, rows: Rows) -> Row | None:
    """The row of a case in the table: lists over the seeds that were run; None where none was."""
    seeds = rows.all_of(Cell(case, (), seed).key for seed in SEEDS)
    if not seeds:
        return None
    row: Row = {"name": case, **seeds[-1]}
    for name in ("search", "random"):
        row[name] = {field: [each[name][field] for each in seeds] for field in seeds[0][name]}
    return row


def text(rows: Rows) -> str:
    """The table."""
    lines = [
        "| data | points | within the limits | on the front | trainings to 99 %, "
        f"{len(SEEDS)} seeds | of the grid's | hypervolume at 15 % | random: of the grid's | |",
        "|---|---:|---:|---:|---|---|---|---|---|",
    ]
    for case in CASES:
        row = merged(case, rows)
        if row is None:
            lines.append(f"| {case} | not run | | | | | | | |")
            continue
        lines.append(
            f"| {row['name']} | {row['points']:,} | {row['fitting']:,} | {row['front']} "
            f"| {_words(row['search']['trainings'])} | {_parts(row, 'search')} "
            f"| {min(row['search']['share_at_bar']):.1%} to "
            f"{max(row['search']['share_at_bar']):.1%} | {_parts(row, 'random')} "
            f"| {'reached' if reached(row) else 'not reached'} |"
        )
    return "\n".join(lines)


def reached(row: Row) -> bool:
    """Whether every seed took at most BAR of the grid's trainings."""
    counts = row["search"]["trainings"]
    return all(n is not None and n <= BAR * row["fitting"] for n in counts)


def _words(counts: list[int | None]) -> str:
    return ", ".join("–" if n is None else str(n) for n in counts)


def _parts(row: Row, name: str) -> str:
    counts = row[name]["trainings"]
    found = [n / row["fitting"] for n in counts if n is not None]
    if len(found) < len(counts):
        return f"> {MOST:.0%}" if not found else f"{min(found):.1%} to > {MOST:.0%}"
    return f"{min(found):.1%} to {max(found):.1%}"


def write(rows: Rows) -> None:
    """The table between the marks of the document, and the picture."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text(rows)}\n{END}{rest.split(END)[1]}")
    picture(grid_of(next(iter(CASES))))


def picture(grid: Grid) -> None:
    """The grid's points, and the front of a search that trains BAR of them."""
    everything = [grid.tried(point) for point in grid.points]
    order = search_grid.searches(grid, SEEDS[0], (int(BAR * len(grid.points)),))
    rows = [{"accuracy": t.accuracy, **t.ways[0]._asdict()} for t in everything]
    ends = [
        {"accuracy": choice.accuracy, **choice.way._asdict()}
        for _, choice in pareto(order, grid.limits)
    ]
    names = grid.case.limits.given()
    save_png(front_picture(rows, ends, names, grid.case.limits._asdict()), PICTURE)

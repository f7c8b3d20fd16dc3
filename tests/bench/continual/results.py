"""What the benchmark has stored: one JSON file, a row a cell, written as each cell comes."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cells

_FIELDS = cells.Cell._fields


class Results:
    """Rows by key. A row of a cell has the fields of cells.Cell; others have a "row" that says
    what they are: "joint", "few_shot"."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = json.loads(path.read_text()) if path.is_file() else []
        self.rows = {_key(row): row for row in rows}

    def put(self, row: dict) -> None:
        """Stores a row; the file is whole at every moment."""
        self.rows[_key(row)] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        lines = ",\n".join(json.dumps(row) for row in self.rows.values())
        part.write_text(f"[\n{lines}\n]\n")
        part.replace(self.path)

    def has(self, cell: cells.Cell) -> bool:
        return cell.key in self.rows

    def drop(self, strategies: Iterable[str]) -> None:
        """Forgets what these strategies reached, which then is run again."""
        names = set(strategies)
        self.rows = {k: r for k, r in self.rows.items() if r.get("strategy") not in names}

    def of(self, cell: cells.Cell, seeds: Iterable[int] = cells.SEEDS) -> list[dict]:
        """The rows of a setting, one a seed."""
        rows = (self.rows.get(cell._replace(seed=seed).key) for seed in seeds)
        return [row for row in rows if row]

    def bounds(self, protocol: str, model: str) -> list[dict]:
        """Rows of joint training."""
        return [r for r in self._kind("joint") if (r["protocol"], r["model"]) == (protocol, model)]

    def few_shot(self) -> list[dict]:
        return list(self._kind("few_shot"))

    def settings(self, condition: Callable[[cells.Cell], bool]) -> list[cells.Cell]:
        """Settings with all seeds, in the order of the grid, that a function wants."""
        return [
            c for c in cells.settings() if condition(c) and len(self.of(c)) == len(cells.SEEDS)
        ]

    def _kind(self, kind: str) -> Iterator[dict]:
        return (row for row in self.rows.values() if row.get("row") == kind)

    def save_csv(self, path: Path) -> None:
        """All cells, one a line, without their matrices."""
        rows = [row for row in self.rows.values() if "row" not in row]
        if rows:
            names = [name for name in rows[0] if name != "matrix"]
            with open(path, "w", newline="") as file:
                table = csv.DictWriter(file, names, extrasaction="ignore")
                table.writeheader()
                table.writerows(rows)


def _key(row: dict) -> str:
    if "row" in row:
        return "/".join(str(row[n]) for n in ("row", "protocol", "model", "setting", "seed"))
    return cells.Cell(*(row[name] for name in _FIELDS)).key


def mean(rows: list[dict], field: str = "accuracy") -> float:
    return statistics.mean(row[field] for row in rows)


def spread(rows: list[dict], field: str = "accuracy") -> float:
    """Sample standard deviation over the seeds."""
    return statistics.stdev([row[field] for row in rows]) if len(rows) > 1 else 0.0

"""The results that the benchmark has stored: one JSON file per cell, so that a campaign goes on
where it stopped, and two campaigns can run side by side."""

from __future__ import annotations

import fnmatch
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Rows:
    """Rows of a folder by key, "part/.../seed"; a key is the path of its file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def put(self, key: str, row: Row) -> None:
        """Stores a row; its file is whole at every moment."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(row, indent=1) + "\n")
        part.replace(path)

    def get(self, key: str) -> Row | None:
        path = self._path(key)
        return json.loads(path.read_text()) if path.is_file() else None

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def all_of(self, keys: Iterable[str]) -> list[Row]:
        """The stored rows."""
        rows = (self.get(key) for key in keys)
        return [row for row in rows if row is not None]

    def drop(self, patterns: Sequence[str]) -> int:
        """Forgets rows by patterns of their keys (scratch/*/q8*); how many they were."""
        paths = [
            path
            for path in self.folder.rglob("*.json")
            if any(fnmatch.fnmatch(self._key(path), pattern) for pattern in patterns)
        ]
        for path in paths:
            path.unlink()
        return len(paths)

    def _key(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix().removesuffix(".json")


def figures(rows: Sequence[Row], field: str) -> list[float]:
    """The values of a field over the rows that have one: a diverged run has no accuracy."""
    return [row[field] for row in rows if row.get(field) is not None]


def mean(rows: Sequence[Row], field: str) -> float | None:
    values = figures(rows, field)
    return statistics.mean(values) if values else None


def told(rows: Sequence[Row], field: str, unit: float = 100.0, digits: int = 1) -> str:
    """ "mean ± standard deviation" of a field over the seeds; what is missing is said."""
    values = [unit * value for value in figures(rows, field)]
    if not values:
        return "diverged" if rows else "not run"
    text = f"{statistics.mean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.{digits}f}"
    lost = len(rows) - len(values)
    return f"{text} ({lost} of {len(rows)} diverged)" if lost else text


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; columns but the first are right-aligned."""
    lines = [list(head), ["---"] + ["---:"] * (len(head) - 1)]
    lines += [[str(value) for value in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

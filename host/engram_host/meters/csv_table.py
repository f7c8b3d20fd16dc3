"""A CSV file as columns of numbers: heads, units, decimal comma, what stands before the heads."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

_PREFIX = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
BASE = {"time": "s", "current": "a", "voltage": "v", "power": "w"}  # kind of a column -> its unit
_DELIMITERS = ",;\t|"


class Table:
    """A file of columns with a head. Lines before the head, and empty ones, are passed over."""

    def __init__(self, path: Path, delimiter: str, decimal_comma: bool) -> None:
        self.path, self._delimiter, self._comma = path, delimiter, decimal_comma

    def read(self) -> tuple[list[str], np.ndarray[Any, Any], int]:
        """(heads, float64 (rows, columns), number of the head's line). Raises InputError."""
        try:
            text = self.path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as e:
            raise InputError(
                f"{self.path}: expected a CSV that can be read, got {e.strerror}"
            ) from e
        lines = text.splitlines()
        at, delimiter = self._head(lines)
        heads = [head.strip() for head in next(csv.reader([lines[at]], delimiter=delimiter))]
        rows = []
        for number, row in enumerate(csv.reader(lines[at + 1 :], delimiter=delimiter), at + 2):
            if any(cell.strip() for cell in row):
                rows.append(self._numbers(row, len(heads), number))
        if not rows:
            raise InputError(
                f"{self.path}: expected numbers below the heads {', '.join(heads)}; got none"
            )
        return heads, np.array(rows), at + 1

    def _head(self, lines: list[str]) -> tuple[int, str]:
        """The line before the first one of numbers, and what divides its columns."""
        for at in range(len(lines) - 1):
            choices = self._delimiter or _DELIMITERS
            for delimiter in sorted(choices, key=lines[at].count, reverse=True):
                cells = lines[at].split(delimiter)
                below = lines[at + 1].split(delimiter)
                if len(cells) > 1 and len(cells) == len(below) and not self._is_number(cells[0]):
                    if any(self._is_number(cell) for cell in below):
                        return at, delimiter
        raise InputError(
            f"{self.path}: expected a line of column heads and numbers below it, got none; give "
            "delimiter= and decimal= if it has them"
        )

    def _is_number(self, cell: str) -> bool:
        try:
            self._number(cell)
        except ValueError:
            return False
        return True

    def _number(self, cell: str) -> float:
        cell = cell.strip().strip('"')
        return float(cell.replace(",", ".") if self._comma else cell)

    def _numbers(self, row: list[str], columns: int, number: int) -> list[float]:
        if len(row) != columns:
            raise InputError(f"{self.path}:{number}: expected {columns} columns, got {len(row)}")
        return [self._number(cell) if self._is_number(cell) else float("nan") for cell in row]


def split(head: str) -> tuple[str, str]:
    """Name and unit: ("current", "uA") of "Current(uA)", "current [uA]", "current_uA"."""
    match = re.fullmatch(r"\s*(.+?)\s*(?:[\(\[]\s*(\S+?)\s*[\)\]]|[ _](\S{1,2}))?\s*", head)
    if not match:
        return head.strip().lower(), ""
    name, unit = match[1].strip().lower(), match[2] or match[3] or ""
    return name.replace(" ", "_"), unit


def factor(unit: str, kind: str, where: str, head: str) -> float:
    """From a column's unit to that of its kind. Raises InputError. "" is taken for the latter."""
    base = BASE[kind]
    if not unit:
        return 1.0
    prefix, last = unit[:-1], unit[-1:].lower()
    if last != base or prefix not in _PREFIX:
        raise InputError(
            f"{where}: column {head!r}: expected a unit of {kind} ({base.upper()} with m, u, n), "
            f"got {unit!r}; give {kind}_unit="
        )
    return _PREFIX[prefix]

"""Samples from a .csv table: a row per sample, numbers as inputs and a column of labels.

Columns are named in the first line, or by nobody. The label is the column named label, class or y,
else the last one, unless the model takes as many inputs as there are columns. Labels are integers,
names of classes, or floats, which are the targets of a regression; columns named target... are
targets too. A column named file or path holds the names of images or sounds instead of numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.errors import InputError

from . import media
from .data import Maker, Samples, make
from .inputs import Input

_LABEL = ("label", "class", "y")
_SIGNAL_LABEL = ("label", "class")
_FILE = ("file", "path", "filename")
_TARGET = "target"

Rows = Sequence[tuple[int, list[str]]]  # number of the line, cells


def read(
    path: Path, model: Input | None, make: Maker = make, widths: Sequence[int] = ()
) -> Samples:
    """The samples of a table. Raises InputError, naming line and column of what is no number.

    make: makes them of its numbers. widths: columns that a table of signals has, where it has no
    label; a column y is an axis there.
    """
    heads, rows = _rows(path)
    label = None
    if len(rows[0][1]) not in widths:
        label = _label_column(heads, len(rows[0][1]), model, _SIGNAL_LABEL if widths else _LABEL)
    if _one_of(_FILE, heads) is not None:
        return _listed(path, heads, rows, label, model)
    targets = [i for i, head in enumerate(heads) if head.lower().startswith(_TARGET)]
    inputs = [i for i in range(len(rows[0][1])) if i != label and i not in targets]
    if not inputs:
        raise InputError(f"{path}: expected columns of inputs beside the label, got none")
    x = _numbers(path, heads, rows, inputs)
    values = _numbers(path, heads, rows, targets) if targets else None
    if label is None:
        return make(x, values)
    cells = [cells[label].strip() for _, cells in rows]
    if all(_is_number(cell) for cell in cells):
        y: NDArray[Any] = np.array([float(cell) for cell in cells])
        whole = bool((y == np.round(y)).all())
        return make(x, y.astype(np.int64) if whole else y, values)
    if "" in cells:
        line = rows[cells.index("")][0]
        raise InputError(f"{path}: expected a label in line {line}, got none; fill it in")
    names = sorted(set(cells))
    return make(x, [names.index(cell) for cell in cells], values).with_names(names)


def _rows(path: Path) -> tuple[list[str], Rows]:
    """(names of the columns, [] without, rows) of a file; all rows are as long."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: expected a table as UTF-8 text, got other bytes") from e
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:  # one column, or nothing that repeats
        dialect = csv.excel
    reader = csv.reader(text.splitlines(), dialect)
    rows = [(number, row) for number, row in enumerate(reader, 1) if any(map(str.strip, row))]
    if not rows:
        raise InputError(f"{path}: expected a row per sample, got an empty file")
    heads = [cell.strip() for cell in rows[0][1]]
    # A first line of names: none of its inputs is a number, which a row without names has.
    has_heads = not any(_is_number(cell) for cell in heads[:-1] or heads)
    if has_heads and not any(h.lower() in _FILE for h in heads) and len(rows) == 1:
        raise InputError(f"{path}: expected a row per sample below the names, got none")
    if has_heads:
        rows = rows[1:]
    if not rows:
        raise InputError(f"{path}: expected a row per sample below the names, got none")
    for number, row in rows:
        if len(row) != len(heads):
            raise InputError(
                f"{path}: expected {len(heads)} columns in line {number}, got {len(row)}"
            )
    return (heads if has_heads else []), rows


def _one_of(names: Sequence[str], heads: Sequence[str]) -> int | None:
    columns = [i for i, head in enumerate(heads) if head.lower() in names]
    return columns[0] if columns else None


def _label_column(
    heads: Sequence[str], columns: int, model: Input | None, names: Sequence[str]
) -> int | None:
    column = _one_of(names, heads)
    if column is not None:
        return column
    if any(head.lower().startswith(_TARGET) for head in heads):
        return None
    return None if model is not None and columns == model.elems else columns - 1


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(path: Path, heads: Sequence[str], rows: Rows, columns: list[int]) -> NDArray[Any]:
    """(rows, columns) float64; integers from 0 to 255 as such."""
    values = np.empty((len(rows), len(columns)))
    for at, (number, cells) in enumerate(rows):
        for to, column in enumerate(columns):
            try:
                values[at, to] = float(cells[column])
            except ValueError as e:
                name = heads[column] if heads else column + 1
                raise InputError(
                    f"{path}: expected a number in line {number}, column {name}, got "
                    f"{cells[column]!r}; fill it in, or leave the row out"
                ) from e
    return values


def _listed(
    path: Path, heads: Sequence[str], rows: Rows, label: int | None, model: Input | None
) -> Samples:
    """The images or sounds that a table lists, by their names beside it."""
    file = _one_of(_FILE, heads) or 0
    label = None if label == file else label
    pairs = []
    for number, cells in rows:
        name = None if label is None else cells[label].strip()
        if name == "":
            raise InputError(f"{path}: expected a label in line {number}, got none; fill it in")
        pairs.append((path.parent / cells[file].strip(), name))
    return media.read_list(pairs, model)

"""The parts of a benchmark, a module each, and the cells of them that are left to run.

A part has PART, its name; cells(small), each with a key; run(cell), a row; line(row), a text.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rows import Rows

from engram_host.datasets import DataUnavailable
from engram_host.errors import BuildError

Parts = Mapping[str, Any]  # modules by name, in the order in which they run


def fill(
    parts: Parts, rows: Rows, minutes: float, names: Sequence[str], small: bool = False
) -> int:
    """Runs the missing cells of these parts until the minutes are over; how many cells that were.

    A cell whose data or board cannot be had is left out, and why is printed once.
    """
    until, count, why = time.monotonic() + 60 * minutes, 0, set()
    for name in names:
        part = parts[name]
        for cell in part.cells(small):
            if time.monotonic() >= until:
                return count
            if rows.has(cell.key):
                continue
            try:
                row = part.run(cell)
            except (DataUnavailable, BuildError) as error:
                if str(error) not in why:
                    print(f"{cell.key}: left out: {error}", flush=True)
                why.add(str(error))
                continue
            rows.put(cell.key, row)
            count += 1
            print(f"{cell.key}: {part.line(row)}", flush=True)
    return count


def missing(parts: Parts, rows: Rows) -> dict[str, int]:
    """Cells of each part that are left."""
    return {name: sum(not rows.has(cell.key) for cell in part.cells())
            for name, part in parts.items()}  # fmt: skip


def arguments(parts: Parts, text: str | None, out: Path) -> argparse.Namespace:
    """What a campaign was told: .budget, .small, .only, .again, .docs, .out. text: its docstring;
    out: the folder of rows where none is given."""
    parser = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=60, help="minutes (60)")
    parser.add_argument("--small", action="store_true", help="a few cells only")
    parser.add_argument("--only", nargs="+", choices=sorted(parts), default=list(parts))
    parser.add_argument("--again", nargs="+", default=[], metavar="KEY",
                        help="run these anew, after a change: PART/*/q8*")  # fmt: skip
    parser.add_argument("--docs", action="store_true", help="tables and plots into docs/")
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args()


def run(parts: Parts, options: argparse.Namespace) -> Rows:
    """The rows of a campaign, after what is missing has run as the options say."""
    rows = Rows(options.out)
    rows.drop(options.again)
    count = fill(parts, rows, options.budget, options.only, options.small)
    print(f"{count} cells run, left: {missing(parts, rows)}; wrote {options.out}")
    return rows

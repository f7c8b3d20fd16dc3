"""The benchmark of learning on a budget: `make bench-budget`.

Runs the cells that out/bench/budget does not hold yet, for at most --budget minutes; each result
is stored as it comes, in a file of its own. With --docs the tables and plots of
docs/benchmarks-budget.md are made from what is stored, those of docs/search.md from the part
"search". --small runs a few cells that need no data
set and no board: seconds. tests/bench/test_budget.py runs those.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [
        str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/bench/continual")
    ]

import budget_page  # noqa: E402
import partial  # noqa: E402
import published  # noqa: E402
import replayed  # noqa: E402
import scratch  # noqa: E402
import search  # noqa: E402
import steps  # noqa: E402
from rows import Rows  # noqa: E402

from engram_host.datasets import DataUnavailable  # noqa: E402
from engram_host.errors import BuildError  # noqa: E402

OUT = ROOT / "out" / "bench" / "budget"
PARTS = {
    part.PART: part for part in (scratch, replayed, partial, steps, published, search)
}  # in the order in which they run


def fill(rows: Rows, minutes: float, names: Sequence[str], small: bool = False) -> int:
    """Runs the missing cells of these parts until the minutes are over; how many cells that were.

    A cell whose data or board cannot be had is left out, and why is printed once.
    """
    until, count, why = time.monotonic() + 60 * minutes, 0, set()
    for name in names:
        part = PARTS[name]
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


def missing(rows: Rows) -> dict[str, int]:
    """Cells of each part that are left."""
    return {name: sum(not rows.has(cell.key) for cell in part.cells())
            for name, part in PARTS.items()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=60, help="minutes (60)")
    parser.add_argument("--small", action="store_true", help="a few cells only")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    parser.add_argument("--again", nargs="+", default=[], metavar="KEY",
                        help="run these anew, after a change: scratch/*/q8*")  # fmt: skip
    parser.add_argument("--docs", action="store_true", help="tables and plots into docs/")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = Rows(options.out)
    rows.drop(options.again)
    count = fill(rows, options.budget, options.only, options.small)
    print(f"{count} cells run, left: {missing(rows)}; wrote {options.out}")
    pages = {search: [search.PART], budget_page: [n for n in PARTS if n != search.PART]}
    for page, parts in pages.items():
        if set(parts) & set(options.only):
            print(page.text(rows))
            if options.docs:
                page.write(rows)
                print(f"wrote {page.DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

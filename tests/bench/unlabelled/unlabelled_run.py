"""The benchmark of learning without labels: `make bench-unlabelled`.

Runs the cells that out/bench/unlabelled does not hold yet, for at most --budget minutes; each
result is stored as it comes, in a file of its own. With --docs the tables of
docs/benchmarks-unlabelled.md are made from what is stored. --small runs a few cells that need no
data set and no board: seconds. tests/bench/test_unlabelled.py runs those.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    folders = ("device_lib", "host", "tests", "tests/bench/continual", "tests/bench/budget")
    sys.path[:0] = [str(ROOT / folder) for folder in folders]

from rows import Rows  # noqa: E402
from unlabelled_page import DOCUMENT, PARTS, missing, text, write  # noqa: E402

from engram_host.datasets import DataUnavailable  # noqa: E402
from engram_host.errors import BuildError  # noqa: E402

OUT = ROOT / "out" / "bench" / "unlabelled"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=60, help="minutes (60)")
    parser.add_argument("--small", action="store_true", help="a few cells only")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    parser.add_argument("--again", nargs="+", default=[], metavar="KEY",
                        help="run these anew, after a change: few_labels/*/q8*")  # fmt: skip
    parser.add_argument("--docs", action="store_true", help="tables into docs/")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = Rows(options.out)
    rows.drop(options.again)
    count = fill(rows, options.budget, options.only, options.small)
    print(f"{count} cells run, left: {missing(rows)}; wrote {options.out}")
    print(text(rows))
    if options.docs:
        write(rows)
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

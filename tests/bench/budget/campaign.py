"""The benchmark of learning on a budget: `make bench-budget`.

Runs the cells that out/bench/budget does not hold yet, for at most --budget minutes; each result
is stored as it comes, in a file of its own. With --docs the tables and plots of
docs/benchmarks-budget.md are made from what is stored, those of docs/search.md from the part
"search". --small runs a few cells that need no data set and no board: seconds.
tests/bench/test_budget.py runs those.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [
        str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/bench/continual")
    ]

import budget_page  # noqa: E402
import partial  # noqa: E402
import parts  # noqa: E402
import published  # noqa: E402
import replayed  # noqa: E402
import scratch  # noqa: E402
import search  # noqa: E402
import steps  # noqa: E402

OUT = ROOT / "out" / "bench" / "budget"
PARTS = {
    part.PART: part for part in (scratch, replayed, partial, steps, published, search)
}  # in the order in which they run


def main() -> None:
    options = parts.arguments(PARTS, __doc__, OUT)
    rows = parts.run(PARTS, options)
    pages = {search: [search.PART], budget_page: [n for n in PARTS if n != search.PART]}
    for page, names in pages.items():
        if set(names) & set(options.only):
            print(page.text(rows))
            if options.docs:
                page.write(rows)
                print(f"wrote {page.DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

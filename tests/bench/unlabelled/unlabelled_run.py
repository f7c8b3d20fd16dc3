"""The benchmark of learning without labels: `make bench-unlabelled`.

Runs the cells that out/bench/unlabelled does not hold yet, for at most --budget minutes; each
result is stored as it comes, in a file of its own. With --docs the tables of
docs/benchmarks-unlabelled.md are made from what is stored. --small runs a few cells that need no
data set and no board: seconds. tests/bench/test_unlabelled.py runs those.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    folders = ("device_lib", "host", "tests", "tests/bench/continual", "tests/bench/budget")
    sys.path[:0] = [str(ROOT / folder) for folder in folders]

import parts  # noqa: E402
from unlabelled_page import DOCUMENT, PARTS, text, write  # noqa: E402

OUT = ROOT / "out" / "bench" / "unlabelled"


def main() -> None:
    options = parts.arguments(PARTS, __doc__, OUT)
    rows = parts.run(PARTS, options)
    print(text(rows))
    if options.docs:
        write(rows)
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

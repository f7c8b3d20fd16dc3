"""The continual-learning benchmark: `make bench-continual`.

Runs the cells of cells.py that out/bench/continual.json does not hold yet, for at most --budget
minutes, the most telling ones first; each result is stored as it comes. With --docs the tables and
plots of docs/benchmarks-continual.md are made from what is stored. --small runs three cells;
tests/bench/test_continual.py runs the harness without the data set.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host")]

import bounds  # noqa: E402
import cells  # noqa: E402
import few_shot  # noqa: E402
import latents_protocols as protocols  # noqa: E402
import pages  # noqa: E402
import results  # noqa: E402
import streams  # noqa: E402

OUT = ROOT / "out" / "bench"


class Loaded:
    """Latents of each protocol and model, read once."""

    def __init__(self) -> None:
        self._streams: dict[str, protocols.Stream] = {}
        self._data: dict[tuple[str, str, bool], streams.Data] = {}

    def __call__(self, protocol: str, model: str, real: bool = False) -> streams.Data:
        key = protocol, model, real
        if key not in self._data:
            if protocol not in self._streams:
                self._streams[protocol] = protocols.CLASS_INCREMENTAL[protocol]()
            self._data[key] = streams.data_of(self._streams[protocol], model, real)
        return self._data[key]


def small_cells() -> list[cells.Cell]:
    """Three settings of one seed: seconds."""
    return [
        cells.Cell(strategy="finetune"),
        cells.Cell(strategy=cells.BEST),
        cells.Cell(strategy=cells.BEST, bits=4),
    ]


def fill(grid: results.Results, budget: float, small: bool) -> int:
    """Runs what is missing until `budget` minutes are over; how many cells that were."""
    load, until, count = Loaded(), time.monotonic() + 60 * budget, 0
    if not small:
        for protocol in cells.DENSE:
            for model in (cells.DENSE[protocol], cells.DEEP[protocol]):
                if not grid.bounds(protocol, model) and time.monotonic() < until:
                    for row in bounds.of(protocol, load(protocol, model)):
                        grid.put(row)
        if not grid.few_shot():
            for row in few_shot.rows():
                grid.put(row)
    for cell in small_cells() if small else cells.grid():
        if time.monotonic() >= until:
            break
        if grid.has(cell) or (not small and cell.protocol not in cells.DENSE):
            continue
        data = load(cell.protocol, cell.model, cell.bits == cells.FULL)
        row = streams.run(cell, data)
        grid.put(row)
        count += 1
        print(f"{cell.key}: {row['accuracy']:.4f} ({row['seconds']} s)", flush=True)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=30, help="minutes (30)")
    parser.add_argument("--small", action="store_true", help="a few cells only")
    parser.add_argument("--again", nargs="+", default=[], metavar="STRATEGY",
                        help="run its cells anew, after a change")  # fmt: skip
    parser.add_argument("--docs", action="store_true", help="tables and plots into docs/")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    grid = results.Results(options.out / "continual.json")
    grid.drop(options.again)
    count = fill(grid, options.budget, options.small)
    grid.save_csv(options.out / "continual.csv")
    missing = sum(not grid.has(cell) for cell in cells.grid())
    print(f"{count} cells run, {missing} of the grid are left; wrote {grid.path}")
    print(json.dumps(pages.shown(grid), indent=1))
    if options.docs:
        pages.write(grid)
        print("wrote docs/benchmarks-continual.md")


if __name__ == "__main__":
    main()

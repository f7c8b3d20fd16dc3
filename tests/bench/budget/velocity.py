"""Clipped gradients and momentum in integers: the tables of docs/integers.md.

    python tests/bench/budget/velocity.py [clip] [momentum] [replay]

clip, momentum: all layers of SMALL_CNN learn the digits from scratch. replay: P1 of defaults, its
last block. At rates from usual to too large. Prints Markdown; `host`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [
        str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/bench/continual")
    ]

import numpy as np  # noqa: E402
import replayed  # noqa: E402
import scratch  # noqa: E402
import situations  # noqa: E402
from rows import table  # noqa: E402
from variants import Variant  # noqa: E402

from engram.errors import DivergedError  # noqa: E402

Options = Mapping[str, Any]
EPOCHS, SEEDS, REPLAY_SEEDS = 15, (1, 2, 3), (11, 12, 13)
CHANCE = 0.1  # accuracy of a run that diverged

Q8 = {"format": "q8"}
FORMATS: dict[str, Options] = {
    "float32": {},
    **{rounding: {**Q8, "rounding": rounding} for rounding in ("res8", "sr", "velocity")},
}
CLIPS: dict[str, Options] = {
    "float32": {}, "float32, clip=1": {"clip": 1.0}, "q8": Q8, "q8, clip=1": {**Q8, "clip": 1.0},
    "q8, clip=4": {**Q8, "clip": 4.0},
}  # fmt: skip


def of_digits(options: Options, lr: float) -> float:
    """The mean accuracy of learning the digits from scratch."""
    how, data = scratch.SETS["digits"]._replace(epochs=EPOCHS, lr=lr), scratch.digits()
    rows = [scratch.trained(data, how, Variant("", options), seed) for seed in SEEDS]
    return float(np.mean([row["accuracy"] or CHANCE for row in rows]))


def of_replay(options: Options, lr: float) -> float:
    """The mean accuracy of P1 with replay, its last block."""
    found = []
    for seed in REPLAY_SEEDS:
        data = replayed._data("P1", "block")
        situation = situations.class_incremental("P1", seed, data)
        try:
            found.append(replayed.defaults.run(situation, seed, {**options, "lr": lr}))
        except DivergedError:
            found.append(CHANCE)
    return float(np.mean(found))


def momentum(options: Options, lr: float) -> float:
    return of_digits({"momentum": 0.875, **options}, lr)


Table = tuple[dict[str, Options], tuple[float, ...], Callable[[Options, float], float]]
TABLES: dict[str, Table] = {
    "clip": (CLIPS, (0.05, 0.5, 2.0, 4.0), of_digits),
    "momentum": (FORMATS, (0.05, 0.1, 0.2, 0.4), momentum),
    "replay": (FORMATS, (0.05, 0.2, 0.4), of_replay),
}


def main() -> None:
    for name in sys.argv[1:] or TABLES:
        ways, rates, measured = TABLES[name]
        body = [
            [way, *(f"{100 * measured(options, lr):.1f}" for lr in rates)]
            for way, options in ways.items()
        ]
        print(table([name, *(f"rate {lr}" for lr in rates)], body), flush=True)


if __name__ == "__main__":
    main()

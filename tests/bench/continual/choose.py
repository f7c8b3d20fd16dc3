"""Our settings for the comparison with Avalanche, chosen as its own are.

    python tests/bench/continual/choose.py [strategy...]

Tries those of peers_settings.py on P1, tells each mean over TUNING_SEEDS and the best; what it
finds stands in cells.py. Stores nothing.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host")]

import cells  # noqa: E402
import latents_protocols as protocols  # noqa: E402
import peers_settings as peers  # noqa: E402
import streams  # noqa: E402

OPTION = {"ewc": "lambda", "lwf": "alpha"}


def trainings(strategy: str) -> Iterator[dict]:
    """What cells.training() would say for each setting: no more steps than Avalanche's."""
    for epochs, rate, own in peers.SETTINGS[strategy]:
        if strategy in peers.REPLAYING and own == peers.BATCH:
            continue
        options = {OPTION[strategy]: own} if strategy in OPTION else None
        yield {**cells.TRAINING, "epochs": epochs, "lr": rate, "options": options}


def tried(strategy: str, buffer: int, data: streams.Data) -> Iterator[tuple[float, dict]]:
    """(mean accuracy over TUNING_SEEDS, training) of each setting."""
    for how in trainings(strategy):
        rows = [
            streams.run(cells.Cell(strategy=strategy, buffer=buffer, seed=seed), data, how)
            for seed in peers.TUNING_SEEDS
        ]
        yield statistics.mean(row["accuracy"] for row in rows), how


def main() -> None:
    data = streams.data_of(protocols.fashion(), cells.DENSE["P1"])
    for strategy in sys.argv[1:] or [name for name in peers.SETTINGS if name != "slda"]:
        for buffer in peers.BUFFERS if strategy in peers.REPLAYING else (500,):
            choices = []
            for accuracy, how in tried(strategy, buffer, data):
                choices.append((accuracy, how))
                print(f"{strategy} {buffer} {how}: {accuracy:.4f}", flush=True)
            best = max(choices, key=lambda one: one[0])
            print(f"{strategy} {buffer}, the best: {best[1]}: {best[0]:.4f}", flush=True)


if __name__ == "__main__":
    main()

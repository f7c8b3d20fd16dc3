"""Wear and write amplification of the replay store over 100,000 replacements at 80 % fill.

    python tests/bench/store_wear.py

Writes out/bench/store.json. Counted by the store, on flash in RAM; no clock is read.
"""

import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "device_lib"))

from engram.continual.policies.flash_balanced import FlashBalanced  # noqa: E402
from engram.continual.rng import Rng  # noqa: E402
from engram.store import RamFlash, ReplayStore  # noqa: E402

UNITS, ERASE_BYTES, LATENT_BYTES, CLASSES, FILL = 64, 1024, 20, 10, 0.8
REPLACEMENTS = 100_000


def replace_at_random(store, labels):
    """A random record goes for each new one; survivors of a unit move."""
    slot = -1
    while slot < 0 or store.labels[slot] == 255:
        slot = labels.randrange(len(store.labels))
    store.delete(slot)
    store.append(bytes(LATENT_BYTES), labels.randrange(CLASSES), 0)


def figures(store, replace, fill):
    labels = random.Random(1)
    while len(store) < fill:
        store.append(bytes(LATENT_BYTES), labels.randrange(CLASSES), 0)
    start, widest, live = store.info(), 0, 0
    for n in range(REPLACEMENTS):
        replace(store, labels)
        if n % 100 == 0:
            now = store.info()
            widest = max(widest, now["wear_max"] - now["wear_min"])
            live += now["live"]
    end = store.info()
    appended, moved, programmed = (
        end[key] - start[key] for key in ("appended", "moved", "bytes_programmed")
    )
    return {
        "replacements": appended,
        "write_amplification": (appended + moved) / appended,
        "bytes_programmed_per_payload_byte": programmed / (appended * LATENT_BYTES),
        "mean_fill": live / (REPLACEMENTS // 100) / end["slots"],
        "wear_min": end["wear_min"],
        "wear_max": end["wear_max"],
        "widest_spread": widest,
    }


def dropping(spread):
    store = ReplayStore(RamFlash(UNITS, ERASE_BYTES, 1), 1, 1, LATENT_BYTES)
    policy = FlashBalanced(store, CLASSES, Rng(1), round(FILL * UNITS), spread)
    # The stream is skipped to the next record that is admitted: 1 / p records of its class.
    policy.keep, policy.seen = [1.0] * CLASSES, [0.0] * CLASSES

    def replace(store, labels):
        label = labels.randrange(CLASSES)
        policy.seen[label] += 1 / policy.keep[label]
        store.append(bytes(LATENT_BYTES), label, 0)

    return figures(store, replace, 0)


def moving(spread):
    store = ReplayStore(RamFlash(UNITS, ERASE_BYTES, 1), 1, 1, LATENT_BYTES, reserve=1)
    store.wear_spread = spread
    return figures(store, replace_at_random, FILL * len(store.labels))


def main():
    table = {
        "moving, spread 1": moving(1),
        "flash_balanced, spread 1": dropping(1),
        "flash_balanced, spread 2": dropping(2),
        "flash_balanced, spread 3": dropping(3),
    }
    out = ROOT / "out/bench/store.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(table, indent=1) + "\n")
    for name, row in table.items():
        print(name, {key: round(value, 3) for key, value in row.items()})


if __name__ == "__main__":
    main()

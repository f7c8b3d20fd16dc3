"""Wear and write amplification of the replay store over 100,000 replacements at 80 % fill, and
whether what a policy keeps is a fair sample.

    python tests/bench/store_wear.py [--docs]

Puts the rows into out/bench/store.json as "wear", "bound" and "fairness"; with --docs also into
docs/store.md. Counted by the store, on flash in RAM; no clock is read.
"""

import argparse
import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ("device_lib", "host", "tests", "tests/device", "tests/learn")
sys.path[:0] = [str(ROOT / part) for part in HERE]

import store_bound  # noqa: E402
import test_flash_balanced as fair  # noqa: E402

from engram.continual.policies.flash_balanced import Policy  # noqa: E402
from engram.continual.rng import Rng  # noqa: E402
from engram.store import RamFlash, ReplayStore  # noqa: E402

OUT = ROOT / "out" / "bench" / "store.json"
DOCUMENT = ROOT / "docs" / "store.md"
UNITS, ERASE_BYTES, LATENT_BYTES, CLASSES, FILL = 64, 1024, 20, 10, 0.8
UNITS_IN_USE = round(FILL * UNITS)  # by a policy that drops units
REPLACEMENTS = 100_000
SAMPLES = 20_000  # of a class, where each comes once


def replace_at_random(store, draws):
    """A random record goes for each new one; survivors of a unit move."""
    slot = -1
    while slot < 0 or store.labels[slot] == 255:
        slot = draws.randrange(len(store.labels))
    store.delete(slot)
    store.append(bytes(LATENT_BYTES), draws.randrange(CLASSES), 0)


class Meter:
    """Figures of a store from now on."""

    def __init__(self, store):
        self.store = store
        self.start = store.info()
        self.widest = self.live = self.looks = 0

    def look(self):
        now = self.store.info()
        self.widest = max(self.widest, now["wear_max"] - now["wear_min"])
        self.live += now["live"]
        self.looks += 1

    def figures(self):
        end = self.store.info()
        appended, moved, programmed = (
            end[key] - self.start[key] for key in ("appended", "moved", "bytes_programmed")
        )
        return {
            "replacements": appended,
            "write_amplification": (appended + moved) / appended,
            "bytes_programmed_per_payload_byte": programmed / (appended * LATENT_BYTES),
            "mean_fill": self.live / self.looks / end["slots"],
            "wear_min": end["wear_min"],
            "wear_max": end["wear_max"],
            "widest_spread": self.widest,
            "ram_bytes_per_record": end["ram_bytes"] / end["capacity"],
            "stored_of_each_class": [self.store.counts(label) for label in range(CLASSES)],
        }


def moving(spread):
    """Random replacement in a store that is full up to FILL."""
    store = ReplayStore(RamFlash(UNITS, ERASE_BYTES, 1), 1, 1, LATENT_BYTES, reserve=1)
    store.wear_spread = spread
    draws = random.Random(1)
    while len(store) < FILL * len(store.labels):
        store.append(bytes(LATENT_BYTES), draws.randrange(CLASSES), 0)
    meter = Meter(store)
    for n in range(REPLACEMENTS):
        replace_at_random(store, draws)
        if n % 100 == 0:
            meter.look()
    return meter.figures()


def policy_over(spread, units=UNITS_IN_USE):
    store = ReplayStore(RamFlash(UNITS, ERASE_BYTES, 1), 1, 1, LATENT_BYTES)
    budget = units * store.info()["slots_per_block"]
    return store, Policy(store, CLASSES, Rng(1), budget, spread)


def admitted(spread, label_of, *units):
    """So many records admitted, of a stream that is skipped from one to the next, 1 / p records of
    its class. label_of(n, draws): label of the n-th."""
    store, policy = policy_over(spread, *units)
    draws, n = random.Random(1), 0
    while not store.info()["dropped"]:
        n = put(store, policy, label_of, n, draws)
    meter, start = Meter(store), n
    while n < start + REPLACEMENTS:
        n = put(store, policy, label_of, n, draws)
        if n % 100 == 0:
            meter.look()
    return meter.figures()


def put(store, policy, label_of, n, draws):
    label = label_of(n, draws)
    fair.skip_to_admitted(policy, label)
    store.append(bytes(LATENT_BYTES), label, 0)
    return n + 1


def each_class_once():
    """The whole of a class-incremental stream, every sample of which the policy is asked for."""
    store, policy = policy_over(2)
    meter = None
    for n in range(CLASSES * SAMPLES):
        label = n // SAMPLES
        if policy.admit(label):
            store.append(bytes(LATENT_BYTES), label, 0)
        if meter is None and store.info()["dropped"]:
            meter = Meter(store)
        if meter and n % 1000 == 0:
            meter.look()
    return meter.figures()


def mixed(n, draws):
    return draws.randrange(CLASSES)


def in_turns(n, draws):
    """A thousand that are admitted of one class, then of the next."""
    return n // 1000 % CLASSES


WEAR = (
    ("moving, spread 1", lambda: moving(1)),
    ("flash_balanced, classes mixed, spread 1", lambda: admitted(1, mixed)),
    ("flash_balanced, classes mixed, spread 2", lambda: admitted(2, mixed)),
    ("flash_balanced, classes mixed, spread 2, a unit more", lambda: admitted(2, mixed, 52)),
    ("flash_balanced, classes mixed, spread 3", lambda: admitted(3, mixed)),
    ("flash_balanced, classes in turns, spread 2", lambda: admitted(2, in_turns)),
    ("flash_balanced, classes in turns, spread 8", lambda: admitted(8, in_turns)),
    ("flash_balanced, classes in turns, not levelled", lambda: admitted(1 << 20, in_turns)),
    ("flash_balanced, each class once, spread 2", each_class_once),
)


def wear():
    """{row: figures}"""
    return {name: row() for name, row in WEAR}


def bound():
    """{fill: least write amplification} at spread 1, see store_bound."""
    out = {}
    for fill in (0.7, FILL, 0.9):
        amplification, least = store_bound.least_swinging(fill)
        out[str(fill)] = {
            "constant_fill": store_bound.least(fill),
            "swinging_fill": amplification,
            "swings_down_to": least,
        }
    return out


def lives_cut(seed):
    return fair.lived_with_cuts(seed, 3)[0]


# stream -> a life on it by its seed
STREAMS = {
    "classes mixed": lambda seed: fair.lived(seed, (1, 1, 1)),
    "classes one after the other": lambda seed: fair.lived(seed, (1, 1, 1), block=200),
    "classes 4 : 1 : 1": lambda seed: fair.lived(seed, (8, 2, 2)),
    "power cuts between saves": lives_cut,
    "not fair: the oldest unit goes": lambda seed: fair.lived(
        seed, (1, 1, 1), random_picks=fair.Oldest
    ),
}


def fairness():
    """{stream: {"lives", "t_squared": [of each class], "critical", "records": [of each class]}}

    Hotelling's T squared of how many records are left of each eighth of a class's stream.
    """
    out = {}
    for name, life in STREAMS.items():
        lives = [life(seed) for seed in range(1, fair.SEEDS + 1)]
        classes = range(len(lives[0]))
        out[name] = {
            "lives": len(lives),
            "t_squared": [fair.unevenness(fair.positions(lives, c)) for c in classes],
            "critical": fair.CHI2[fair.BINS - 1],
            "records": [sum(len(left[c]) for left in lives) / len(lives) for c in classes],
        }
    return out


def table_of_wear(rows):
    lines = [
        "| policy, stream | replacements | erases of a unit | widest spread | mean fill | "
        "write amplification | least at this fill, spread 1 | bytes programmed per byte |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        least = "—" if row["widest_spread"] > 1 else f"{store_bound.least(row['mean_fill']):.2f}"
        amplification = f"{row['write_amplification']:.2f}"
        lines.append(
            f"| {name} | {row['replacements']} | {row['wear_min']}…{row['wear_max']} | "
            f"{row['widest_spread']} | {row['mean_fill']:.3f} | {amplification} | "
            f"{least} | {row['bytes_programmed_per_payload_byte']:.2f} |"
        )
    ram = max(row["ram_bytes_per_record"] for row in rows.values())
    return "\n".join([*lines, "", f"RAM of the index: {ram:.2f} bytes a record at most."])


def table_of_bound(rows):
    lines = [
        "| fill | never below it: at least | on average: possible with | swings down to |",
        "|---:|---:|---:|---:|",
    ]
    for fill, row in rows.items():
        lines.append(
            f"| {fill} | {row['constant_fill']:.2f} | {row['swinging_fill']:.2f} | "
            f"{row['swings_down_to']:.2f} |"
        )
    return "\n".join(lines)


def table_of_fairness(rows):
    lines = [
        "| stream | lives | T² of each class | critical at p = 0.001 | records of each class |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        values = ", ".join(f"{value:.1f}" for value in row["t_squared"])
        records = ", ".join(f"{value:.1f}" for value in row["records"])
        lines.append(f"| {name} | {row['lives']} | {values} | {row['critical']} | {records} |")
    return "\n".join(lines)


# key in store.json and name of the block in the document -> (rows, table)
SECTIONS = {
    "wear": (wear, table_of_wear),
    "bound": (bound, table_of_bound),
    "fairness": (fairness, table_of_fairness),
}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--docs", action="store_true", help="tables into docs/store.md")
    options = options.parse_args()
    tables = json.loads(OUT.read_text()) if OUT.exists() else {}
    for key, (rows, table) in SECTIONS.items():
        tables[key] = rows()
        print(table(tables[key]), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(tables, indent=1) + "\n")
    print(f"wrote {OUT.relative_to(ROOT)}")
    if options.docs:
        text = DOCUMENT.read_text()
        for key, (_, table) in SECTIONS.items():
            begin, end = f"<!-- store_{key}: begin -->", f"<!-- store_{key}: end -->"
            before, rest = text.split(begin)
            text = f"{before}{begin}\n{table(tables[key])}\n{end}{rest.split(end)[1]}"
        DOCUMENT.write_text(text)
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

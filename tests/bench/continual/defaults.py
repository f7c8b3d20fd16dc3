"""How good the defaults are: `make bench-defaults`.

Runs the six situations of situations.py with the defaults of today and of before, with each goal,
and with settings tuned for each situation; torch_replay.py adds PyTorch. --docs writes the tables
of docs/defaults.md. Accuracies are `host`: the device library on this computer.

Tuned: one knob after the other, the best value kept, twice around, by the mean over TUNING_SEEDS
on the very samples that judge: a bound that no user reaches. All figures are of SEEDS.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host")]

import cells  # noqa: E402
import defaults_page  # noqa: E402
import latents_protocols as protocols  # noqa: E402
import situations  # noqa: E402
import streams  # noqa: E402

from engram.backend import kernels  # noqa: E402
from engram.continual.learner import Learner  # noqa: E402
from engram.nn.model import ModelSpec  # noqa: E402
from engram_host.learning.latent_store import LatentStore  # noqa: E402

OUT = ROOT / "out" / "bench"
NAMES = ("P1", "P2", "P3", "P5", "P12", "drift")
SKEWED = "skewed"  # for the goals alone
TUNING_SEEDS = (1, 2)
SEEDS = (11, 12, 13, 14, 15)

# Latents that stay, and their bits: as many bytes of flash.
NOW = {"buffer": 1000, "bits": 4}
BEFORE = {
    "buffer": 500, "bits": 8, "policy": "balanced", "lr": 0.05, "lr_decay": 0.0, "epochs": 1,
    "by_number": True,
}  # fmt: skip
GOALS = ("classes", "domain", "user")
KNOBS: list[tuple[str, list[dict]]] = [
    ("strategy", [
        {"strategy": "replay"},
        *({"strategy": "replay_lwf", "strategy_options": {"alpha": a}} for a in (1, 4, 16)),
        {"strategy": "replay_anchor"},
    ]),
    ("share", [{"new_share": share} for share in (None, 0.25, 0.5, 0.75)]),
    ("composition", [{"composition": c} for c in ("balanced", "as_stored", "as_seen")]),
    ("memory", [
        {"policy": "herding", "bits": 4, "buffer": 1000},
        {"policy": "balanced", "bits": 4, "buffer": 1000},
        {"policy": "herding", "bits": 8, "buffer": 500},
    ]),
    ("lr", [{"lr": lr} for lr in (0.01, 0.03, 0.05, 0.1, 0.2)]),
    ("steps", [{"steps": steps} for steps in (400, 800, 1600)]),
]  # fmt: skip


class Situations:
    """Each situation and seed, made once."""

    def __init__(self) -> None:
        self._data: dict[str, streams.Data] = {}
        self._made: dict[tuple[str, int], situations.Situation] = {}

    def __call__(self, name: str, seed: int) -> situations.Situation:
        if (name, seed) not in self._made:
            self._made[name, seed] = self._make(name, seed)
        return self._made[name, seed]

    def _make(self, name: str, seed: int) -> situations.Situation:
        if name not in protocols.CLASS_INCREMENTAL:
            return situations.OTHERS[name](seed)
        if name not in self._data:
            stream = protocols.CLASS_INCREMENTAL[name]()
            self._data[name] = streams.data_of(stream, cells.DENSE[name])
        return situations.class_incremental(name, seed, self._data[name])


def run(situation: situations.Situation, seed: int, settings: dict) -> float:
    """The score of a learner with these settings, which are Learner's and those of NOW and BEFORE,
    all others as they come by default."""
    how = {**NOW, **settings}
    length = {name: how.pop(name) for name in ("epochs", "steps") if name in how}
    buffer, bits, by_number = how.pop("buffer"), how.pop("bits"), how.pop("by_number", False)
    most = max(len(part.y) for part in situation.sessions)
    room = max(buffer + most, len(situation.memory.y))
    store = LatentStore(room, situation.memory.x.shape[1], bits)
    learner = Learner(
        ModelSpec(BytesIO(situation.model)), store, known=situation.known, seed=seed,
        budget=buffer, **how,
    )  # fmt: skip
    observe(learner, situation.memory)
    learner.end_session()
    rows = []
    for n, part in enumerate(situation.sessions):
        observe(learner, part)
        if by_number:
            learner.sampler.new_share = _share_by_number(learner)
        learner.learn(**length)
        tests = situation.tests[: n + 2]
        rows.append([_accuracy(learner, test) for test in tests])
    return situation.score(rows)


def observe(learner: Learner, part: situations.Part) -> None:
    """Does the part of Learner.observe() behind the frozen stage."""
    store = learner.store
    packed = bytearray(store.latent_bytes)
    for x, y in zip(part.x, part.y.tolist()):
        if y >= learner.stage.known:
            learner.stage.resize(y + 1)
        kernels.pack_s8(packed, x.view(np.uint8), store.bits)
        store.append(packed, y, learner.current)


def _share_by_number(learner: Learner) -> float | None:
    """The share of new records as it was before: a class that has old ones too shares its part of
    a batch between them by number."""
    labels = np.frombuffer(bytes(learner.store.labels), np.uint8)
    sessions = np.frombuffer(learner.store.sessions, np.uint16)
    live = labels != 255
    fresh = np.bincount(labels[live & (sessions == learner.current)], minlength=255)
    old = np.bincount(labels[live & (sessions != learner.current)], minlength=255)
    if not old.any():
        return None
    both = (fresh + old) > 0
    return float((fresh[both] / (fresh + old)[both]).sum() / both.sum())


def _accuracy(learner: Learner, test: situations.Part) -> float:
    return float((streams.logits(learner, test.x).argmax(axis=1) == test.y).mean())


def scores(get: Situations, name: str, settings: dict, seeds: Iterable[int]) -> list[float]:
    return [round(100 * run(get(name, seed), seed, settings), 2) for seed in seeds]


def tuned(get: Situations, name: str) -> dict:
    """The settings that coordinate search finds for a situation."""
    best: dict = {}
    best_score = statistics.mean(scores(get, name, best, TUNING_SEEDS))
    for _ in range(2):
        for _, values in KNOBS:
            for value in values:
                settings = {**best, **value}
                if "strategy" in value and "strategy_options" not in value:
                    settings.pop("strategy_options", None)
                if settings == best:
                    continue
                score = statistics.mean(scores(get, name, settings, TUNING_SEEDS))
                if score > best_score:
                    best, best_score = settings, score
    return best


def columns(name: str, settings: dict) -> dict[str, dict]:
    """The runs of the table: {column: settings}."""
    return {
        "before": BEFORE,
        "now": {},
        "replay_lwf": {"strategy": "replay_lwf"},
        "replay_anchor": {"strategy": "replay_anchor"},
        **{goal: {"goal": goal} for goal in GOALS},
        "tuned": settings,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--docs", action="store_true", help="tables into docs/defaults.md")
    parser.add_argument("--again", action="store_true", help="tune anew")
    parser.add_argument("--out", type=Path, default=OUT / "defaults.json")
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.is_file() else {}
    get = Situations()
    for name in NAMES:
        row = results.setdefault(name, {})
        if options.again or "settings" not in row:
            row["settings"] = tuned(get, name)
            print(f"{name}: tuned: {row['settings']}", flush=True)
        for column, settings in columns(name, row["settings"]).items():
            row[column] = scores(get, name, settings, SEEDS)
            print(f"{name} {column}: {statistics.mean(row[column]):.1f}", flush=True)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    row = results.setdefault(SKEWED, {})
    for goal in GOALS:
        row[goal] = scores(get, SKEWED, {"goal": goal}, SEEDS)
        print(f"{SKEWED} {goal}: {statistics.mean(row[goal]):.1f}", flush=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    if options.docs:
        peer = options.out.with_name("torch_replay.json")
        defaults_page.write(results, json.loads(peer.read_text()) if peer.is_file() else {})
        print("wrote docs/defaults.md")


if __name__ == "__main__":
    main()

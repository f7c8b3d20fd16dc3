"""Partial updates: structures with the largest errors (`keep`), samples (`skip`), fixed channels.

Accuracy from scratch (all of SMALL_CNN), and fine-tuning: all of SMALL_CNN after a drift of its
camera, and the last blocks of P1, P3 and P5 with replay. The backward pass and the whole step in
instructions, on an emulated board, of the same models and samples.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import defaults
import drifted
import keywords
import numpy as np
import replayed
import scratch
import scratch_networks as networks
import situations
import steps
from rows import Row, Rows, figures, table, told
from variants import REFERENCE, VARIANTS

from engram_host.samples import Samples

PART = "partial"
ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "out" / "bench" / "budget" / "models"
SEEDS = {"scratch": (1, 2, 3), "drift": (1, 2, 3), "room": (1, 2, 3), "P1": tuple(range(11, 16)),
         "P3": tuple(range(11, 16)), "P5": tuple(range(11, 16))}  # fmt: skip
KEEPS = {  # as Learner takes them; "0.1-1" is the rule of Deutel et al.
    "1": {},
    "0.5": {"keep": 0.5},
    "0.25": {"keep": 0.25},
    "0.1": {"keep": 0.1},
    "0.1-1": {"keep": (0.1, 1.0)},
    "1, skip 0.5": {"skip": 0.5},
    "0.5, skip 0.5": {"keep": 0.5, "skip": 0.5},
    "0.5, skip 0.75": {"keep": 0.5, "skip": 0.75},
    "0.25, skip 0.5": {"keep": 0.25, "skip": 0.5},
    "in 0.5": {"scope": "head,all.in:norm:0.5"},
    "in 0.25": {"scope": "head,all.in:norm:0.25"},
    "out 0.25": {"scope": "head,all.out:norm:0.25"},
    "pointwise, in 0.25": {"scope": "head,pointwise.in:norm:0.25"},
}
ONLY = {"pointwise, in 0.25": "room"}  # a setting of one case
SKIPPING_STEPS = 48  # of the second half of which the mean is taken: the quantile has settled
TITLES = {
    "scratch": "from scratch, Fashion-MNIST",
    "drift": "fine-tuning, Fashion-MNIST after a drift",
    "room": "fine-tuning, the last block of DS-CNN S in rain",
    "P1": "fine-tuning with replay, P1",
    "P3": "fine-tuning with replay, P3",
    "P5": "fine-tuning with replay, P5",
}
BOARDS = {
    "drift": "qemu_m55",
    "room": "qemu_m33",
    "P1": "qemu_m4f",
    "P3": "qemu_m4f",
    "P5": "qemu_m4f",
}
TUNING = {
    "drift": scratch.Set("", lambda: None, 4, batch=16, lr=0.02),
    "room": scratch.Set("", lambda: None, 5, batch=16, lr=0.02),
}
GAP, TIMES = 0.005, 4  # fine-tuning: points lost at most, at a backward pass so many times faster
FIXED_GAP, FIXED_TIMES = 0.01, 2  # chosen channels: memory and backward pass


class Cell(NamedTuple):
    """The key of a cell. seed: for an accuracy; None: the instructions of a step."""

    case: str
    keep: str
    seed: int | None

    @property
    def key(self) -> str:
        if (self.case, self.keep) == ("scratch", "1"):
            return scratch.Cell(seed=self.seed or 0).key
        return f"{PART}/{self.case}/{self.keep}/{'step' if self.seed is None else self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    """Fine-tuning first; small: none, they need data sets and boards."""
    for case in () if small else ("room", "P1", "P3", "P5", "drift", "scratch"):
        for keep in settings(case):
            if case in BOARDS:
                yield Cell(case, keep, None)
        for seed in SEEDS[case]:
            for keep in settings(case):
                yield Cell(case, keep, seed)


def settings(case: str) -> list[str]:
    """Names of KEEPS that a case has: from scratch, nothing is known of what to choose."""
    names = [name for name in KEEPS if ONLY.get(name, case) == case]
    if case == "scratch":
        names = [name for name in names if set(KEEPS[name]) <= {"keep"}]
    return names


def run(cell: Cell) -> Row:
    start_s = time.perf_counter()
    if cell.seed is None:
        count = SKIPPING_STEPS if "skip" in cell.keep else steps.STEPS
        row = steps.measured(_work(cell), BOARDS[cell.case], count)
    elif cell.case == "scratch":
        variant = VARIANTS[REFERENCE]._replace(learner=KEEPS[cell.keep])
        how = scratch.SETS["fashion"]
        row = scratch.trained(how.load(), how, variant, cell.seed)
    elif cell.case == "drift":
        variant = VARIANTS[REFERENCE]._replace(learner=KEEPS[cell.keep])
        data, raw = drifted.images(cell.seed), drifted.model(cell.seed, MODELS)
        row = scratch.learned(raw, data, TUNING["drift"], variant, cell.seed)[0]
        row["before"] = drifted.accuracy_before(raw, data)
    elif cell.case == "room":
        variant = VARIANTS[REFERENCE]._replace(learner=KEEPS[cell.keep])
        room = keywords.room()
        row, learner = scratch.learned(room.raw, room.data, TUNING["room"], variant, cell.seed)
        row["clean"] = scratch.right(learner, room.clean) / len(room.clean.y_test)
        row["before"] = drifted.accuracy_before(room.raw, room.data)
    else:
        situation = situations.class_incremental(
            cell.case, cell.seed, replayed._data(cell.case, "block")
        )
        row = {
            "accuracy": defaults.run(situation, cell.seed, dict(KEEPS[cell.keep])),
            "kind": "host",
        }
    return {**row, **cell._asdict(), "seconds": round(time.perf_counter() - start_s, 1)}


def _work(cell: Cell) -> steps.Work:
    """A session on a board with the model of a case, its samples the latents."""
    if cell.case == "drift":
        data = drifted.images(1)
        raw, x, y = drifted.model(1, MODELS), data.x_train[:32], data.y_train[:32]
        options = {"batch": 4, "lr": TUNING["drift"].lr, "momentum": 0.0}
    elif cell.case == "room":
        room = keywords.room()
        raw, x, y = room.raw, room.data.x_train[1430:1460], room.data.y_train[1430:1460]
        options = {"batch": steps.BLOCK_BATCH}
    else:
        latents = replayed._data(cell.case, "block")
        situation = situations.class_incremental(cell.case, 11, latents)
        raw = networks.without_frozen(situation.model)
        part = situation.sessions[0]
        rows = slice(0, 32)
        x, y = part.x[rows].view(np.uint8) ^ 0x80, part.y[rows].astype(np.uint8)
        options = {"batch": 16}
    half = len(x) // 2
    options |= {"bits": 4, "budget": half, "new_share": 0.5}
    both = Samples(x[:half], y[:half]), Samples(x[half:], y[half:])
    return _with(cell, steps.Work(raw, *both, options))


def _with(cell: Cell, work: steps.Work) -> steps.Work:
    return work._replace(options={**work.options, **KEEPS[cell.keep]})


def line(row: Row) -> str:
    if row["seed"] is None:
        return steps.line(row)
    reached = "diverged" if row["accuracy"] is None else f"{row['accuracy']:.4f}"
    return f"{reached} ({row['seconds']} s)"


def section(rows: Rows) -> list[str]:
    """The part's text: a row a case and setting."""
    head = ["learns", "`keep`, `skip`, channels", "accuracy, %", "points",
            "backward, 10^6 instructions", "whole step, 10^6 instructions",
            "weights, gradients, activations, kB", "bar"]  # fmt: skip
    body = [_line(rows, case, keep) for case in TITLES for keep in settings(case)]
    return ["## Partial updates", table(head, body)]


def _line(rows: Rows, case: str, keep: str) -> list[str]:
    ours = rows.all_of(Cell(case, keep, seed).key for seed in SEEDS[case])
    gap = _behind(rows, case, keep)
    parts = [TITLES[case], keep, told(ours, "accuracy"), ""]
    if gap is not None and keep != "1":
        parts[-1] = f"{100 * gap:+.1f}"
    row, base = (rows.get(Cell(case, k, None).key) for k in (keep, "1"))
    if not row or not base or row["total"] is None:
        return [*parts, "", "", "", ""]
    times = []
    for value, unit, digits in (
        (lambda r: r["phases"]["backward"], 1e6, 3),
        (lambda r: r["total"], 1e6, 3),
        (lambda r: r["train_bytes"], 1e3, 1),
    ):
        times.append(value(base) / value(row))
        parts.append(f"{value(row) / unit:.{digits}f} ({times[-1]:.1f} ×)")
    return [*parts, "" if gap is None or keep == "1" else _said(keep, gap, *times)]


def _said(keep: str, gap: float, backward: float, _: float, memory: float) -> str:
    """Whether a setting meets its bar: points, and what they are to buy."""
    if "scope" in KEEPS[keep]:
        good = gap >= -FIXED_GAP and min(backward, memory) >= FIXED_TIMES
        bar = f"≤ {100 * FIXED_GAP:.1f} at ≥ {FIXED_TIMES} × backward and memory"
    else:
        good = gap >= -GAP and backward >= TIMES
        bar = f"≤ {100 * GAP:.1f} at ≥ {TIMES} × backward"
    return f"{bar}: {'reached' if good else 'not reached'}"


def savings(rows: Rows, case: str) -> list[tuple[float, float]]:
    """[(times fewer instructions of the backward pass, accuracy less the whole pass's)]."""
    out = []
    base = rows.get(Cell(case, "1", None).key)
    for keep in settings(case):
        row, gap = rows.get(Cell(case, keep, None).key), _behind(rows, case, keep)
        if keep != "1" and gap is not None and row and base and row["total"] and base["total"]:
            out.append((base["phases"]["backward"] / row["phases"]["backward"], gap))
    return out


def _behind(rows: Rows, case: str, keep: str) -> float | None:
    pairs = [[rows.get(Cell(case, k, seed).key) for k in (keep, "1")] for seed in SEEDS[case]]
    both = [figures(pair, "accuracy") for pair in pairs if None not in pair]
    differences = [pair[0] - pair[1] for pair in both if len(pair) == 2]
    return float(np.mean(differences)) if differences else None

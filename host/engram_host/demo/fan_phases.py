"""The phases of the demo of the fan, and what it promises: the share in alarm in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.watch.quarantine import BLOCK

from .fan_signal import BALANCED, IMBALANCED, Fan

KNOWN, NEW = (15, 25), 20  # turns per second
LEARNED = 24  # blocks that are learned first
QUIET, SURE, NOTICED = 0.05, 0.9, 0.3  # shares of windows in alarm


@dataclass(frozen=True)
class Phase:
    """A time of the fan: for each block of BLOCK windows its speed is drawn from `speeds`.

    first: blocks at the new speed, before that. expects: "quiet", "alarm", "ends" (quiet in its
    second half) or "learned" (alarms at the new speed, until it is learned).
    """

    name: str
    speeds: tuple[int, ...]
    blocks: int
    expects: str
    imbalance: float = BALANCED
    first: int = 0


# A fault is an imbalance of the rotor. The first is of more than 25 blocks: of shorter ones that
# are over again blocks may be taken in (engram.watch.quarantine).
PHASES = (
    Phase("normal", KNOWN, 12, "quiet"),
    Phase("fault", KNOWN, 30, "alarm", IMBALANCED),
    Phase("repaired", KNOWN, 12, "ends"),
    Phase("a new speed comes and goes", (*KNOWN, NEW), 40, "learned", first=2),
    Phase("the new speed", (NEW,), 10, "quiet"),
    Phase("fault at the new speed", (NEW,), 8, "alarm", IMBALANCED),
    Phase("fault at the old speeds", KNOWN, 8, "alarm", IMBALANCED),
)
EXPECTED = {
    "quiet": f"at most {QUIET:.0%}",
    "alarm": f"at least {SURE:.0%}",
    "ends": f"at most {QUIET:.0%} of its second half",
    "learned": f"at least {NOTICED:.0%} of those at the new speed, until it is learned",
}


def speeds_of(phase: Phase, random: np.random.Generator) -> list[int]:
    """The speed of each window."""
    blocks = [NEW] * phase.first + list(random.choice(phase.speeds, phase.blocks))
    return [int(hz) for hz in blocks for _ in range(BLOCK)]


def windows_of(fan: Fan, speeds: Sequence[int], imbalance: float) -> NDArray[np.float32]:
    """(n, samples, axes)"""
    return np.stack([fan.window(hz, imbalance) for hz in speeds])


def outcome(
    phase: Phase, first: int, speeds: Sequence[int], alarmed: NDArray[np.bool_], at: int | None
) -> dict[str, Any]:
    """The outcome of a phase, and whether it is as expected: {"name", "first", "windows",
    "speeds", "imbalance", "expects", "expected", "share", "counted", "kept"}.

    first: number of its first window; speeds, alarmed: of its windows. at: windows that were read
    when the board first learned, None where it never did.
    share: of windows in alarm, among those that the expectation is about, "counted".
    """
    counted = np.ones(len(speeds), bool)
    if phase.expects == "ends":
        counted[: len(speeds) // 2] = False
    if phase.expects == "learned":
        end = len(speeds) if at is None else max(0, at - first)
        counted = (np.array(speeds) == NEW) & (np.arange(len(speeds)) < end)
    share = float(alarmed[counted].mean()) if counted.any() else 0.0
    kept = {
        "quiet": share <= QUIET,
        "ends": share <= QUIET,
        "alarm": share >= SURE,
        "learned": at is not None and first <= at <= first + len(speeds) and share >= NOTICED,
    }[phase.expects]
    return {
        "name": phase.name,
        "first": first,
        "windows": len(speeds),
        "speeds": sorted(set(speeds)),
        "imbalance": phase.imbalance,
        "expects": phase.expects,
        "expected": EXPECTED[phase.expects],
        "share": share,
        "counted": int(counted.sum()),
        "kept": bool(kept),
    }


def faults_learned(phases: Sequence[dict[str, Any]], adapted: Sequence[dict[str, Any]]) -> int:
    """Blocks out of balance among those that were learned."""
    starts = [at for told in adapted for at in told["samples"]]
    return sum(
        phase["first"] <= at < phase["first"] + phase["windows"]
        for phase in phases
        for at in starts
        if phase["imbalance"] != BALANCED
    )

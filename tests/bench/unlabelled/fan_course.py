"""A fan that is watched for long: new speeds are learned without labels, faults are not.

Of each known speed of configuration 1 the first 16 windows of 64 samples are learned, the next 16
come in the course, and the last 14 test. They come in blocks of 8 of one speed; those of known
speeds come again when all have been there, others come once.

* A new speed: three neighbouring speeds are held out. 28 known blocks, then 24 more among which
  their 12 are mixed, then 17 known ones. Tested before and after: the share of normal windows
  above the threshold (false alarms), at the new and at the known speeds, and of windows of
  configurations 2 and 3 at the same speeds (found); and the area under the ROC curve, which needs
  no threshold.
* A fault: all speeds are known. 20 known blocks, a fault of some blocks of configuration 2 or 3
  at any speeds, 36 known ones. Told: the share of its blocks that was taken in, and the share of
  other windows of that configuration that is found before and after. What was taken in is learned
  in any case, even where it is less than an Adaptation waits for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import fan
import numpy as np
from numpy.typing import NDArray
from rows import Row, Rows, table

from engram.watch.adapting import BLOCK, Adaptation
from engram.watch.quarantine import BLOCKS

PART = "fan_course"
SEEDS = fan.SEEDS
LEARNED, COURSE = 16, 32  # windows of a recording: before the first, before the second
RATE = 0.05  # false alarms that are asked for; chosen with seeds 1 and 2, from 0.01 and this
NEW = {"low": (30, 35, 40), "middle": (55, 60, 65), "high": (80, 85, 90)}  # percent
LENGTHS = (10, 20, 25, 30, 60)  # blocks of a fault
ENGINES = {
    "clusters": "`clusters`", "neighbours": "`neighbours`",
    "loss": "`loss` (it knows the samples that set its threshold)",
}  # fmt: skip
STEPS = 100  # of a learning run of an adaptation


class Cell(NamedTuple):
    """kind: "new" or "fault". of: of NEW; or configuration and blocks, "2x10"."""

    data: str
    kind: str
    of: str
    engine: str
    seed: int

    @property
    def key(self) -> str:
        return f"{PART}/{self.data}/{self.kind}/{self.of}/{self.engine}/{self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    if small:
        yield Cell("simulated", "new", "middle", "clusters", 1)
        yield Cell("simulated", "fault", "3x30", "clusters", 1)
        return
    for seed in SEEDS:
        for engine in ENGINES:
            for of in NEW:
                yield Cell("real", "new", of, engine, seed)
        for engine in ENGINES:
            for other in fan.OTHERS:
                for blocks in LENGTHS:
                    yield Cell("real", "fault", f"{other}x{blocks}", engine, seed)


def run(cell: Cell) -> Row:
    start_s = time.perf_counter()
    row = _new(cell) if cell.kind == "new" else _fault(cell)
    return {**cell._asdict(), **row, "kind_of_figures": "host",
            "seconds": round(time.perf_counter() - start_s, 1)}  # fmt: skip


class Watched:
    """A learner of the known speeds, its watch and its Adaptation."""

    def __init__(self, cell: Cell, held_out: Sequence[int] = ()) -> None:
        source = fan.recordings(cell.data)
        self.random = np.random.default_rng(cell.seed)
        self.held_out = held_out
        self.speeds = sorted(set(source.speed.tolist()))
        self._windows = {
            (c, speed): fan.features(source.windows(c, speed)[0])
            for c in (1, *fan.OTHERS) for speed in self.speeds
        }  # fmt: skip
        self.known = [speed for speed in self.speeds if speed not in held_out]
        fit = np.concatenate([self._windows[1, speed][:LEARNED] for speed in self.known])
        steps = fan.STEPS if cell.engine == "loss" else fan.SMALL_STEPS
        self.learner = fan.learned(fit, cell.seed, steps, room=1000)
        options: dict[str, Any] = {"seed": cell.seed} if cell.engine == "clusters" else {}
        self.watch = self.learner.watch(
            engine=cell.engine, window=fan.WINDOW, false_alarms=RATE, **options
        )
        self.follow = Adaptation(self.watch, steps=STEPS)
        self._waiting: list[NDArray[np.float32]] = []
        self.adapted = self.taken = 0
        self._kinds: list[bool] = []

    def blocks(
        self, configuration: int, speeds: Sequence[int], first: int, end: int
    ) -> list[NDArray[np.float32]]:
        """Blocks of windows `first` to `end` of recordings, in any order."""
        found = [
            self._windows[configuration, speed][at : at + BLOCK]
            for speed in speeds for at in range(first, end - BLOCK + 1, BLOCK)
        ]  # fmt: skip
        return [found[i] for i in self.random.permutation(len(found))]

    def known_block(self) -> NDArray[np.float32]:
        if not self._waiting:
            self._waiting = self.blocks(1, self.known, LEARNED, COURSE)
        return self._waiting.pop()

    def feed(self, blocks: Sequence[NDArray[np.float32]], known: bool = False) -> None:
        """Feeds blocks; in .taken those are counted that were not known and were taken in."""
        quarantine = self.follow.quarantine
        for block in blocks:
            adopted = quarantine.adopted
            for x in block:
                self.follow.feed(memoryview(x))
            self._kinds.append(known)
            if quarantine.adopted > adopted:
                self.taken += not self._kinds[-1 - BLOCKS]
            if self.follow.ready:
                self.adapt()

    def feed_known(self, count: int) -> None:
        self.feed([self.known_block() for _ in range(count)], known=True)

    def adapt(self) -> None:
        self.follow.adapt()
        self.adapted += 1

    def means(self, configuration: int, speeds: Sequence[int]) -> NDArray[np.float64]:
        """Mean scores of the test windows of recordings."""
        scores = [
            [self.watch.feed(memoryview(x)).mean for x in windows[COURSE:]]
            for windows in (self._windows[configuration, speed] for speed in speeds)
        ]  # fmt: skip
        return np.array(scores)[:, fan.WINDOW - 1 :]

    def tested(self, others: Sequence[int], speeds: Sequence[int], name: str) -> Row:
        """{"false_NAME", "found_NAME": shares above the threshold, "auc_NAME"}"""
        limit = self.watch.threshold.value
        normal = self.means(1, speeds)
        unlike = np.concatenate([self.means(other, speeds) for other in others])
        return {
            f"false_{name}": float((normal > limit).mean()),
            f"found_{name}": float((unlike > limit).mean()),
            f"auc_{name}": fan.area(normal, unlike),
        }


def _new(cell: Cell) -> Row:
    """{"before", "after": of Watched.tested() at the new and the known speeds, "blocks": that were
    new, "taken": how many of them, "adopted", "refused", "adapted"}"""
    fan_ = Watched(cell, NEW[cell.of])
    before = _both(fan_)
    fan_.feed_known(28)
    blocks = fan_.blocks(1, fan_.held_out, 0, COURSE)
    for i in fan_.random.permutation(2 * len(blocks)):
        if i < len(blocks):
            fan_.feed([blocks[i]])
        else:
            fan_.feed_known(1)
    fan_.feed_known(17)
    quarantine = fan_.follow.quarantine
    return {"before": before, "after": _both(fan_), "blocks": len(blocks), "taken": fan_.taken,
            "adopted": quarantine.adopted, "refused": quarantine.refused,
            "adapted": fan_.adapted}  # fmt: skip


def _both(fan_: Watched) -> Row:
    new = fan_.tested(fan.OTHERS, fan_.held_out, "new")
    return {**new, **fan_.tested(fan.OTHERS, fan_.known, "known")}


def _fault(cell: Cell) -> Row:
    """{"before", "after": of Watched.tested(), "blocks", "taken": how many of them, "adapted"}"""
    other, length = map(int, cell.of.split("x"))
    fan_ = Watched(cell)
    before = fan_.tested([other], fan_.known, "known")
    fan_.feed_known(20)
    quarantine = fan_.follow.quarantine
    fan_.feed(fan_.blocks(other, fan_.known, 0, COURSE)[:length])
    fan_.feed_known(36)
    if quarantine.adopted and not fan_.adapted:
        fan_.adapt()
    return {"before": before, "after": fan_.tested([other], fan_.known, "known"),
            "blocks": length, "taken": fan_.taken, "adopted": quarantine.adopted,
            "adapted": fan_.adapted}  # fmt: skip


def line(row: Row) -> str:
    taken = f"{row['taken']} of {row['blocks']}"
    return f"taken in: {taken}, {row['before']} -> {row['after']} ({row['seconds']} s)"


def section(rows: Rows) -> list[str]:
    """The part's text: new speeds, faults."""
    return [
        "### New speeds, learned without labels",
        f"Shares of means of {fan.WINDOW} windows above the threshold, before and after, at the "
        f"new speeds; false alarms asked for: {RATE:.0%} of samples (`host`, {len(SEEDS)} seeds):",
        _new_table(rows),
        "### A fault must not be learned",
        "Shares as above, at all speeds, of the configuration that was the fault:",
        _fault_table(rows),
    ]


def _new_table(rows: Rows) -> str:
    head = ["engine", "new speeds, %", "new blocks taken in", "false alarms, %", "found, %", "AUC",
            "found at known speeds, %", "false alarms there, %"]  # fmt: skip
    body = []
    for engine, what in ENGINES.items():
        for of, speeds in NEW.items():
            own = rows.all_of(Cell("real", "new", of, engine, seed).key for seed in SEEDS)
            body.append([
                what, " ".join(map(str, speeds)), _taken(own),
                *(_change(own, field) for field in ("false_new", "found_new", "auc_new",
                                                    "found_known", "false_known")),
            ])  # fmt: skip
    return table(head, body)


def _fault_table(rows: Rows) -> str:
    head = ["engine", "fault", *(f"{n} blocks" for n in LENGTHS)]
    body = []
    for engine in ENGINES:
        for other in fan.OTHERS:
            own = [
                rows.all_of(Cell("real", "fault", f"{other}x{n}", engine, s).key for s in SEEDS)
                for n in LENGTHS
            ]
            name = ENGINES[engine]
            body += [[name, f"{other}: its blocks taken in", *map(_taken, own)]]
            for words, field in (("found, %", "found_known"), ("AUC", "auc_known")):
                body += [[name, f"{other}: {words}", *(_change(of, field) for of in own)]]
    return table(head, body)


def _taken(rows: list[Row]) -> str:
    if not rows:
        return "not run"
    return f"{100 * np.mean([row['taken'] / row['blocks'] for row in rows]):.0f} %"


def _change(rows: list[Row], field: str) -> str:
    """Means before and after."""
    if not rows:
        return "not run"
    unit, digits = (1, 3) if field.startswith("auc") else (100, 0)
    return " → ".join(
        f"{unit * float(np.mean([row[when][field] for row in rows])):.{digits}f}"
        for when in ("before", "after")
    )

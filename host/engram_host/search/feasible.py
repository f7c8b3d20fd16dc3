"""RAM, flash and time of a point, before anything is trained: what the plan computes.

A point is refused where no way of it stays within the limits. A way is a size of micro-batch, and
what is computed twice: it costs RAM or time, and leaves what is learned the same. Not so in q8,
where each micro-batch takes a step of its own: there a point has the fastest way alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from ..planning.fit import Wanted, memory_to_open
from ..planning.flash import FlashPlan, flash_plan
from ..planning.room import Facts, room_of
from ..planning.timing import counted, cycles_per_instruction, seconds_per_instruction
from ..planning.work import Work, instructions, not_counted
from .space import FORMATS, Point

RESOURCES = ("ram", "flash", "time")
_UNITS = {"ram": "bytes of RAM", "flash": "bytes of flash", "time": "seconds"}


class Limits(NamedTuple):
    """The most that a learner may take; None: as much as the board has, any time.

    ram: bytes of heap while it is opened. flash: bytes of latents and saved states. time: seconds
    of a session.
    """

    ram: int | None = None
    flash: int | None = None
    time: float | None = None

    def given(self) -> list[str]:
        """Names of the resources that are limited."""
        return [name for name in RESOURCES if getattr(self, name) is not None]


class Way(NamedTuple):
    """A way to run a point, and what it takes: bytes of RAM and flash, seconds of a session (None
    where the board's are not known)."""

    micro: int
    recompute: tuple[str, ...]
    ram: int
    flash: int
    time: float | None

    def cost(self, name: str) -> float:
        return float(getattr(self, name) or 0)


class Verdict(NamedTuple):
    """Ways of a point that stay within the limits, the fastest first, and the share by which the
    best way is over a limit: {resource: share}, 0 and less is within."""

    ways: list[Way]
    over: dict[str, float]

    @property
    def fits(self) -> bool:
        return bool(self.ways)


class Costs:
    """The costs of points on a board.

    path: the model file. board: a board.toml. limits: Limits. new: samples that the largest
    session brings. options: of the learner, that no dimension chooses.
    """

    def __init__(
        self,
        path: Path,
        board: Facts,
        limits: Limits,
        new: int,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.limits, self.new = path, limits, new
        self.options = dict(options or {})
        self.board = _limited(board, limits)
        self.room = room_of(self.board)
        self.core, self.seconds = None, 0.0
        if limits.time is not None or _is_timed(board):
            self.core, self.seconds = counted(board), seconds_per_instruction(board)
        self.not_counted: set[str] = set()  # kernels that have no measured cost on the core
        self._wanted = cache(self._planned)
        self._flash = cache(self._region)
        self._times = cache(self._instructions)

    def check(self, form: str, scope: str | None = None) -> None:
        """Raises DataError where no learner of these options has a number format."""
        Wanted(self.path, {**self.options, **FORMATS[form], "scope": scope})

    def _planned(self, scope: str, form: str, batch: int) -> Wanted:
        options = {**self.options, **FORMATS[form], "scope": scope, "batch": batch}
        return Wanted(self.path, options)

    def _region(self, scope: str, form: str, bits: int) -> FlashPlan:
        wanted = self._wanted(scope, form, 1)
        plan = flash_plan(self.board, wanted.spec, bits, wanted.config)
        if plan is None:
            raise InputError(
                f"board {self.board['name']}: expected one with a replay region, got one without; "
                "name another --board"
            )
        return plan

    def _instructions(
        self, scope: str, form: str, batch: int, bits: int, micro: int, again: tuple[str, ...]
    ) -> tuple[float, float]:
        """Instructions of an observed sample, and of a step."""
        assert self.core is not None
        work: Work = self._wanted(scope, form, batch).work(micro, again, bits)
        for calls in (work.observe, work.step):
            self.not_counted.update(not_counted(calls, self.core))
        return instructions(work.observe, self.core), instructions(work.step, self.core)

    def verdict(self, point: Point) -> Verdict:
        """The ways of a point. Raises ModelError, DataError where no such learner can be."""
        names = point["scope"], point["format"]
        flash = self._flash(*names, point["bits"])
        wanted = self._wanted(*names, point["batch"])
        records = point["budget"] + self.new
        needed = _region_bytes(flash, records, self.board["flash"]["erase_bytes"])
        ways = [
            Way(micro, again, memory_to_open(wanted, total, self.room.stock), needed,
                self._session(point, micro, again))
            for micro, again, total in wanted.ways(flash["latents"], point["bits"])
        ]  # fmt: skip
        within = [way for way in ways if not self._over(way)]
        whole = [way for way in within if not way.recompute]
        if wanted.spec.net.has_integers():
            within, whole = within[:1], whole[:1]
        best = min(ways, key=lambda way: max(self._shares(way).values()))
        return Verdict(whole or within, self._shares(best))

    def micro(self, point: Point) -> int | None:
        """Samples in memory at a time, where they decide what is learned (q8); else None."""
        wanted = self._wanted(point["scope"], point["format"], point["batch"])
        if not wanted.spec.net.has_integers():
            return None
        ways = self.verdict(point).ways
        return ways[0].micro if ways else None

    def _session(self, point: Point, micro: int, again: tuple[str, ...]) -> float | None:
        """Seconds of a session: its samples observed, its steps taken."""
        if self.core is None:
            return None
        key = [point[name] for name in ("scope", "format", "batch", "bits")]
        observe, step = self._times(*key, micro, again)
        return self.seconds * (self.new * observe + point["steps"] * step)

    def _most(self) -> dict[str, float]:
        most: dict[str, float] = {"ram": self.room.heap}
        most["flash"] = self.board["flash"]["store_bytes"]
        if self.limits.time is not None:
            most["time"] = self.limits.time
        return most

    def _shares(self, way: Way) -> dict[str, float]:
        return {name: way.cost(name) / most - 1 for name, most in self._most().items()}

    def _over(self, way: Way) -> bool:
        return any(share > 0 for share in self._shares(way).values())


def refusal(verdict: Verdict) -> str:
    """Why a point is refused, in words."""
    worst = max(verdict.over, key=lambda name: verdict.over[name])
    return f"{verdict.over[worst]:.0%} too many {_UNITS[worst]}"


def _is_timed(board: Facts) -> bool:
    from ..planning.timing import core_costs

    return core_costs(board) is not None and cycles_per_instruction(board) is not None


def _limited(board: Facts, limits: Limits) -> Facts:
    """The board with no more than the limits."""
    room = room_of(board)
    out = dict(board)
    if limits.ram is not None:
        sizes = {"fs_bytes": room.files, "block_bytes": room.block, "stock": room.stock}
        out["room"] = {**sizes, "heap_bytes": min(limits.ram, room.heap)}
    if limits.flash is not None and "flash" in board:
        flash = dict(board["flash"])
        unit = flash["erase_bytes"]
        flash["store_bytes"] = min(limits.flash // unit * unit, flash["store_bytes"])
        out["flash"] = flash
        if "store_bytes" in out.get("room", {}):
            out["room"] = {**out["room"], "store_bytes": flash["store_bytes"]}
    return out


def _region_bytes(plan: FlashPlan, records: int, unit: int) -> int:
    """Bytes of flash for so many records: their part of the region, and saved states."""
    log = plan["store_bytes"] - plan["saved_bytes"]
    if not plan["latents"]:
        return 2 * plan["store_bytes"]
    units = -(-records * log // (plan["latents"] * unit))
    return plan["saved_bytes"] + units * unit

"""Whether a learner fits a board, why not, and which options make it fit.

A learner fits when its model file has room, its latents have, and its memory at the worst moment
is free: while its layers are bound, the graph and the rows of the kernels lie beside the arena.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, TypedDict

from engram.continual.config import Config
from engram.continual.defaults import SPARED
from engram.errors import DataError, EngramError
from engram.memory.replay import index_bytes
from engram.nn.model import ModelSpec

from ..line.room import needed_bytes as file_bytes
from .flash import FlashPlan, flash_plan
from .room import Facts, Room, room_of
from .work import Work, computed_twice

# Heap beside a plan while a learner is opened, in bytes: for any model, and per node of its graph;
# with the library in RAM also its code. Found with tests/bench/opening.py, which fills the heap of
# a board until a model does not open any more.
_OPENING_BYTES = {False: 16_500, True: 20_000}
_OPENING_NODE_BYTES = 1_500

# Changes that a proposal is made of, and how they are written at the command line. The first of
# each row is the smallest; a batch counts where `micro` was given or a strategy needs it whole.
_CHANGES: tuple[tuple[dict[str, Any], ...], ...] = (
    ({}, {"batch": 8}, {"batch": 4}, {"batch": 1}),
    ({}, {"bits": 8}, {"bits": 4}, {"bits": 3}),
    ({}, {"optimiser": "sgd"}),
    ({}, {"strategy": "replay"}),
    ({}, {"scope": "head"}, {"scope": "bias"}),
)


class Fit(TypedDict):
    """Whether a learner fits a board."""

    board: str
    micro: int  # samples in memory at a time
    recompute: list[str]  # what a step computes twice, so that less is kept in memory
    recompute_macs: int  # of a step, for that
    needed_bytes: int  # with an index of as many latents as its flash holds, or as were asked for
    opening_bytes: int  # the most while it is opened, needed_bytes included
    available_bytes: int
    available: str  # "asked" of the board, "measured" (board.toml), "estimated" from its chip
    fits: bool
    reasons: list[str]  # why it does not
    proposal: dict[str, Any]  # options with which it fits; {} for none
    flash: FlashPlan | None


# A micro-batch, what is computed twice, bytes of the plan.
Way = tuple[int, tuple[str, ...], int]


class Wanted:
    """A learner that was asked for: a model file and options, planned once for all boards.

    options: as Config takes them, with batch, micro, strategy, bits and classes; place: "file", or
    "flash" where int8 weights are read in place.
    """

    def __init__(self, path: Any, options: Mapping[str, Any]) -> None:
        self.path, self.options = path, dict(options)
        self.spec = ModelSpec(BytesIO(path.read_bytes()))  # a scope of norms reads it later
        rest = dict(options)
        self.bits: int = rest.pop("bits", 8)
        self.spec.net.in_place = rest.pop("place", "file") == "flash"
        self.size: int = path.stat().st_size
        classes = rest.pop("classes", None)
        if classes is not None:
            self.spec.widen(classes)
        self.config = Config(self.spec, **rest)
        self.nodes = len(self.spec.net.frozen) + len(self.spec.net.adaptive)
        self._totals: list[Way] = []

    def ways(self, slots: int, bits: int = 0) -> list[Way]:
        """The ways with an index of so many records, from the fastest to the smallest.

        bits: of a latent element; 0: those that were asked for.
        """
        for plan in () if self._totals else self.config.plans():
            total = plan.layout.total_bytes
            if not self._totals or total < self._totals[-1][2]:
                self._totals.append((plan.micro, tuple(plan.recompute), total))
        index = index_bytes(self.spec.latent_elems, slots, bits or self.bits) if slots else 0
        return [(micro, again, total + index) for micro, again, total in self._totals]

    def work(self, micro: int, recompute: Sequence[str], bits: int = 0) -> Work:
        """The calls of kernels of such mini-batches, with all classes in use. bits: as there."""
        plan = self.config.plan_of(micro, recompute)
        return Work.of(plan, self.spec.latent_elems, bits or self.bits, self.spec.classes or 0)

    def macs_again(self, micro: int, recompute: Sequence[str]) -> int:
        """Multiply-accumulates of a step for what it computes twice."""
        plan = self.config.plan_of(micro, recompute)
        return self.config.batch * sum(computed_twice(plan).values())

    def changed(self, change: Mapping[str, Any]) -> Wanted | None:
        """The same with other options; None where they do not go together."""
        options = {**self.options, **change}
        if "scope" in change:
            options.pop("depth", None)
        if change.get("batch") and (options.get("micro") or 1) > change["batch"]:
            options["micro"] = change["batch"]
        if change.get("strategy"):
            options.pop("strategy_options", None)
        try:
            return Wanted(self.path, options)
        except (DataError, ValueError):
            return None


def memory_to_open(target: Wanted, total: int, stock: bool) -> int:
    """Bytes of heap while a learner is opened whose plan has `total`; stock: with the library in
    RAM."""
    return total + _OPENING_BYTES[stock] + _OPENING_NODE_BYTES * target.nodes


def fit(board: Facts, target: Wanted, replay_slots: int = 0, propose: bool = True) -> Fit:
    """Whether a learner fits a board. propose: where it does not, try other options."""
    room = room_of(board)
    flash = flash_plan(board, target.spec, target.bits, target.config, target.size)
    slots = replay_slots or (flash["latents"] if flash else 0)
    opening = memory_to_open(target, 0, room.stock)
    micro, again, least = _way(target.ways(slots), room.heap, opening)
    reasons = list(_reasons(target, room, flash, least, opening))
    return {
        "board": board["name"],
        "micro": micro,
        "recompute": list(again),
        "recompute_macs": target.macs_again(micro, again) if again else 0,
        "needed_bytes": least,
        "opening_bytes": least + opening,
        "available_bytes": room.heap,
        "available": room.source,
        "fits": not reasons,
        "reasons": reasons,
        "proposal": _proposal(board, target, replay_slots) if propose and reasons else {},
        "flash": flash,
    }


def _way(ways: list[Way], heap: int, opening: int) -> Way:
    """The way that a board takes: the first that can be opened and leaves a part of the heap,
    else the smallest."""
    spare = max(opening, int(heap * SPARED[0]))
    return next((way for way in ways if way[2] + spare <= heap), min(ways, key=lambda way: way[2]))


def _reasons(
    target: Wanted, room: Room, flash: FlashPlan | None, least: int, opening: int
) -> Iterator[str]:
    yield from _files(target, room)
    if flash and flash["refusal"]:
        yield f"flash: {flash['refusal']}"
    if least + opening > room.heap:
        yield (
            f"RAM: expected {least + opening:,} bytes free while the learner is opened "
            f"({least:,} of them to stay), got {room.heap:,}: {least + opening - room.heap:,} "
            "too few"
        )


def _files(target: Wanted, room: Room) -> Iterator[str]:
    least = file_bytes([target.size], room.block)
    if not target.spec.net.in_place and room.files is not None and least > room.files:
        yield (
            f"files: expected {least:,} bytes free for the model file of {target.size:,}, got "
            f"{room.files:,}"
        )


def _proposal(board: Facts, target: Wanted, replay_slots: int) -> dict[str, Any]:
    """The fewest changes with which a learner fits; {} where none do, as for a model file that
    is too large."""
    if list(_files(target, room_of(board))):
        return {}
    choices = sorted(
        itertools.product(*_CHANGES),
        key=lambda changes: (sum(map(bool, changes)), [bool(c) for c in changes[::-1]]),
    )
    for changes in choices:
        change = {k: v for part in changes for k, v in part.items() if target.options.get(k) != v}
        if not change or len(change) != sum(map(bool, changes)):
            continue
        other = target.changed(change)
        if other is None:
            continue
        try:
            if fit(board, other, replay_slots, propose=False)["fits"]:
                return change
        except EngramError:
            continue
    return {}

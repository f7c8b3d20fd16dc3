"""Flash a board: check the file, do the steps, then ask the board what it runs.

    outcome = flash(boards.load("rpi_pico"))                     # what `engram build` made
    steps = flash(boards.load("rpi_pico"), dry_run=True).steps   # nothing is touched
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram_host.boards import Board
from engram_host.errors import FlashError, InputError
from engram_host.flash import fit, image, moves
from engram_host.flash.ways import WAYS, WHY_NOT_VERIFIED, Job
from engram_host.line import census, ports

_BACK_S = 20.0  # until the port of a board that restarts is there again
_SCRATCH = Path("<scratch>")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of flashing, or of its rehearsal.

    engram    (board, version) of a firmware of ours, else None
    enter     the first thing that a user does; "" where a debug probe needs nothing
    steps     the commands, as text
    verified  whether the content of the board was compared; why_not if it was not
    said      the board's facts of itself afterwards; None when it was not asked
    lost      the files that a board may lose by it, in sentences; "": none
    """

    way: str
    file: Path
    bytes: int
    engram: tuple[str, str] | None
    enter: str
    steps: list[str]
    done: bool
    verified: bool
    why_not: str
    said: dict[str, Any] | None
    lost: str


def ways_of(board: Board) -> list[str]:
    """The ways of a board, the usual one first. Raises InputError when it has none."""
    if board.is_virtual:
        raise InputError(f"{board.name} is a virtual board: `engram start {board.name}` runs it")
    ways = list(board.facts.get("upload", ()))
    if not ways:
        raise InputError(
            f"{board.name}: it is not known how to flash it; its board.toml wants a table "
            "[upload.<way>] (boards/README.md)"
        )
    return ways


def choose(board: Board, way: str | None) -> str:
    """The way that was asked for, or the usual one."""
    ways = ways_of(board)
    if way is not None and way not in ways:
        raise InputError(
            f"{board.name}: expected {' or '.join(ways)} as the way to flash it, got {way!r}"
        )
    return way or ways[0]


def firmware_of(board: Board, way: str) -> Path:
    """The file of that way which `engram build` makes. Raises InputError if it is not there."""
    file = board.build_dir / str(board.facts["upload"][way]["file"])
    if not file.is_file():
        raise InputError(
            f"expected the firmware of {board.name}, got no file {file}; `engram build "
            f"{board.name}` makes it, or give a file with --firmware"
        )
    return file


def flash(
    board: Board,
    *,
    way: str | None = None,
    firmware: Path | None = None,
    port: str | None = None,
    probe: str | None = None,
    volume: Path | None = None,
    dry_run: bool = False,
    back_s: float = _BACK_S,
    say: Say = lambda text: None,
) -> Outcome:
    """Put a firmware onto a board.

    Raises FlashError: the file is for another board (nothing has been touched), a tool is missing
    or failed, or the board holds something else afterwards.
    """
    way = choose(board, way)
    file = firmware or firmware_of(board, way)
    content = image.read(file)
    fit.check(board, way, content)
    before = {p["port"] for p in ports.serial_ports()}
    with tempfile.TemporaryDirectory(prefix="engram-flash-") as scratch:
        folder = _SCRATCH if dry_run else Path(scratch)
        steps = WAYS[way](Job(board, way, file, content, folder, port, probe, volume))
        if not dry_run:
            for step in steps:
                say(f"{board.name}: {step.title}")
                step.do()
    facts = None
    if not dry_run:
        say(f"{board.name}: waiting for it to start")
        facts = _ask(port, before, back_s)
        _check(content, facts)
    return Outcome(
        way,
        file,
        content.size,
        content.engram,
        str(board.facts["upload"][way].get("enter", "")),
        [step.text for step in steps],
        not dry_run,
        any(step.verifies for step in steps) and not dry_run,
        WHY_NOT_VERIFIED.get(way, ""),
        facts,
        moves.lost(board, content),
    )


def _ask(port: str | None, before: set[str], limit_s: float) -> dict[str, Any] | None:
    """The facts of the board on the named port or on the only new port; None: no answer."""
    end = time.monotonic() + limit_s
    while True:
        there = {p["port"] for p in ports.serial_ports()}
        new = sorted(there - before)
        url = port or (new[0] if len(new) == 1 else None)
        if url is not None:
            facts = census.look(url)
            if facts["state"] in (census.AGENT, census.AT_PROMPT):
                return facts
        if time.monotonic() >= end:
            return None
        time.sleep(0.25)


def _check(content: image.Image, facts: dict[str, Any] | None) -> None:
    """Raise FlashError when the board runs another firmware of Engram than was flashed."""
    if content.engram is None or facts is None:
        return
    mark = (facts.get("firmware_board"), facts.get("firmware_engram"))
    if mark != content.engram:
        board, version = content.engram
        runtime = f"{mark[0]} {mark[1]}" if mark[0] else "none of Engram's"
        raise FlashError(
            f"Engram's firmware {version} for {board} was flashed, the board on {facts['port']} "
            f"runs {runtime}: it did not take it, or this is another board (say --port)"
        )

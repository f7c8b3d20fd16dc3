"""Virtual boards: a child process (emulator or MicroPython) behind a pseudo-terminal that stays.

Each board has a small supervisor process of its own, so that it lives on between two commands, as
a board on the desk does. Its files lie in one directory (see `place`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engram_host.errors import VirtualBoardError
from engram_host.system import need_posix
from engram_host.virtual.place import Place

__all__ = ["Command", "Place", "Status", "ensure", "kill", "start", "status", "stop", "worked"]

Command = tuple[list[str], Mapping[str, str]]  # argv, and what is added to the environment

_START_S = 20.0
_STOP_S = 10.0


class Status(NamedTuple):
    """A virtual board that runs. tty: path to open as a serial port; pids for signals."""

    name: str
    tty: Path
    supervisor: int
    child: int


def status(name: str) -> Status | None:
    """The board if it runs, else None."""
    place = Place.of(name)
    pids = place.pids()
    return Status(name, place.tty, *pids) if pids else None


def worked(name: str) -> float | None:
    """Seconds that the board's process has run on a processor; None where nobody says."""
    board = status(name)
    try:
        text = Path(f"/proc/{board.child}/stat").read_text() if board else ""
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # behind the name, which may hold blanks
    if not fields:
        return None
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def start(
    name: str,
    command: Callable[[Path], Command],
    prepare: Callable[[Path], None] = lambda flash: None,
) -> Status:
    """Start a board; wait until it shows a sign of life.

    command: gives argv and environment for a flash file. prepare: does something to the flash file
    first (it may not be there yet). Raises VirtualBoardError if the board runs already or dies,
    UnsupportedSystem on Windows.
    """
    need_posix("virtual boards", "name the serial port of a real board, or use WSL")
    place = Place.of(name)
    with place.locked(_START_S):
        if place.pids():
            raise VirtualBoardError(
                f"{name} runs already; `engram stop {name}` first to change its flash"
            )
        prepare(place.flash)
        _launch(place, *command(place.flash))
    state = status(name)
    if state is None:
        raise VirtualBoardError(f"{name} ended right after its start; see {place.log}")
    return state


def ensure(name: str, command: Callable[[Path], Command]) -> Status:
    """The board, started if it does not run."""
    state = status(name)
    if state is None:
        try:
            state = start(name, command)
        except VirtualBoardError:
            state = status(name)  # another command may just have started it
            if state is None:
                raise
    return state


def stop(name: str) -> bool:
    """Stop a board. False if it did not run."""
    place = Place.of(name)
    pids = place.pids()
    if pids:
        _signal(pids[0], signal.SIGTERM)
        _wait_gone(place)
    return pids is not None


def kill(name: str) -> None:
    """Cut the power: the child dies at this instant, its flash stays as it is."""
    place = Place.of(name)
    pids = place.pids()
    if not pids:
        raise VirtualBoardError(f"{name} does not run; `engram start {name}` starts it")
    _signal(pids[1], signal.SIGKILL)
    _wait_gone(place)


def _launch(place: Place, argv: list[str], env: Mapping[str, str]) -> None:
    """Start the supervisor and wait for its word: nothing if all is well, else what went wrong."""
    ready_r, ready_w = os.pipe()
    with place.log.open("ab") as log, _closing(ready_r):
        with _closing(ready_w):
            subprocess.run(  # it forks and returns at once
                [sys.executable, "-m", "engram_host.virtual.supervisor"]
                + [str(place.directory), str(ready_w), *argv],
                env={**os.environ, **env, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[ready_w],
                start_new_session=True,
                check=False,
            )
        word = b""
        while part := os.read(ready_r, 4096):
            word += part
    if word != b"ready":
        why = word.decode("utf-8", "replace").strip() or "no reason given"
        raise VirtualBoardError(
            f"{place.name} could not be started ({why}); see {place.log}, and try "
            f"`engram start {place.name} --fresh`"
        )


@contextmanager
def _closing(fd: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(fd)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has just ended by itself


def _wait_gone(place: Place) -> None:
    end = time.monotonic() + _STOP_S
    while place.pids():
        if time.monotonic() > end:
            raise VirtualBoardError(f"{place.name} does not end; see {place.log}")
        time.sleep(0.01)

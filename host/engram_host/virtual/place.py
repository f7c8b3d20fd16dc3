"""Where a virtual board keeps its things: tty, pid, log, flash.bin in a directory of its own.

A board runs as long as its supervisor holds the lock on `pid`: no stale file can say otherwise.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engram_host.boards import INSTALLED, home
from engram_host.errors import VirtualBoardError


def root() -> Path:
    """The directory that holds those of all boards: ENGRAM_STATE, or one in the user's cache that
    belongs to the checkout, or to the environment with the installation, that runs.

    Two checkouts build two firmwares: a board that they shared would run one with the flash of the
    other.
    """
    folder = os.environ.get("ENGRAM_STATE")
    if folder:
        return Path(folder).absolute()
    owner = home()
    if owner.name == INSTALLED:
        owner = Path(sys.prefix)
    digest = hashlib.sha256(str(owner.resolve()).encode()).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_-]", "", owner.resolve().name)
    return Path.home() / ".cache" / "engram" / "virtual" / f"{name}-{digest[:8]}"


@dataclass(frozen=True)
class Place:
    directory: Path

    @classmethod
    def of(cls, name: str) -> Place:
        """The place of a board, made if it is not there."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise VirtualBoardError(f"expected the name of a board, got {name!r}")
        place = cls(root() / name)
        place.directory.mkdir(parents=True, exist_ok=True)
        return place

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def tty(self) -> Path:
        return self.directory / "tty"

    @property
    def pid(self) -> Path:
        return self.directory / "pid"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def flash(self) -> Path:
        return self.directory / "flash.bin"

    def pids(self) -> tuple[int, int] | None:
        """(supervisor, child) if the board runs, else None."""
        try:
            file = self.pid.open("r+")
        except FileNotFoundError:
            return None
        with file:
            if _try_lock(file.fileno()):
                return None  # nobody holds it: left by one that died
            words = file.read().split()
        return (int(words[0]), int(words[1])) if len(words) == 2 else None

    @contextmanager
    def locked(self, timeout_s: float) -> Iterator[None]:
        """Only one command at a time may start this board."""
        end = time.monotonic() + timeout_s
        with (self.directory / "lock").open("w") as file:
            while not _try_lock(file.fileno()):
                if time.monotonic() > end:
                    raise VirtualBoardError(
                        f"another command has been starting {self.name} for long"
                    )
                time.sleep(0.05)
            yield


def hold_pid(place: Place, supervisor: int, child: int) -> int:
    """Write the pid file and lock it for the life of this process. Returns its descriptor."""
    import fcntl

    fd = os.open(place.pid, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.ftruncate(fd, 0)
    os.write(fd, f"{supervisor} {child}\n".encode())
    return fd


def _try_lock(fd: int) -> bool:
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

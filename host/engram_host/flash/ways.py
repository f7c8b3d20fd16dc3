"""Ways of flashing: a table from the name of a way to the steps it takes for a job.

A step tells what it does (`text`, shown by a dry run) and does it. Command lines were checked
against esptool 5.6, pyocd 0.46 and dfu-util 0.11. esptool is under the GPL: it is called, as any
other program.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engram_host.boards import Board
from engram_host.errors import FlashError
from engram_host.flash import tool, volume
from engram_host.flash.image import Image

# What brings a program.
BROUGHT_BY = {
    "pyocd": "pip install pyocd",
    "esptool": "pip install esptool (5 or later)",
    "dfu-util": "apt-get install dfu-util, or your system's package of that name",
    "teensy_loader_cli": "apt-get install teensy-loader-cli, or your system's package",
}
_WRITE_S, _READ_S = 300.0, 180.0  # for a megabyte over the slowest adapter


@dataclass(frozen=True)
class Job:
    """A firmware file to be flashed. port: serial port of the board, for esptool. probe: of pyocd,
    by its id. volume: where the drive is mounted. scratch: a folder for content that is read back.
    """

    board: Board
    way: str
    file: Path
    image: Image
    scratch: Path
    port: str | None = None
    probe: str | None = None
    volume: Path | None = None

    @property
    def facts(self) -> dict[str, Any]:
        return dict(self.board.facts["upload"][self.way])


class Step(Protocol):
    """verifies: whether what is in the board is compared."""

    @property
    def title(self) -> str: ...

    @property
    def verifies(self) -> bool: ...

    @property
    def text(self) -> str: ...

    def do(self) -> None: ...


@dataclass(frozen=True)
class Command:
    """Run a program."""

    title: str
    argv: list[str]
    limit_s: float = _WRITE_S
    verifies: bool = False

    @property
    def text(self) -> str:
        return shlex.join(self.argv)

    def do(self) -> None:
        tool.need(self.argv[0], BROUGHT_BY[self.argv[0]])
        tool.run(self.argv, self.limit_s)


@dataclass(frozen=True)
class Compare:
    """Compares the content that was read back with the firmware."""

    title: str
    contents: dict[Path, tuple[int, bytes]]  # file -> address, content
    verifies: bool = True

    @property
    def text(self) -> str:
        return f"compare {', '.join(str(path) for path in self.contents)} with the firmware"

    def do(self) -> None:
        for path, (at, content) in self.contents.items():
            try:
                copy = path.read_bytes()
            except OSError as e:
                raise FlashError(f"nothing could be read back ({e.strerror})") from None
            if copy[: len(content)] != content:
                same = next(
                    (i for i, (a, b) in enumerate(zip(copy, content)) if a != b),
                    min(len(copy), len(content)),
                )
                raise FlashError(
                    f"the board holds something else from address 0x{at + same:08x} on: flash it "
                    "again; if that does not help, its flash is worn or protected"
                )


@dataclass(frozen=True)
class CopyToVolume:
    """Copy a UF2 file to the drive of the boot loader, and wait until that has restarted."""

    file: Path
    ids: list[str]
    enter: str
    place: Path | None
    title: str = "copying"
    verifies: bool = False

    @property
    def text(self) -> str:
        ids = " or ".join(self.ids)
        where = self.place or f"the drive with Board-ID {ids} in its {volume.INFO}"
        return f"copy {self.file} to {where}, wait until it goes away"

    def do(self) -> None:
        if self.place:
            place = volume.checked(self.place, self.ids)
        else:
            place = volume.find(self.ids, self.enter)
        volume.copy(self.file, place)
        volume.wait_gone(place)


def _uf2(job: Job) -> list[Step]:
    facts = job.facts
    return [CopyToVolume(job.file, facts["volumes"], facts["enter"], job.volume)]


def _pyocd(job: Job) -> list[Step]:
    at = ["-W", "-t", job.facts["target"], *(["-u", job.probe] if job.probe else [])]
    files = _read_back(job)
    save = [f"savemem 0x{a:x} {len(data)} {_word(path)}" for path, (a, data) in files.items()]
    orders = [word for order in [*save, "reset"] for word in ("-c", order)]
    return [
        Command("programming", ["pyocd", "load", *at, "--no-reset", str(job.file)]),
        Command("reading back", ["pyocd", "commander", *at, *orders], _READ_S),
        Compare("comparing", files),
    ]


def _dfu(job: Job) -> list[Step]:
    at = ["dfu-util", "-a", "0", "-d", job.facts["usb"]]
    steps: list[Step] = [Command("programming", [*at, "-D", str(job.file)])]
    files = _read_back(job)
    last = list(files)[-1]
    for path, (address, content) in files.items():
        suffix = ":leave" if path == last else ""
        where = f"0x{address:08x}:{len(content)}{suffix}"
        steps.append(Command("reading back", [*at, "-s", where, "-U", str(path)], _READ_S))
    return [*steps, Compare("comparing", files)]


def _esptool(job: Job) -> list[Step]:
    facts = job.facts
    port = ["--port", job.port] if job.port else []
    at = ["esptool", "--chip", facts["chip"], *port]
    what = [hex(facts["offset"]), str(job.file)]
    return [
        Command("programming", [*at, "--after", "no-reset", "write-flash", *what]),
        Command("verifying", [*at, "verify-flash", *what], _READ_S, verifies=True),
    ]


def _teensy(job: Job) -> list[Step]:
    mcu = job.facts["mcu"]
    argv = ["teensy_loader_cli", f"--mcu={mcu}", "-v", str(job.file)]
    return [Command("programming", argv)]


def _read_back(job: Job) -> dict[Path, tuple[int, bytes]]:
    """File to read to -> address, content, for each span of the firmware."""
    return {job.scratch / f"0x{at:08x}.bin": (at, data) for at, data in job.image.spans}


def _word(path: Path) -> str:
    """A path within a command of pyocd's."""
    return f'"{path}"' if " " in str(path) else str(path)


WAYS: dict[str, Callable[[Job], list[Step]]] = {
    "uf2": _uf2,
    "pyocd": _pyocd,
    "dfu": _dfu,
    "esptool": _esptool,
    "teensy": _teensy,
}
# What a way lacks that ends without having compared anything.
WHY_NOT_VERIFIED = {
    "uf2": "a UF2 boot loader gives nothing back",
    "teensy": "the boot loader of a Teensy gives nothing back",
}

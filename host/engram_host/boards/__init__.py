"""The boards Engram knows: facts read from boards/<name>/board.toml, checked once.

    board = boards.load("qemu_m4f")
    argv, environment = board.command(Path("flash.bin"))   # a virtual board's child process
    board.facts["power"]                                   # anything else that the file says
    boards.load("qemu_m4f_stock")       # the same board with firmware without Engram: for install

A virtual board's flash is a file of the host: the data flash (file system, then replay region)
from offset 0, in the state the chip would have it (blank = 0xFF).
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import InputError, VirtualBoardError
from . import check

BLANK = b"\xff"
INSTALLED = "_data"  # the folder of an installed package that stands for a checkout

# Kind of a virtual board -> file that its build makes.
ARTEFACTS = {"qemu": "firmware.elf", "unix": "micropython", "rp2040js": "firmware.uf2"}

# Emulator -> Debian package that brings it.
PACKAGES = {"qemu-system-arm": "qemu-system-arm", "node": "nodejs"}

# A board's name with this ending: the board with stock firmware, MicroPython without our kernels
# and library, as a user finds it on a board. Kinds of virtual boards that have one.
STOCK = "_stock"
STOCK_KINDS = ("qemu", "unix", "rp2040js")


def home() -> Path:
    """The folder with boards/ and firmware/: $ENGRAM_HOME, else the checkout this file is in.

    An installed package carries boards/ only, as its own data.
    Raises InputError when ENGRAM_HOME is no such folder.
    """
    folder = os.environ.get("ENGRAM_HOME")
    if folder:
        if not (Path(folder) / "boards").is_dir():
            raise InputError(
                f"ENGRAM_HOME={folder}: expected a checkout of Engram with a folder boards/, got "
                "none; "
                "unset it or point it at one"
            )
        return Path(folder).resolve()
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "firmware" / "ports").is_dir():
        return checkout
    return Path(__file__).resolve().parents[1] / INSTALLED


@dataclass(frozen=True)
class Flash:
    """Geometry of the flash, bytes. The data flash is the file system, then the replay region."""

    firmware_bytes: int
    fs_bytes: int
    store_bytes: int
    erase_bytes: int
    program_bytes: int
    program_once: bool  # no page of program_bytes is programmed twice between erases

    @property
    def data_bytes(self) -> int:
        return self.fs_bytes + self.store_bytes


@dataclass(frozen=True)
class Store:
    """Where a board keeps samples: `units` of erase_bytes. kind: "flash", a region that the
    firmware keeps free of files, or "files", each one unit of `engram.store.file_units`. mapped:
    the processor sees the region."""

    kind: str
    units: int
    erase_bytes: int
    program_bytes: int
    program_once: bool
    mapped: bool


def store(facts: Mapping[str, Any]) -> Store | None:
    """The store of the board that a board.toml describes: the firmware is built with it, and the
    planner reckons with it. None where the board has no flash.

    [flash] store says what it is on a real board: some ports of MicroPython have their file system
    over all of the flash that the firmware leaves, and then the store is files in it.
    """
    flash = facts.get("flash")
    if not flash:
        return None
    units, erase_bytes = flash["store_bytes"] // flash["erase_bytes"], flash["erase_bytes"]
    room = facts.get("room", {})
    if room.get("stock"):
        return Store("files", room["store_bytes"] // erase_bytes, erase_bytes, 1, False, False)
    kind = flash.get("store", "mapped")
    if kind == "files":
        return Store("files", units, erase_bytes, 1, False, False)
    page_bytes, once = flash["program_bytes"], flash["program_once"]
    return Store("flash", units, erase_bytes, page_bytes, once, kind == "mapped")


@dataclass(frozen=True)
class Board:
    """One board. ``facts`` is its whole board.toml; the properties are what is asked for often."""

    name: str
    title: str
    status: str
    folder: Path
    flash: Flash
    facts: Mapping[str, Any]
    stock: bool = False

    @property
    def is_virtual(self) -> bool:
        return "virtual" in self.facts

    @property
    def kind(self) -> str:
        """ "qemu", "unix" or "rp2040js"; InputError when it is not a virtual board."""
        if not self.is_virtual:
            raise InputError(
                f"board {self.name}: expected a virtual board, got a real chip ({self.status}); "
                f"choose one of {', '.join(b.name for b in load_all() if b.is_virtual)}"
            )
        return self.facts["virtual"]["kind"]

    @property
    def has_power_figures(self) -> bool:
        return "power" in self.facts

    @property
    def max_payload_bytes(self) -> int:
        return self.facts["link"]["max_payload_bytes"]

    @property
    def baud(self) -> int:
        return self.facts["link"]["baud"]

    @property
    def build_dir(self) -> Path:
        return home() / "build" / "firmware" / self.name

    @property
    def artefact(self) -> Path:
        """Where the build of this board's firmware lies (it may not be there yet)."""
        return self.build_dir / ARTEFACTS[self.kind]

    # ------------------------------------------------------------ virtual boards

    def prepare_flash(self, flash_file: Path) -> None:
        """Make the flash file if there is none, or give a shorter one its full length.

        What is there is kept; the rest is blank (0xFF). QEMU wants the whole of the memory that
        it backs with the file; the part beyond the data flash is a hole on disk and unreachable.
        """
        size = self.flash.data_bytes
        full = self.facts["virtual"].get("flash_backend_bytes", size)
        flash_file.parent.mkdir(parents=True, exist_ok=True)
        with open(flash_file, "ab") as file:
            length = file.tell()
            if length < size:
                file.write(BLANK * (size - length))
            if length < full:
                file.truncate(full)

    def load_flash(self, image: Path, flash_file: Path) -> None:
        """Give the board the content of an image; the rest is blank. The board must be stopped.

        Raises InputError when the image is larger than the data flash.
        """
        content = image.read_bytes()
        if len(content) > self.flash.data_bytes:
            raise InputError(
                f"{image}: {len(content)} bytes, but the data flash of {self.name} has "
                f"{self.flash.data_bytes}; give an image saved from this board"
            )
        flash_file.unlink(missing_ok=True)
        flash_file.parent.mkdir(parents=True, exist_ok=True)
        flash_file.write_bytes(content)
        self.prepare_flash(flash_file)

    def save_flash(self, flash_file: Path, image: Path) -> None:
        """Write the content of the board's data flash to an image, at any time."""
        with open(flash_file, "rb") as file:
            image.write_bytes(file.read(self.flash.data_bytes))

    def command(
        self, flash_file: Path, firmware: Path | None = None
    ) -> tuple[list[str], dict[str, str]]:
        """Command line of the process that is this board; what to add to its environment.

        The console is the child's standard input and output, a pipe or a terminal in raw mode;
        0x03 is passed through and interrupts the running program. flash_file is made if need be.
        Raises VirtualBoardError when the firmware has not been built or the emulator is missing.
        """
        kind = self.kind
        firmware = firmware or self.artefact
        if not firmware.exists():
            raise VirtualBoardError(
                f"expected the firmware of {self.name}, got no file {firmware}; `engram build "
                f"{self.name}` makes it"
            )
        self.prepare_flash(flash_file)
        argv, environment = COMMANDS[kind](self, flash_file.resolve(), firmware.resolve())
        need_program(self, argv)
        return argv, environment


def need_program(board: Board, argv: list[str]) -> None:
    """Raise VirtualBoardError where the program that is the board is not on this computer."""
    if "/" not in argv[0] and shutil.which(argv[0]) is None:
        raise VirtualBoardError(
            f"expected the program {argv[0]} to run {board.name}, got none; install it (Debian: "
            f"apt-get install {PACKAGES.get(argv[0], argv[0])}), or choose another board: --port "
            "unix needs no emulator"
        )


def qemu_command(board: Board, flash: Path, firmware: Path) -> tuple[list[str], dict[str, str]]:
    virtual = board.facts["virtual"]
    backend = "memory-backend-file,id=flash,share=on"
    size = virtual["flash_backend_bytes"]
    # In a QEMU option a comma is written twice.
    path = str(flash).replace(",", ",,")
    argv = [virtual["program"]]
    argv += ["-object", f"{backend},size={size},mem-path={path}"]
    argv += ["-machine", f"{virtual['machine']},memory-backend=flash"]
    argv += ["-icount", f"shift={virtual['icount_shift']}"]
    argv += ["-display", "none", "-monitor", "none"]
    argv += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
    argv += ["-kernel", str(firmware)]
    return argv, {}


def unix_command(board: Board, flash: Path, firmware: Path) -> tuple[list[str], dict[str, str]]:
    heap = board.facts["memory"]["heap_bytes"]
    argv = [str(firmware), "-X", f"heapsize={heap}", "-m", "_unix_board"]
    return argv, {"ENGRAM_FLASH": str(flash)}


def rp2040js_command(
    board: Board, flash: Path, firmware: Path
) -> tuple[list[str], dict[str, str]]:
    program = board.facts["virtual"]["program"]
    emulator = home() / "firmware" / "ports" / "virtual_pico" / "emulator" / "main.mjs"
    facts, folder = board.facts["flash"], firmware.parent
    argv = [program, str(emulator)]
    argv += ["--rp2040js", str(folder / "rp2040js"), "--rom", str(folder / "rom.bin")]
    argv += ["--firmware", str(firmware), "--flash", str(flash)]
    argv += ["--flash-bytes", str(board.facts["chip"]["flash_bytes"])]
    argv += ["--data-offset", str(board.flash.firmware_bytes)]
    for name in ("erase_us", "erase_64k_us", "program_us"):
        argv += ["--" + name.replace("_", "-"), str(facts[name])]
    return argv, {}


COMMANDS = {"qemu": qemu_command, "unix": unix_command, "rp2040js": rp2040js_command}


# ---------------------------------------------------------------- reading board.toml


def read(path: Path) -> Board:
    """Read and check one board.toml. Raises InputError saying what is wrong in it."""
    try:
        facts = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from None
    check.check(facts, str(path), kinds=tuple(ARTEFACTS))
    if facts["name"] != path.parent.name:
        raise InputError(f"{path}: name is {facts['name']!r}, its folder is {path.parent.name!r}")
    flash = _flash(facts["flash"])
    return Board(facts["name"], facts["title"], facts["status"], path.parent, flash, facts)


def _flash(facts: Mapping[str, Any]) -> Flash:
    return Flash(**{field.name: facts[field.name] for field in fields(Flash)})


def names() -> list[str]:
    """Names of all boards, sorted."""
    return sorted(path.parent.name for path in (home() / "boards").glob("*/board.toml"))


def is_known(name: str) -> bool:
    """Whether `load` finds it."""
    return name in names() or name.endswith(STOCK) and _has_stock(name.removesuffix(STOCK))


def load(name: str) -> Board:
    """The board of that name. Raises InputError when there is none, naming those there are."""
    if not is_known(name):
        raise InputError(f"expected a board of {', '.join(names())}; got {name!r}")
    if name in names():
        return read(home() / "boards" / name / "board.toml")
    return _with_stock(load(name.removesuffix(STOCK)))


def stock_of(name: str) -> str:
    """The name of the same board with stock firmware. Raises InputError when it has none."""
    if load(name).stock:
        return name
    if not _has_stock(name):
        raise InputError(
            f"{name} is a real board: its stock firmware is MicroPython's own release "
            "(https://micropython.org/download); what is built here without Engram are virtual "
            "boards"
        )
    return name + STOCK


def _has_stock(name: str) -> bool:
    if name not in names():
        return False
    board = load(name)
    return board.is_virtual and board.kind in STOCK_KINDS


def _with_stock(board: Board) -> Board:
    name, title = board.name + STOCK, board.title + ", stock firmware"
    facts = {**board.facts, "name": name, "title": title}
    room = facts.pop("room", {}).get("with_stock")
    if room:
        facts["room"] = {**room, "stock": True}
    facts["flash"] = {**facts["flash"], **facts["flash"].get("with_stock", {})}
    flash = _flash(facts["flash"])
    return replace(board, name=name, title=title, flash=flash, facts=facts, stock=True)


def load_all() -> list[Board]:
    """All boards, by name."""
    return [load(name) for name in names()]

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
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import InputError, VirtualBoardError

BLANK = b"\xff"

# What a board.toml must say, per table: field -> type. More may stand there (boards/README.md).
REQUIRED: dict[str, dict[str, type]] = {
    "": {"name": str, "title": str, "status": str},
    "chip": {
        "name": str,
        "core": str,
        "arch": str,
        "clock_hz": int,
        "ram_bytes": int,
        "flash_bytes": int,
    },
    "flash": {
        "firmware_bytes": int,
        "fs_bytes": int,
        "store_bytes": int,
        "erase_bytes": int,
        "program_bytes": int,
        "program_once": bool,
    },
    "link": {"max_payload_bytes": int, "baud": int},
}
REQUIRED_VIRTUAL: dict[str, dict[str, type]] = {"virtual": {"kind": str, "program": str}}
REQUIRED_POWER: dict[str, dict[str, type]] = {
    "power": {
        "active_mw": float,
        "source": str,
        "cycles_per_instruction": float,
        "cpi_source": str,
    }
}

PHASE_PINS = 3  # or no [phases] at all
REQUIRED_BUILD: dict[str, dict[str, type]] = {
    "build": {"port": str, "board": str, "manifest": str, "address": int, "bytes": int}
}
# Way of flashing -> what its table says.
REQUIRED_UPLOAD: dict[str, dict[str, type]] = {
    "uf2": {"file": str, "family": int, "volumes": list, "enter": str},
    "pyocd": {"file": str, "target": str},
    "dfu": {"file": str, "usb": str, "enter": str},
    "esptool": {"file": str, "chip": str, "chip_id": int, "offset": int, "enter": str},
    "teensy": {"file": str, "mcu": str, "enter": str},
}

# Kind of a virtual board -> file that its build makes.
ARTEFACTS = {"qemu": "firmware.elf", "unix": "micropython", "rp2040js": "firmware.uf2"}

# A board's name with this ending: the board with stock firmware, MicroPython without our kernels
# and library, as a user finds it on a board. Kinds of virtual boards that have one.
STOCK = "_stock"
STOCK_KINDS = ("qemu", "unix", "rp2040js")


def home() -> Path:
    """The folder with boards/ and firmware/: $ENGRAM_HOME, else the checkout this file is in.

    An installed package carries boards/ only, as its own data.
    Raises InputError when ENGRAM_HOME is no such folder.
    """
    named = os.environ.get("ENGRAM_HOME")
    if named:
        if not (Path(named) / "boards").is_dir():
            raise InputError(
                f"ENGRAM_HOME={named}: a checkout of Engram expected (a folder boards/ in it); "
                "unset it or point it at one"
            )
        return Path(named).resolve()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "firmware" / "ports").is_dir():
        return checkout
    return Path(__file__).resolve().parent / "_data"


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
    firmware keeps free of files, or "files", each one unit of `engram.store.file_units`."""

    kind: str
    units: int
    erase_bytes: int
    program_bytes: int
    program_once: bool


def store(facts: Mapping[str, Any]) -> Store | None:
    """The store of the board that a board.toml describes: the firmware is built with it, and the
    planner reckons with it. None where the board has no flash.

    A firmware of MicroPython's own ports, which [build] names, has a file system over all of the
    flash that the firmware leaves: then the store is files in it.
    """
    flash = facts.get("flash")
    if not flash:
        return None
    units, erase_bytes = flash["store_bytes"] // flash["erase_bytes"], flash["erase_bytes"]
    if "build" in facts:
        return Store("files", units, erase_bytes, 1, False)
    return Store("flash", units, erase_bytes, flash["program_bytes"], flash["program_once"])


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
                f"board {self.name} is a real chip ({self.status}): a virtual board expected, "
                f"one of {', '.join(b.name for b in load_all() if b.is_virtual)}"
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
            have = file.tell()
            if have < size:
                file.write(BLANK * (size - have))
            if have < full:
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
        Raises VirtualBoardError when the firmware has not been built.
        """
        kind = self.kind
        firmware = firmware or self.artefact
        if not firmware.exists():
            raise VirtualBoardError(
                f"the firmware of {self.name} is not built ({firmware} is missing): "
                f"run 'engram build {self.name}'"
            )
        self.prepare_flash(flash_file)
        return COMMANDS[kind](self, flash_file.resolve(), firmware.resolve())


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
    facts, built = board.facts["flash"], firmware.parent
    argv = [program, str(emulator)]
    argv += ["--rp2040js", str(built / "rp2040js"), "--rom", str(built / "rom.bin")]
    argv += ["--firmware", str(firmware), "--flash", str(flash)]
    argv += ["--flash-bytes", str(board.facts["chip"]["flash_bytes"])]
    argv += ["--data-offset", str(board.flash.firmware_bytes)]
    for name in ("erase_us", "erase_64k_us", "program_us"):
        argv += ["--" + name.replace("_", "-"), str(facts[name])]
    return argv, {}


COMMANDS = {"qemu": qemu_command, "unix": unix_command, "rp2040js": rp2040js_command}


# ---------------------------------------------------------------- reading board.toml


def check(facts: Mapping[str, Any], required: dict[str, dict[str, type]], where: str) -> None:
    """Raise InputError naming the first field that is missing or of another type."""
    for table, fields in required.items():
        values = facts.get(table, {}) if table else facts
        for field, wanted in fields.items():
            name = f"[{table}] {field}" if table else field
            if field not in values:
                raise InputError(f"{where}: {name} expected ({wanted.__name__}), it is missing")
            value = values[field]
            allowed = (int, float) if wanted is float else (wanted,)
            if not isinstance(value, allowed) or isinstance(value, bool) is not (wanted is bool):
                raise InputError(f"{where}: {name}: {wanted.__name__} expected, got {value!r}")


def check_flash(flash: Flash, chip_bytes: int, where: str) -> None:
    """Raise InputError when regions are no whole erase units or do not fit the chip."""
    if flash.erase_bytes % flash.program_bytes:
        raise InputError(f"{where}: [flash] erase_bytes: a multiple of program_bytes expected")
    for name in ("firmware_bytes", "fs_bytes", "store_bytes"):
        if getattr(flash, name) % flash.erase_bytes:
            raise InputError(f"{where}: [flash] {name}: a multiple of erase_bytes expected")
    total = flash.firmware_bytes + flash.data_bytes
    if total > chip_bytes:
        raise InputError(
            f"{where}: [flash] regions need {total} bytes, [chip] flash_bytes is {chip_bytes}"
        )


def check_firmware(facts: Mapping[str, Any], where: str) -> None:
    """Raise InputError when it is not said how a real board is built and flashed."""
    check(facts, REQUIRED_BUILD, where)
    ways = facts.get("upload", {})
    if not ways or not ways.keys() <= REQUIRED_UPLOAD.keys():
        names = ", ".join(REQUIRED_UPLOAD)
        raise InputError(f"{where}: [upload.<way>] expected, <way> one of {names}")
    check(ways, {way: REQUIRED_UPLOAD[way] for way in ways}, where + " [upload]")


def read(path: Path) -> Board:
    """Read and check one board.toml. Raises InputError saying what is wrong in it."""
    try:
        facts = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from None
    check(facts, REQUIRED, str(path))
    if "virtual" in facts:
        check(facts, REQUIRED_VIRTUAL, str(path))
        if facts["virtual"]["kind"] not in ARTEFACTS:
            kinds = ", ".join(ARTEFACTS)
            raise InputError(f"{path}: [virtual] kind: one of {kinds} expected")
    if "power" in facts:
        check(facts, REQUIRED_POWER, str(path))
    if "phases" in facts and len(facts["phases"].get("pins", [])) != PHASE_PINS:
        raise InputError(f"{path}: [phases] pins: {PHASE_PINS} of them expected")
    if "build" in facts or "upload" in facts:
        check_firmware(facts, str(path))
    if facts["name"] != path.parent.name:
        raise InputError(f"{path}: name is {facts['name']!r}, its folder is {path.parent.name!r}")
    flash = Flash(**{field: facts["flash"][field] for field in REQUIRED["flash"]})
    check_flash(flash, facts["chip"]["flash_bytes"], str(path))
    return Board(facts["name"], facts["title"], facts["status"], path.parent, flash, facts)


def names() -> list[str]:
    """Names of all boards, sorted."""
    return sorted(path.parent.name for path in (home() / "boards").glob("*/board.toml"))


def is_known(name: str) -> bool:
    """Whether `load` finds it."""
    return name in names() or name.endswith(STOCK) and _has_stock(name.removesuffix(STOCK))


def load(name: str) -> Board:
    """The board of that name. Raises InputError when there is none, naming those there are."""
    if not is_known(name):
        raise InputError(f"no board {name!r}: one of {', '.join(names())} expected")
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
    return replace(board, name=name, title=title, facts=facts, stock=True)


def load_all() -> list[Board]:
    """All boards, by name."""
    return [load(name) for name in names()]

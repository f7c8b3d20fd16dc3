"""Whether a board.toml says what it must: the first thing that is wrong in it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError

Facts = Mapping[str, Any]
Fields = dict[str, type]

# What a board.toml must say, per table. More may stand there (boards/README.md).
REQUIRED: dict[str, Fields] = {
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
# How a real board's firmware keeps the store: a region that the processor sees, one that a driver
# reads, or files of the file system.
STORES = ("mapped", "driver", "files")
# In the order in which they lie in flash
REGIONS = ("firmware_bytes", "fs_bytes", "store_bytes")
# The same for tables that a board may have, where it has them.
REQUIRED_VIRTUAL: Fields = {"kind": str, "program": str}
REQUIRED_POWER: Fields = {
    "active_mw": float,
    "source": str,
    "cycles_per_instruction": float,
    "cpi_source": str,
}
REQUIRED_BUILD: Fields = {
    "port": str, "board": str, "manifest": str, "address": int, "bytes": int,
}  # fmt: skip
REQUIRED_ROOM: Fields = {"heap_bytes": int, "fs_bytes": int}
REQUIRED_STOCK_ROOM: Fields = {**REQUIRED_ROOM, "store_bytes": int}
# Way of flashing -> what its table says.
REQUIRED_UPLOAD: dict[str, Fields] = {
    "uf2": {"file": str, "family": int, "volumes": list, "enter": str},
    "pyocd": {"file": str, "target": str},
    "dfu": {"file": str, "usb": str, "enter": str},
    "esptool": {"file": str, "chip": str, "chip_id": int, "offset": int, "enter": str},
    "teensy": {"file": str, "mcu": str, "enter": str},
}
PHASE_PINS = 3  # or no [phases] at all

# Of native code in .mpy files, as MicroPython's mpy-cross -march names them.
ARCHITECTURES = (
    "x86 x64 armv6 armv6m armv7m armv7em armv7emsp armv7emdp xtensa xtensawin rv32imc"
).split()


def check(facts: Facts, where: str, kinds: tuple[str, ...]) -> None:
    """Raise InputError naming the first thing that is wrong.

    where: what the error begins with. kinds: of virtual boards.
    """
    for name, fields in REQUIRED.items():
        _table(facts.get(name, {}) if name else facts, fields, name, where)
    _chip(facts["chip"], where)
    _flash(facts["flash"], facts["chip"]["flash_bytes"], "flash", where)
    if "with_stock" in facts["flash"]:
        _with_stock(facts["flash"], facts["chip"]["flash_bytes"], where)
    if "virtual" in facts:
        _virtual(facts["virtual"], kinds, where)
    if "power" in facts:
        _table(facts["power"], REQUIRED_POWER, "power", where)
    if "room" in facts:
        _table(facts["room"], REQUIRED_ROOM, "room", where)
        if "with_stock" in facts["room"]:
            _table(facts["room"]["with_stock"], REQUIRED_STOCK_ROOM, "room.with_stock", where)
    pins = len(facts.get("phases", {}).get("pins", []))
    if "phases" in facts and pins != PHASE_PINS:
        raise InputError(f"{where}: [phases] pins: expected {PHASE_PINS}, got {pins}")
    if "build" in facts or "upload" in facts:
        _firmware(facts, where)


def _table(values: Facts, fields: Fields, table: str, where: str) -> None:
    for field, kind in fields.items():
        name = f"[{table}] {field}" if table else field
        if field not in values:
            raise InputError(f"{where}: expected {name} ({kind.__name__}), got none")
        value = values[field]
        kinds = (int, float) if kind is float else (kind,)
        if not isinstance(value, kinds) or isinstance(value, bool) is not (kind is bool):
            raise InputError(f"{where}: {name}: expected {kind.__name__}, got {value!r}")


def _chip(chip: Facts, where: str) -> None:
    if chip["arch"] not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise InputError(f"{where}: [chip] arch: expected one of {known}, got {chip['arch']!r}")


def _with_stock(flash: Facts, chip_bytes: int, where: str) -> None:
    """It divides the same flash in another way: regions, and nothing else."""
    own = flash["with_stock"]
    if not isinstance(own, Mapping):
        raise InputError(f"{where}: [flash] with_stock: expected a table, got {own!r}")
    for name in own:
        if name not in REGIONS:
            raise InputError(
                f"{where}: [flash.with_stock] expected {', '.join(REGIONS)} alone, got {name}; "
                "put it into [flash]"
            )
    _table(own, {name: int for name in own}, "flash.with_stock", where)
    _flash({**flash, **own}, chip_bytes, "flash.with_stock", where)


def _flash(flash: Facts, chip_bytes: int, table: str, where: str) -> None:
    """Regions are whole erase units, erase units whole program units, and all fits the chip."""
    for name in ("program_bytes", "erase_bytes"):
        if flash[name] < 1:
            raise InputError(f"{where}: [{table}] {name}: expected 1 or more, got {flash[name]}")
    if flash["erase_bytes"] % flash["program_bytes"]:
        raise InputError(
            f"{where}: [{table}] erase_bytes: expected a multiple of program_bytes, got "
            f"{flash['erase_bytes']}"
        )
    for name in REGIONS:
        if flash[name] < 0 or flash[name] % flash["erase_bytes"]:
            raise InputError(
                f"{where}: [{table}] {name}: expected a multiple of erase_bytes, got {flash[name]}"
            )
    total = sum(flash[name] for name in REGIONS)
    if total > chip_bytes:
        raise InputError(
            f"{where}: [{table}] regions need {total} bytes, [chip] flash_bytes is {chip_bytes}"
        )


def _virtual(virtual: Facts, kinds: tuple[str, ...], where: str) -> None:
    _table(virtual, REQUIRED_VIRTUAL, "virtual", where)
    if virtual["kind"] not in kinds:
        raise InputError(
            f"{where}: [virtual] kind: expected one of {', '.join(kinds)}; got {virtual['kind']}"
        )


def _firmware(facts: Facts, where: str) -> None:
    """How a real board is built and flashed."""
    build = facts.get("build", {})
    _table(build, REQUIRED_BUILD, "build", where)
    if "short" in build:
        _table(build, {"short": bool}, "build", where)
    room, store = facts["flash"]["firmware_bytes"], facts["flash"].get("store")
    if store not in STORES:
        raise InputError(
            f"{where}: [flash] store: expected one of {', '.join(STORES)}, got {store!r}"
        )
    if store == "mapped":
        _table(facts["flash"], {"data_at": int}, "flash", where)
    if build["bytes"] > room:
        raise InputError(
            f"{where}: [build] bytes: expected at most the {room} of [flash] firmware_bytes, got "
            f"{build['bytes']}"
        )
    ways = facts.get("upload", {})
    if not ways or not ways.keys() <= REQUIRED_UPLOAD.keys():
        names = ", ".join(REQUIRED_UPLOAD)
        raise InputError(
            f"{where}: expected [upload.<way>], <way> one of {names}; got "
            f"{', '.join(ways) or 'none'}"
        )
    for way, table in ways.items():
        _table(table, REQUIRED_UPLOAD[way], f"upload.{way}", where)

"""`engram install`, step by step: ask, choose, compare, send, verify, test, tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engram_host.errors import InstallError
from engram_host.install import check, choice, facts, files, packages
from engram_host.install.raw_repl import RawRepl
from engram_host.install.transfer import (
    MANIFEST,
    SETTINGS,
    Changes,
    Present,
    Transfer,
    changes,
    manifest,
)
from engram_host.line.transport.base import Transport
from engram_host.progress import Reporter

_SLACK_BYTES = 16384  # that a file system wants beside its files
_PAYLOADS = {"rp2": 1024, "samd": 1024, "mimxrt": 1024, "pyboard": 1024, "mps2": 1024}
_UNITS = ("us", "instructions")  # that engram_board.py can count
_PAYLOAD = 240  # of a frame, where the port's receive buffer is not known: 256 bytes


@dataclass(frozen=True)
class Wishes:
    """The options of the user; the defaults leave the choice to the board.

    board: the facts of a virtual board, {} for others.
    """

    packages: Sequence[str] = packages.USUAL
    kernels: str = choice.AUTO
    store: str | None = None
    store_bytes: int | None = None
    dry_run: bool = False
    board: Mapping[str, Any] | None = None


def install(transport: Transport, wishes: Wishes, reporter: Reporter) -> dict[str, Any]:
    """Install the library on the board behind a transport; what was found, done and measured.

    Raises InstallError where the board cannot take it, LinkError or PortError when it goes away;
    then the next install goes on from there.
    """
    repl = RawRepl(transport)
    repl.enter()
    try:
        return _install(repl, wishes, reporter)
    finally:
        repl.leave()  # into an empty interpreter


def _install(repl: RawRepl, wishes: Wishes, reporter: Reporter) -> dict[str, Any]:
    board = facts.ask(repl)
    choice.refuse(board)
    source = files.find(choice.candidates(board, wishes.kernels))
    selection = choice.choose(board, source, wishes.packages, wishes.kernels)
    payloads = _wanted(source, selection)
    transfer = Transfer(repl, board.folder)
    transfer.begin()
    present = transfer.look()
    todo = changes(present, payloads)
    report = _told(board, source, selection, present, todo)
    if wishes.dry_run:
        return {**report, "dry_run": True}
    _need_room(board, present, todo)
    contents = manifest(source.version, selection.arch, selection.packages, payloads)
    if todo:
        transfer.write_json(MANIFEST, {**contents, "complete": False})
        transfer.remove(todo.stale)
        with reporter.bytes("install engram", todo.send_bytes) as update:
            _send(transfer, todo, update)
    free = transfer.free_bytes(board.root)
    settings = _settings(board, wishes, present.settings, free, "_engram" not in selection.kernels)
    if settings != present.settings:
        transfer.write_json(SETTINGS, settings)
    heap = check.heap_cost(repl, selection)
    answer = check.self_test(repl, selection)
    repl.reset()
    transfer.begin()
    if todo or present.manifest != {**contents, "complete": True}:
        transfer.write_json(MANIFEST, {**contents, "complete": True})
    free = transfer.free_bytes(board.root)
    for row in report["parts"]:
        row["heap_bytes"] = heap.get(row["part"])
    return {**report, "self_test": answer, "store": settings["store"], "free_bytes": free}


def _wanted(source: files.Files, selection: choice.Choice) -> dict[str, files.Payload]:
    """Path below lib/ -> file, of all that the board gets."""
    payloads = {
        f"{name}.mpy": source.kernel(arch, name) for name, arch in selection.kernels.items()
    }
    for name in selection.packages:
        payloads |= source.package(name)
    return payloads | source.board()


def _told(
    board: facts.Facts,
    source: files.Files,
    selection: choice.Choice,
    present: Present,
    todo: Changes,
) -> dict[str, Any]:
    """The report on an install before anything is sent."""
    parts = []
    if selection.kernels:
        sizes = [source.kernel(arch, name).size for name, arch in selection.kernels.items()]
        parts.append({"part": "kernels", "files": len(sizes), "file_bytes": sum(sizes)})
    for name in selection.packages:
        sizes = [file.size for file in source.package(name).values()]
        parts.append({"part": name, "files": len(sizes), "file_bytes": sum(sizes)})
    return {
        "board": {**asdict(board), "arch": board.arch, "abi": board.abi},
        "engram": source.version,
        "folder": board.folder,
        "kernels": {"arch": selection.arch, "modules": selection.kernels, "why": selection.why},
        "parts": parts,
        "before": present.state,
        "send": sorted(todo.send),
        "send_bytes": todo.send_bytes,
        "stale": todo.stale,
        "kept": todo.kept,
    }


def _need_room(board: facts.Facts, present: Present, todo: Changes) -> None:
    """Raise InstallError before anything is sent that the file system could not hold."""
    assert board.file_system is not None
    block = board.file_system["block_bytes"]

    def blocks(sizes: Iterable[int]) -> int:
        return sum(-(-size // block) * block for size in sizes)

    least = blocks(file.size for file in todo.send.values()) + _SLACK_BYTES
    stale = blocks(present.files[name][0] for name in todo.stale)
    room = board.file_system["free_bytes"] + stale
    if todo.send and least > room:
        raise InstallError(
            f"expected {least:,} bytes free in the board's file system, which keeps files in "
            f"blocks of {block:,}, got {room:,}; remove files, or install fewer packages "
            "(--packages core)"
        )


def _send(transfer: Transfer, todo: Changes, update: Any) -> None:
    sent_bytes = 0

    def more(count: int) -> None:
        nonlocal sent_bytes
        sent_bytes += count
        update(sent_bytes)

    for name, file in todo.send.items():
        transfer.put(name, file, more)


# Counters of platforms that are no chip, of a board whose name was not given; else its clock.
_COUNTERS = {
    "mps2": {"kind": "icount", "unit": "instructions"},
    "linux": {"kind": "host", "unit": "us"},
    "darwin": {"kind": "host", "unit": "us"},
}
_CLOCK = {"kind": "device", "unit": "us"}


def _settings(
    board: facts.Facts, wishes: Wishes, before: dict[str, Any], free_bytes: int, small: bool
) -> dict[str, Any]:
    """The content of engram_board.json. An existing store stays, unless the user asks for another.

    small: there is little heap left, and a frame takes more than twice its length of it.
    """
    known = wishes.board or {}
    store = before.get("store")
    if store is None or wishes.store or wishes.store_bytes:
        store = choice.store(wishes.store, wishes.store_bytes, free_bytes)
    counter = known.get("counter") or _COUNTERS.get(board.platform, _CLOCK)
    counter = dict(counter)
    if counter["unit"] not in _UNITS:  # cycles, of which a stock firmware tells only the time
        counter["unit"] = "us"
    return {
        "name": known.get("name", board.platform),
        "root": board.root,
        "store": store,
        "counter": {"kind": counter["kind"], "unit": counter["unit"]},
        "max_payload_bytes": _PAYLOAD if small else _PAYLOADS.get(board.platform, _PAYLOAD),
    }

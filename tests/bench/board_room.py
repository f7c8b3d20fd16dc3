"""Measures the room that virtual boards have for a learner: heap, and free file system.

    python tests/bench/board_room.py qemu_m4f unix             prints it
    python tests/bench/board_room.py qemu_m4f unix --write     and writes it into board.toml

Each board starts with a blank flash of its own; its twin with stock firmware gets `engram install`
first.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "device_lib")]

from engram_host import api, boards, build, virtual  # noqa: E402

HEAD = "# measured: python tests/bench/board_room.py"


def measure(name: str) -> dict[str, int]:
    """The [room] of a board: {"heap_bytes", "fs_bytes"}, of a stock board "store_bytes" too."""
    board = boards.load(name)
    if not board.artefact.exists():
        build.build(board)
    api.start(name, fresh=True)
    try:
        if board.stock:
            api.install(name)
        with api.connect(name) as device:
            region, room, space = device.region(), device.room(), device.info()["fs"]
    finally:
        virtual.stop(name)
    row = {"heap_bytes": room["heap_bytes"], "fs_bytes": space["free_bytes"]}
    return {**row, "store_bytes": region["store_bytes"]} if board.stock else row


def text(name: str, room: dict[str, int], stock: dict[str, int] | None) -> str:
    """The tables of a board.toml."""
    lines = [f"[room]{'':22}{HEAD} {name} --write", *_lines(room)]
    if stock:
        lines += ["", "[room.with_stock]           # MicroPython alone, after `engram install`"]
        lines += _lines(stock)
    return "\n".join(lines) + "\n\n"


def _lines(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {value}" for key, value in values.items()]


def write(name: str, tables: str) -> None:
    """Puts the tables before [counter], in the place of older ones."""
    path = boards.home() / "boards" / name / "board.toml"
    old = re.sub(r"\[room\].*?\n\n(?=\[(?!room))", "", path.read_text(), flags=re.S)
    at = re.search(r"^(#[^\n]*\n)*\[counter\]", old, re.M)
    assert at, f"{path}: expected a table [counter]"
    path.write_text(old[: at.start()] + tables + old[at.start() :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", nargs="+")
    parser.add_argument("--write", action="store_true", help="into board.toml")
    parser.add_argument("--no-stock", action="store_true", help="not the twin with stock firmware")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        os.environ["ENGRAM_STATE"] = state
        for name in options.boards:
            stock = None if options.no_stock else measure(name + boards.STOCK)
            tables = text(name, measure(name), stock)
            print(name, tables, sep="\n")
            if options.write:
                write(name, tables)


if __name__ == "__main__":
    main()

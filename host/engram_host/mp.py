"""mpremote as a library: the one file that knows it. Copies the engram library to a board.

mpremote's interface says that it will change; what is used of it stands in this file alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

import engram
from engram_host.errors import PortError

FOLDER = "lib"


@contextmanager
def raw_repl(url: str, baud: int = 115200) -> Iterator[Any]:
    """mpremote's transport to a board, at its raw REPL. Raises PortError."""
    try:
        transport = SerialTransport(url, baudrate=baud)
        try:
            transport.enter_raw_repl(soft_reset=False)
            yield transport
            transport.exit_raw_repl()
        finally:
            transport.close()
    except TransportError as e:
        raise PortError(
            f"a MicroPython REPL was expected on {url}, mpremote says: {e}; reset the board, and "
            "check that nothing else uses the port"
        ) from e


def library_files() -> dict[str, Path]:
    """Path below FOLDER -> source file, for every module of the device library."""
    root = Path(engram.__file__).parent
    return {path.relative_to(root.parent).as_posix(): path for path in sorted(root.rglob("*.py"))}


def install(url: str, files: dict[str, Path], baud: int, done: Callable[[int], None]) -> list[str]:
    """Copy files to FOLDER on the board; `done` is called with the bytes copied so far."""
    copied = 0
    with raw_repl(url, baud) as board:
        made: set[str] = set()
        for name, source in files.items():
            target = f"{FOLDER}/{name}"
            _make_parents(board, target, made)
            data = source.read_bytes()
            board.fs_writefile(target, data)
            copied += len(data)
            done(copied)
    return list(files)


def execute(url: str, code: str, baud: int = 115200) -> str:
    """Run code on the board and return what it printed. Raises PortError."""
    with raw_repl(url, baud) as board:
        return str(board.exec(code).decode("utf-8", "replace"))


def _make_parents(board: Any, target: str, made: set[str]) -> None:
    parts = target.split("/")[:-1]
    for i in range(1, len(parts) + 1):
        folder = "/".join(parts[:i])
        if folder not in made and not board.fs_exists(folder):
            board.fs_mkdir(folder)
        made.add(folder)

"""The facts that a board tells at its raw REPL, before anything is put there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from engram_host.errors import LinkError
from engram_host.install.raw_repl import RawRepl

# sys.implementation._mpy >> 10 & 15 -> MicroPython's name (py/persistentcode.h).
ARCHITECTURES = (
    "none x86 x64 armv6 armv6m armv7m armv7em armv7emsp armv7emdp xtensa xtensawin rv32imc rv64imc"
).split()


@dataclass(frozen=True)
class Facts:
    """As on_board/ask.py finds them. Sizes in bytes.

    mpy: sys.implementation._mpy. float_bits: 64, 32, 30 (a word shared with its type), 0 for none.
    root: of the file system, "" for "/". file_system: None where none is mounted. flash: driver,
    blocks, erase_bytes; None where no driver is known. frozen_engram: its version.
    missing: what the library needs and the firmware lacks.
    """

    name: str
    version: list[int]
    mpy: int
    machine: str
    platform: str
    float_bits: int
    heap: dict[str, int]
    root: str
    file_system: dict[str, Any] | None
    flash: dict[str, Any] | None
    ulab: bool
    user_module: bool
    frozen_engram: str | None
    missing: list[str]

    @property
    def release(self) -> str:
        """As "1.25.0"."""
        return ".".join(str(part) for part in self.version)

    @property
    def arch(self) -> str:
        """MicroPython's name of the architecture of native modules; "none" if it takes none."""
        number = self.mpy >> 10 & 0x0F
        return ARCHITECTURES[number] if number < len(ARCHITECTURES) else f"number {number}"

    @property
    def abi(self) -> str:
        """The version of .mpy files, as "6.3": the second part counts for native code only."""
        return f"{self.mpy & 0xFF}.{self.mpy >> 8 & 3}"

    @property
    def folder(self) -> str:
        """Where modules are installed."""
        return self.root + "/lib"


def script(name: str) -> str:
    """A program of on_board/, as text."""
    return (resources.files("engram_host.install") / "on_board" / f"{name}.py").read_text("utf-8")


def ask(repl: RawRepl) -> Facts:
    """The facts of the board. Raises LinkError when it answers something else."""
    lines = repl.run(script("ask")).strip().splitlines()
    try:
        return Facts(**json.loads(lines[-1]))
    except (IndexError, ValueError, TypeError) as e:
        raise LinkError(
            f"expected one line of JSON with the board's facts, got {lines[-3:]!r} ({e}); "
            "reset the board and try again"
        ) from e

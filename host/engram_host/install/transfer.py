"""Puts files below lib/ on a board: what is missing or differs, verified; what is stale goes.

lib/engram_install.json lists what an install puts there. It says "complete": false before the
first change and true after the last, and a file gets its name when its CRC is right: an install
that was cut is seen by the next one, which sends what is missing.
"""

from __future__ import annotations

import json
from base64 import b64encode
from binascii import crc32
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engram_host.errors import DeviceError, InstallError
from engram_host.install.facts import script
from engram_host.install.files import Payload
from engram_host.install.raw_repl import RawRepl

MANIFEST = "engram_install.json"
SETTINGS = "engram_board.json"
_LINE_BYTES = 384  # of a file in a line of base64; its 512 characters are flow-controlled or acked
# What is ours below lib/, beside the folder engram.
_PARTS = ("_engram_int8", "_engram_q8", "_engram_layers", "_engram_audio")
_KERNELS = ("_engram", "_engram_core", "_engram_small", *_PARTS)
_OWN = (*_KERNELS, "engram_board", "engram_pack")
_OWN_FILES = [name + ending for name in _OWN for ending in (".mpy", ".py", ".mpy.part")]
_OWN_FILES += [MANIFEST, MANIFEST + ".part", SETTINGS + ".part"]


@dataclass
class Present:
    """The files on the board: path below lib/ -> (size, crc); the manifest, {} for none."""

    files: dict[str, tuple[int, int]]
    manifest: dict[str, Any]
    settings: dict[str, Any]

    @property
    def state(self) -> str:
        """The remains of an earlier install, in words."""
        if not self.files:
            return "nothing"
        if not self.manifest:
            return "files that no install lists"
        version = f"Engram {self.manifest.get('engram')}"
        return version if self.manifest.get("complete") else f"{version}, cut off in the middle"


@dataclass
class Changes:
    """send: path -> file. stale: paths. kept: how many files are there already."""

    send: dict[str, Payload] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    kept: int = 0

    @property
    def send_bytes(self) -> int:
        return sum(file.size for file in self.send.values())

    def __bool__(self) -> bool:
        return bool(self.send or self.stale)


class Transfer:
    """Files below `folder` of the board at a raw REPL. begin() again after every soft reset."""

    def __init__(self, repl: RawRepl, folder: str) -> None:
        self.repl = repl
        self.folder = folder

    def begin(self) -> None:
        """Give the board the functions that the other methods call."""
        self.repl.run(script("files"))

    def look(self) -> Present:
        """The files of Engram on the board, with the manifest and the settings."""
        own = [f"{self.folder}/{name}" for name in _OWN_FILES]
        text = self.repl.run(f"e_list({[self.folder + '/engram']!r}, {own!r})")
        rows = (json.loads(line) for line in text.splitlines())
        files = {path.removeprefix(self.folder + "/"): (size, crc) for path, size, crc in rows}
        manifest = self._read(MANIFEST) if MANIFEST in files else {}
        files.pop(MANIFEST, None)
        return Present(files, manifest, self._read(SETTINGS))

    def free_bytes(self, root: str) -> int:
        """Bytes free in the file system."""
        return int(self.repl.run(f"e_free({root!r})"))

    def put(self, name: str, file: Payload, progress: Callable[[int], None]) -> None:
        """Send a file; `progress` gets the bytes sent. Raises InstallError if it has no room."""
        path = f"{self.folder}/{name}"
        try:
            with self.repl.running(f"e_put({path!r}, {file.size}, {file.crc})"):
                for at in range(0, file.size, _LINE_BYTES):
                    part = file.data[at : at + _LINE_BYTES]
                    self.repl.write(b64encode(part) + b"\n")
                    self.repl.read(1)
                    progress(len(part))
        except DeviceError as e:
            if e.kind == "OSError" and e.said.split()[0].strip("[]") in ("28", "Errno"):
                raise InstallError(
                    f"expected room for {name} in the board's file system, got a full one; remove "
                    "files, or install fewer packages, and run `engram install` again"
                ) from e
            raise

    def remove(self, names: list[str]) -> None:
        """Delete files."""
        for name in names:
            self.repl.run(f"e_remove([{self.folder + '/' + name!r}])")

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """A small file of JSON."""
        self.put(name, Payload(json.dumps(value, separators=(",", ":")).encode()), lambda n: None)

    def _read(self, name: str) -> dict[str, Any]:
        """A small file of JSON; {} when it is missing or no JSON."""
        path = f"{self.folder}/{name}"
        try:
            value = json.loads(self.repl.run(f"print(open({path!r}).read())"))
        except (DeviceError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}


def changes(present: Present, payloads: Mapping[str, Payload]) -> Changes:
    """The changes after which the board holds `payloads` and nothing else of ours."""
    difference = Changes()
    for name, file in payloads.items():
        if present.files.get(name) == (file.size, file.crc):
            difference.kept += 1
        else:
            difference.send[name] = file
    difference.stale = sorted(set(present.files) - set(payloads))
    return difference


def manifest(
    version: str, arch: str | None, names: tuple[str, ...], payloads: Mapping[str, Payload]
) -> dict[str, Any]:
    """The content of engram_install.json without "complete"."""
    lines = sorted(f"{name} {file.size} {file.crc:08x}" for name, file in payloads.items())
    return {
        "engram": version,
        "arch": arch,
        "packages": list(names),
        "files": len(lines),
        "crc": crc32("\n".join(lines).encode()),
    }

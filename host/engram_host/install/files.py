"""The files that go to boards: packages of the library, the kernels for each architecture.

make_files.py says what is where. An installed wheel carries such a folder as data; in a checkout
it is build/device, made when it is asked for.
"""

from __future__ import annotations

import json
from binascii import crc32
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engram_host.errors import InstallError
from engram_host.install import make_files, pack, packages

BOARD_MODULE = "engram_board.mpy"


@dataclass(frozen=True)
class Payload:
    """A file as it goes to a board."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def crc(self) -> int:
        return crc32(self.data)


class Files:
    """A folder of such files.

    archs: architectures whose kernels are there and the board loads, the best first. arch: that
    one, None for none.
    """

    def __init__(self, root: Path, archs: Sequence[str] = ()) -> None:
        facts = json.loads((root / "made.json").read_text())
        self.root, self.archs = root, tuple(archs)
        self.arch = self.archs[0] if self.archs else None
        self.version: str = facts["engram"]
        self.abi: str = facts["abi"]

    def package(self, name: str) -> dict[str, Payload]:
        """Path below lib/ -> file, of a package. The first one brings what finds the others."""
        own = [f"engram/{name}.pack"]
        if name == next(iter(packages.PACKAGES)):
            own += ["engram/__init__.mpy", "engram/texts", "engram_pack.mpy"]
        return {path: Payload((self.root / "lib" / path).read_bytes()) for path in own}

    def session_bytes(self, name: str) -> int:
        """Bytes of a package's modules that every session loads: an estimate of their heap."""
        modules = pack.lengths((self.root / "lib" / "engram" / f"{name}.pack").read_bytes())
        is_asked = packages.PACKAGES[name].is_asked
        return sum(n for path, n in modules.items() if not is_asked(path.removesuffix(".mpy")))

    def board(self) -> dict[str, Payload]:
        """The module engram_board of a board whose firmware is not ours."""
        return {BOARD_MODULE: Payload((self.root / "lib" / BOARD_MODULE).read_bytes())}

    def kernel(self, arch: str, module: str) -> Payload:
        """A native module of an architecture."""
        return Payload((self.root / "kernels" / arch / f"{module}.mpy").read_bytes())


def find(candidates: Sequence[str]) -> Files:
    """The files to install, with the kernels of the candidates that have any.

    Raises InstallError when there are no files, and no checkout to make them in.
    """
    folder = Path(__file__).resolve().parents[1] / "_data" / "device"
    if (folder / "made.json").exists():
        there = [arch for arch in candidates if (folder / "kernels" / arch).is_dir()]
        return Files(folder, there)
    root = make_files.make()
    ready_archs = [arch for arch in candidates if make_files.make_kernels(arch)]
    if candidates and not ready_archs:
        raise InstallError(
            f"expected kernels for {' or '.join(candidates)}, got neither built ones nor a "
            "compiler for them; `make setup` brings it, a release archive has them ready; or "
            "install with --kernels python"
        )
    return Files(root, ready_archs)

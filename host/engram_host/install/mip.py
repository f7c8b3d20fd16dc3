"""The same files as packages of `mip`, which takes a list of files and chooses nothing.

    <arch>/all.json train.json q8.json small.json   what `engram install` puts there, by --kernels
    <arch>/core.json       the network alone, with the small kernels
    <arch>/package.json    small.json: it fits wherever a board takes the library
    choose.py              run on a board: which of them `engram install` takes
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engram_host.install import choice, facts, packages
from engram_host.install.files import Files

DEFAULT, CORE = "small", "core"

_CHOOSE = '''"""Says which package.json of this folder `engram install` would take for this board:

    mpremote run choose.py
"""

import gc
import sys

# Architecture of the board, as sys.implementation._mpy has it -> free heap, package.
PACKAGES = {rows}

gc.collect()
free = gc.mem_free()
arch = getattr(sys.implementation, "_mpy", 0) >> 10 & 15
if getattr(sys.implementation, "_mpy", 0) & 0x3FF != {mpy} or arch not in PACKAGES:
    print("none: there are no kernels for this firmware; see `engram install --kernels python`")
else:
    fitting = [name for least, name in PACKAGES[arch] if least <= free]
    least = PACKAGES[arch][-1][0]
    none = "none: expected %d bytes of free heap, got %d" % (least, free)
    print(fitting[0] if fitting else none)
'''


def write(files: Files, out: Path) -> None:
    """The folder of an architecture: the files, and a json for each choice of kernels."""
    assert files.arch is not None
    lists: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        name: (packages.USUAL, modules) for name, modules in choice.KERNELS.items()
    }
    lists[CORE] = (("core",), choice.KERNELS[DEFAULT])
    lists["package"] = lists[DEFAULT]
    for name, (package_names, modules) in lists.items():
        payloads = {f"{module}.mpy": files.kernel(files.arch, module) for module in modules}
        for package in packages.with_needs(package_names):
            payloads |= files.package(package)
        payloads |= files.board()
        for path, payload in payloads.items():
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_bytes(payload.data)
        index = {"version": files.version, "deps": [], "urls": [[p, p] for p in sorted(payloads)]}
        (out / f"{name}.json").write_text(json.dumps(index, indent=1) + "\n")


def write_choice(root: Path, archs: Sequence[str], out: Path) -> None:
    """choose.py for these architectures, whose kernels are in a folder of files for boards."""
    rows = {}
    for number, own in enumerate(facts.ARCHITECTURES):
        loadable = [arch for arch in choice.loads(own) if arch in archs]
        if loadable:
            least = choice.least_free(Files(root, loadable), packages.with_needs(packages.USUAL))
            rows[number] = [(free, f"{loadable[0]}/{name}.json") for name, free in least.items()]
    lines = "".join(f"    {number}: {row},\n" for number, row in rows.items())
    major, minor = Files(root).abi.split(".")
    mpy = int(minor) << 8 | int(major)
    out.mkdir(parents=True, exist_ok=True)
    text = _CHOOSE.replace("{rows}", "{\n" + lines + "}").replace("{mpy}", str(mpy))
    (out / "choose.py").write_text(text)

"""Build MicroPython's rp2 port for a board, and the boot ROM that an emulated RP2040 starts with.

The port is built as it is, with its own CMake files. What it wants and MicroPython's release does
not hold (SDK, USB stack, TLS) comes from host/bootstrap/pico.py. As the port looks for these
inside of MicroPython's tree, it gets one of links to that and to them: build/firmware/rp2-tree.

What a build leaves in build/firmware/<board>: firmware.uf2 to copy to a Pico, firmware.elf with
symbols, and for the emulator rom.bin and a link `rp2040js`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ..boards import Board, home
from ..errors import BuildError, SourceUnavailable
from . import modules
from .steps import ARM_TOOLS, Say, Source, run, same_as_before

# Program -> Debian package that brings it.
TOOLS = {**ARM_TOOLS, "g++": "g++", "cmake": "cmake", "ninja": "ninja-build", "node": "nodejs"}

XIP_BASE = 0x10000000
UF2_FAMILY_RP2040 = 0xE48BFF56
ROM_BYTES = 16384

# Entry of lib/ in the port's tree -> which of the bootstrap's paths it is.
LIBRARIES = {
    "pico-sdk": "PICO_SDK_PATH",
    "tinyusb": "PICO_TINYUSB_PATH",
    "mbedtls": "MBEDTLS_PATH",
}
# Replaced in the tree of links; everything else is MicroPython's.
REPLACED = {*LIBRARIES, "micropython-lib"}

_UNAVAILABLE = 69  # the bootstrap's exit status when something can be had from nowhere


def provided(*options: str) -> dict[str, Path]:
    """Name -> path of what the bootstrap provides. Raises SourceUnavailable."""
    script = home() / "host" / "bootstrap" / "pico.py"
    command = [sys.executable, str(script), *options]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        error = SourceUnavailable if result.returncode == _UNAVAILABLE else BuildError
        raise error(result.stderr.strip().removeprefix("engram: ") or f"{script.name} failed")
    pairs = (line.split("=", 1) for line in result.stdout.splitlines())
    return {name: Path(path) for name, path in pairs}


def link(path: Path, target: Path) -> None:
    """Make `path` a link to `target`, unless it is."""
    if path.is_symlink() and path.readlink() == target:
        return
    if path.is_symlink():
        path.unlink()
    path.symlink_to(target)


def linked_tree(source: Source, paths: dict[str, Path], tree: Path) -> None:
    """A tree with MicroPython's files and those of the libraries, nothing of it copied."""
    for folder in (tree, tree / "lib", tree / "lib" / "micropython-lib", tree / "ports"):
        folder.mkdir(parents=True, exist_ok=True)
    for part in ("", "lib", "ports"):
        for entry in sorted((source.path / part).iterdir()):
            if entry.name not in {"lib", "ports"} and entry.name not in REPLACED:
                link(tree / part / entry.name, entry)
    for name, path in LIBRARIES.items():
        link(tree / "lib" / name, paths[path])
    # Nothing comes from micropython-lib; its rule wants a folder with a README.
    readme = tree / "lib" / "micropython-lib" / "README.md"
    if not readme.exists():
        readme.write_text("empty\n")


def module_files(board: Board) -> list[Path]:
    """The CMake files of the board's user C modules, and those of $EXTRA_C_MODULES."""
    names = [] if board.stock else board.facts["firmware"]["modules"]
    own = [home() / name / modules.CMAKE for name in names]
    return modules.with_extra(own, modules.CMAKE)


def prefix_maps(tree: Path, source: Source, paths: dict[str, Path]) -> str:
    """Compiler flags that keep this machine's folders out of the firmware."""
    folders = {tree: "micropython", source.path: "micropython", home(): "engram"}
    folders |= {path: name for name, path in paths.items()}
    return " ".join(f"-ffile-prefix-map={path}={name}" for path, name in folders.items())


def build_rom(out: Path, source: Source, log: Path) -> None:
    """The boot ROM, from firmware/ports/virtual_pico/rom: out/rom.elf and out/rom.bin."""
    folder = home() / "firmware" / "ports" / "virtual_pico" / "rom"
    sources = sorted([*folder.glob("*.S"), *folder.glob("*.c")])
    elf, image = out / "rom.elf", out / "rom.bin"
    script = folder / "rom.ld"
    newest = max(path.stat().st_mtime for path in [*folder.iterdir()])
    if image.exists() and image.stat().st_mtime > newest:
        return
    flags = "-mcpu=cortex-m0plus -mthumb -O2 -std=c99 -ffreestanding -fno-builtin -nostdlib"
    # A copy loop must not become a call of the copy function that it is.
    flags += " -fno-tree-loop-distribute-patterns -ffunction-sections -Wl,--gc-sections"
    flags += " -Wall -Wextra -Werror"
    command = ["arm-none-eabi-gcc", *flags.split(), "-T", str(script)]
    run([*command, *map(str, sources), "-lgcc", "-o", str(elf)], source, log)
    run(["arm-none-eabi-objcopy", "-O", "binary", str(elf), str(image)], source, log)
    if image.stat().st_size > ROM_BYTES:
        raise BuildError(f"the boot ROM has {image.stat().st_size} bytes, {ROM_BYTES} is the most")


def configure(
    board: Board, source: Source, tree: Path, paths: dict[str, Path], cross: Path, log: Path
) -> None:
    """Run CMake in the board's build folder."""
    facts, out = board.facts["firmware"], board.build_dir
    manifest = facts["stock_manifest" if board.stock else "manifest"]
    shim = out / "shim"
    shim.mkdir(parents=True, exist_ok=True)
    # The firmware has no C++ in it, but is linked as C++ would be: an empty library is enough.
    run(["arm-none-eabi-ar", "rc", str(shim / "libstdc++.a")], source, log)
    maps = prefix_maps(tree, source, paths)
    environment = {
        "CFLAGS": maps,
        "ASMFLAGS": maps,
        "CXXFLAGS": maps + " -DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1",
        "LDFLAGS": f"-L{shim}",
        "MICROPY_MPYCROSS": str(cross),
    }
    values = {
        "MICROPY_BOARD": facts["board"],
        "MICROPY_FROZEN_MANIFEST": str(home() / manifest),
        "USER_C_MODULES": ";".join(map(str, module_files(board))),
        "BOARD_TOML": str(board.folder / "board.toml"),
        "PICO_BUILD_DOCS": "0",
        "PICO_NO_PICOTOOL": "1",
        "CMAKE_EXPORT_COMPILE_COMMANDS": "1",
        "Python3_EXECUTABLE": sys.executable,
    }
    command = ["cmake", "-G", "Ninja", "-S", str(tree / "ports" / facts["port"]), "-B", str(out)]
    command += [f"-D{name}={value}" for name, value in values.items() if value]
    run(command, source, log, environment)


def make_uf2(board: Board, source: Source, log: Path) -> None:
    """firmware.uf2 of firmware.bin, if it fits below the data flash."""
    out = board.build_dir
    image = out / "firmware.bin"
    size, most = image.stat().st_size, board.flash.firmware_bytes
    if size > most:
        raise BuildError(f"{image} has {size} bytes, [flash] firmware_bytes are {most}")
    tool = source.path / "tools" / "uf2conv.py"
    command = [sys.executable, str(tool), "-b", hex(XIP_BASE), "-f", hex(UF2_FAMILY_RP2040)]
    new = out / "firmware.uf2.new"
    run([*command, "-c", str(image), "-o", str(new)], source, log)
    new.replace(board.artefact)


def build(board: Board, source: Source, cross: Path, jobs: int, log: Path, say: Say) -> None:
    """Build the port's firmware and the boot ROM of a board; see build.build."""
    paths = provided()
    out = board.build_dir
    tree = out.parent / "rp2-tree"
    linked_tree(source, paths, tree)
    inputs = [*map(str, paths.values()), str(module_files(board)), str(board.facts["firmware"])]
    if not same_as_before(out.with_name(board.name + ".stamp"), source, inputs):
        shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    if not board.artefact.exists():
        say(f"building the firmware of {board.name}")
    build_rom(out, source, log)
    link(out / "rp2040js", paths["RP2040JS_PATH"])
    if not (out / "build.ninja").exists():
        configure(board, source, tree, paths, cross, log)
    run(["ninja", "-C", str(out), f"-j{jobs}"], source, log, {"MICROPY_MPYCROSS": str(cross)})
    make_uf2(board, source, log)

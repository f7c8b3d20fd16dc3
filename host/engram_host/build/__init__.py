"""Build the firmware of a virtual board: mpy-cross, then MicroPython with our kernels and library.

    path = build(boards.load("qemu_m4f"))       # build/firmware/qemu_m4f/firmware.elf
    path = build(boards.load("qemu_m4f_stock"))  # the same port without either

make decides what is out of date; nothing is written into the MicroPython source. The log of a
build is build/firmware/<board>.log. Further user C modules (ulab, say) come by the environment:
EXTRA_C_MODULES=<folder of modules>[:<another>], as MicroPython's own USER_C_MODULES.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..boards import Board, home
from ..errors import BuildError
from . import modules, rp2
from .steps import (
    ARM_TOOLS,
    Say,
    Source,
    locked,
    make,
    mpy_cross,
    need,
    need_system,
    same_as_before,
)

# Kind of a virtual board -> program that its build calls, Debian package that brings it.
TOOLS = {
    "qemu": ARM_TOOLS,
    "unix": {"make": "make", "gcc": "gcc libc6-dev"},
    "rp2040js": rp2.TOOLS,
}

# What the log says when an interrupted or older build left generated files that no longer fit.
STALE = re.compile(r"MP_QSTR_\w+.*(undeclared|redeclaration)|redeclaration.*MP_QSTR_\w+")


def find_source(path: Path | str | None = None) -> Source:
    """The MicroPython tree: the one named, else $MICROPY_DIR, else what the bootstrap provides.

    Raises BuildError with what to do when there is none, UnsupportedSystem on Windows.
    """
    need_system()
    path = path or os.environ.get("MICROPY_DIR")
    if path:
        return Source(Path(path).resolve())
    need_checkout("the MicroPython source")
    bootstrap = home() / "host" / "bootstrap" / "micropython.py"
    result = subprocess.run([sys.executable, str(bootstrap)], capture_output=True, text=True)
    if result.returncode:
        raise BuildError(result.stderr.strip() or "no MicroPython source; set MICROPY_DIR")
    return Source(Path(result.stdout.strip().splitlines()[-1]))


def need_checkout(purpose: str) -> None:
    """Raise BuildError where this is an installation, which has no sources of a firmware."""
    if not (home() / "firmware" / "ports").is_dir():
        boards = sorted(path.parent.name for path in home().glob("build/firmware/*/*"))
        there = (
            f"this installation carries that of {', '.join(boards)}"
            if boards
            else "a wheel of a release archive (`make dist`) carries that of some boards"
        )
        raise BuildError(
            f"expected a checkout of Engram for {purpose}, got an installation without one; clone "
            f"Engram and run `make demo` there, or set ENGRAM_HOME to a checkout; {there}"
        )


def user_modules(board: Board) -> Path:
    """The folder that USER_C_MODULES gets; the stock board has none of ours."""
    own = [] if board.stock else modules.ours(modules.MAKE)
    makefiles = modules.with_extra(own, modules.MAKE)
    return modules.for_make(makefiles, board.build_dir.with_name(board.name + ".modules"))


def port_arguments(board: Board, source: Source) -> list[str]:
    """Arguments of make that are this board's alone."""
    port = home() / "firmware" / "ports" / {"qemu": "mps2", "unix": "unix"}[board.kind]
    stock = ["STOCK=1"] if board.stock else []
    if board.kind == "unix":
        return ["-C", str(source.path / "ports" / "unix"), f"VARIANT_DIR={port}", *stock]
    return ["-C", str(port), f"MICROPY_DIR={source.path}", *stock]


def build(
    board: Board,
    micropython_dir: Path | str | None = None,
    jobs: int | None = None,
    say: Say = lambda text: None,
) -> Path:
    """Build the firmware of a virtual board and return its path; quick when nothing changed.

    In an installation it is the file that a release carries.

    say gets one line at the start of each part that takes long. Raises BuildError: a tool or the
    MicroPython source is missing, or something does not compile (its message ends with the log's
    last lines). Raises UnsupportedSystem on Windows.
    """
    need_system()
    if not (home() / "firmware" / "ports").is_dir() and board.artefact.exists():
        return board.artefact
    need_checkout(f"the firmware of {board.name}")
    need(TOOLS[board.kind], board.name)
    source = find_source(micropython_dir)
    jobs = jobs or os.cpu_count() or 2
    root = board.build_dir.parent
    log = root / (board.name + ".log")
    with locked(root):
        log.write_text(f"MicroPython {source.version} in {source.path}\n")
        cross = mpy_cross(root, source, jobs, log, say)
        PORTS[board.kind](board, source, cross, jobs, log, say)
    return board.artefact


def build_with_make(
    board: Board, source: Source, cross: Path, jobs: int, log: Path, say: Say
) -> None:
    """Build a port of MicroPython that has a Makefile: our own, and unix."""
    out = board.build_dir
    arguments = [
        *port_arguments(board, source),
        f"BUILD={out}",
        f"BOARD_TOML={board.folder / 'board.toml'}",
        f"MPY_LIB_DIR={home() / 'firmware'}",
        f"MICROPY_MPYCROSS={cross}",
        f"MICROPY_MPYCROSS_DEPENDENCY={cross}",
        f"USER_C_MODULES={user_modules(board)}",
    ]
    options = [argument.replace(str(source.path), "") for argument in arguments]
    options.append(os.environ.get("EXTRA_C_MODULES", ""))
    if not same_as_before(out.with_name(board.name + ".stamp"), source, options):
        shutil.rmtree(out, ignore_errors=True)
    if not board.artefact.exists():
        say(f"building the firmware of {board.name}")
    # Which Python runs the build's scripts does not change what they make.
    arguments.append(f"PYTHON={sys.executable}")
    offset = log.stat().st_size
    try:
        make(arguments, jobs, source, log)
    except BuildError:
        if not STALE.search(log.read_text(errors="replace")[offset:]):
            raise
        say(f"building the firmware of {board.name} anew")
        shutil.rmtree(out)
        make(arguments, jobs, source, log)


# Kind of a virtual board -> how its firmware is built. Gets the board, MicroPython, its compiler
# mpy-cross, jobs, log, say; leaves the board's artefact.
PORTS = {"qemu": build_with_make, "unix": build_with_make, "rp2040js": rp2.build}

"""Build the firmware of a virtual board: mpy-cross, then MicroPython with our kernels and library.

    path = build(boards.load("qemu_m4f"))       # build/firmware/qemu_m4f/firmware.elf
    path = build(boards.load("qemu_m4f_stock"))  # the same port without either

make decides what is out of date; nothing is written into the MicroPython source. The log of a
build is build/firmware/<board>.log. Further user C modules (ulab, say) come by the environment:
EXTRA_C_MODULES=<folder of modules>[:<another>], as MicroPython's own USER_C_MODULES.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .boards import Board, home
from .errors import BuildError

TAIL_LINES = 25  # of the log, in an error

# Kind of a virtual board -> program that its build calls, Debian package that brings it.
TOOLS = {
    "qemu": {
        "make": "make",
        "gcc": "gcc libc6-dev",
        "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    },
    "unix": {"make": "make", "gcc": "gcc libc6-dev"},
}

# Variables of a calling make or shell that would change this build unseen.
NOT_INHERITED = (
    "MAKEFLAGS MFLAGS MAKELEVEL BOARD BOARD_DIR BUILD CC CFLAGS CPPFLAGS CROSS_COMPILE DEBUG "
    "FROZEN_MANIFEST LDFLAGS PYTHON STOCK TOP USER_C_MODULES V VARIANT VARIANT_DIR"
).split()

# What the log says when an interrupted or older build left generated files that no longer fit.
STALE = re.compile(r"MP_QSTR_\w+.*(undeclared|redeclaration)|redeclaration.*MP_QSTR_\w+")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """A MicroPython source tree."""

    path: Path

    @property
    def version(self) -> str:
        """As "1.25.0". Raises BuildError when this is no MicroPython source."""
        try:
            text = (self.path / "py" / "mpconfig.h").read_text()
            parts = (
                re.findall(rf"^#define MICROPY_VERSION_{part} (\d+)", text, re.M)[0]
                for part in ("MAJOR", "MINOR", "MICRO")
            )
            return ".".join(parts)
        except (OSError, IndexError):
            raise BuildError(
                f"{self.path}: a MicroPython source tree expected (py/mpconfig.h in it); "
                "give another MICROPY_DIR, or unset it"
            ) from None

    @property
    def identity(self) -> str:
        """The same for two unchanged copies of one release, another one after any edit."""
        found = sorted(
            (path.relative_to(self.path).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
            for folder in ("extmod", "lib/libm", "lib/littlefs", "mpy-cross", "ports/unix", "py")
            for path in (self.path / folder).rglob("*")
            if path.suffix in (".c", ".h", ".mk", ".py")
        )
        return hashlib.sha256(repr(found).encode()).hexdigest()

    def environment(self) -> dict[str, str]:
        """Make the version string the tree's own, whatever repository it may lie in."""
        if (self.path / ".git").exists():
            return {}
        made = int((self.path / "py" / "mpconfig.h").stat().st_mtime)
        return {"MICROPY_GIT_TAG": "v" + self.version, "SOURCE_DATE_EPOCH": str(made)}


def find_source(named: Path | str | None = None) -> Source:
    """The MicroPython tree: the one named, else $MICROPY_DIR, else what the bootstrap provides.

    Raises BuildError with what to do when there is none.
    """
    named = named or os.environ.get("MICROPY_DIR")
    if named:
        return Source(Path(named).resolve())
    bootstrap = home() / "host" / "bootstrap" / "micropython.py"
    if not bootstrap.exists():
        raise BuildError(
            "firmware is built in a checkout of Engram: set ENGRAM_HOME to one, "
            "and MICROPY_DIR to a MicroPython source tree if you have it"
        )
    found = subprocess.run([sys.executable, str(bootstrap)], capture_output=True, text=True)
    if found.returncode:
        raise BuildError(found.stderr.strip() or "no MicroPython source; set MICROPY_DIR")
    return Source(Path(found.stdout.strip().splitlines()[-1]))


def check_tools(board: Board) -> None:
    """Raise BuildError naming the programs that are missing and the packages that bring them."""
    wanted = TOOLS[board.kind]
    missing = [program for program in wanted if shutil.which(program) is None]
    if missing:
        packages = " ".join(dict.fromkeys(wanted[program] for program in missing))
        raise BuildError(
            f"{', '.join(missing)} expected to build {board.name}, not found: "
            f"run 'make setup', or apt-get install {packages}"
        )


def user_modules(board: Board) -> Path:
    """The folder that USER_C_MODULES gets, by reference: ours and those of $EXTRA_C_MODULES."""
    folder = board.build_dir.parent / (board.name + ".modules")
    sources = [] if board.stock else [home() / "firmware" / "usermod"]
    sources += [Path(p) for p in os.environ.get("EXTRA_C_MODULES", "").split(os.pathsep) if p]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in sources:
        found = sorted(source.resolve().glob("*/micropython.mk"))
        if not found:
            raise BuildError(
                f"EXTRA_C_MODULES: {source} expected to hold folders with a micropython.mk"
            )
        for makefile in found:
            (folder / makefile.parent.name).mkdir()
            (folder / makefile.parent.name / "micropython.mk").write_text(
                f"USERMOD_DIR := {makefile.parent}\ninclude {makefile}\n"
            )
    return folder


def port_arguments(board: Board, source: Source) -> list[str]:
    """Arguments of make that are this board's alone."""
    port = home() / "firmware" / "ports" / {"qemu": "mps2", "unix": "unix"}[board.kind]
    if board.kind == "unix":
        return ["-C", str(source.path / "ports" / "unix"), f"VARIANT_DIR={port}"]
    stock = ["STOCK=1"] if board.stock else []
    return ["-C", str(port), f"MICROPY_DIR={source.path}", *stock]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One build at a time, also from several processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(arguments: list[str], jobs: int, source: Source, log: Path) -> None:
    """Run make, its output to the end of the log. Raises BuildError with the end of the log."""
    environment = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
    environment |= source.environment() | {"LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["make", f"-j{jobs}", *arguments]
    with open(log, "a") as file:
        file.write("$ " + " ".join(command) + "\n")
        file.flush()
        begin = file.tell()
        code = subprocess.call(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if code:
        text = log.read_text(errors="replace")[begin:].rstrip().splitlines()
        tail = "\n".join("    " + line for line in text[-TAIL_LINES:])
        raise BuildError(f"make failed; the end of {log}:\n{tail}")


def same_as_before(stamp: Path, source: Source, arguments: list[str]) -> bool:
    """Whether the last build had the same arguments and source; remembers these.

    make follows edits within a source tree by itself. Between two trees it cannot: the other may
    have older files that differ. Then only two copies of the same release count as the same.
    """
    now = {"source": str(source.path), "identity": source.identity, "arguments": arguments}
    then = json.loads(stamp.read_text()) if stamp.exists() else {}
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps(now, indent=1))
    same_source = any(then.get(key) == now[key] for key in ("source", "identity"))
    return same_source and then.get("arguments") == arguments


def build(
    board: Board,
    micropython_dir: Path | str | None = None,
    jobs: int | None = None,
    say: Say = lambda text: None,
) -> Path:
    """Build the firmware of a virtual board and return its path; quick when nothing changed.

    say gets one line at the start of each part that takes long. Raises BuildError: a tool or the
    MicroPython source is missing, or something does not compile (its message ends with the log's
    last lines).
    """
    check_tools(board)
    source = find_source(micropython_dir)
    version = source.version
    jobs = jobs or os.cpu_count() or 2
    out = board.build_dir
    root = out.parent
    log = root / (board.name + ".log")
    with locked(root):
        log.write_text(f"MicroPython {version} in {source.path}\n")
        cross = root / "mpy-cross"
        common = [f"PYTHON={sys.executable}"]
        if not same_as_before(root / "mpy-cross.stamp", source, []):
            shutil.rmtree(cross, ignore_errors=True)
        if not (cross / "mpy-cross").exists():
            say(f"building mpy-cross {version}")
        arguments = ["-C", str(source.path / "mpy-cross"), f"BUILD={cross}", *common]
        # A warning that a newer compiler invents must not keep a user from building.
        make([*arguments, "CFLAGS_EXTRA=-Wno-error"], jobs, source, log)

        arguments = [
            *port_arguments(board, source),
            f"BUILD={out}",
            f"BOARD_TOML={board.folder / 'board.toml'}",
            f"MPY_LIB_DIR={home() / 'firmware'}",
            f"MICROPY_MPYCROSS={cross / 'mpy-cross'}",
            f"MICROPY_MPYCROSS_DEPENDENCY={cross / 'mpy-cross'}",
            f"USER_C_MODULES={user_modules(board)}",
        ]
        told = [argument.replace(str(source.path), "") for argument in arguments]
        told.append(os.environ.get("EXTRA_C_MODULES", ""))
        if not same_as_before(root / (board.name + ".stamp"), source, told):
            shutil.rmtree(out, ignore_errors=True)
        if not board.artefact.exists():
            say(f"building the firmware of {board.name}")
        arguments += common  # which Python runs the build's scripts does not change what they make
        begin = log.stat().st_size
        try:
            make(arguments, jobs, source, log)
        except BuildError:
            if not STALE.search(log.read_text(errors="replace")[begin:]):
                raise
            say(f"building the firmware of {board.name} anew")
            shutil.rmtree(out)
            make(arguments, jobs, source, log)
    return board.artefact

"""Steps that every build of a firmware shares: a source tree, its compiler mpy-cross, programs
that must be there, a logged command, a stamp, a lock."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import BuildError
from ..system import need_posix

TAIL_LINES = 25  # of the log, in an error

# Variables of a calling make or shell that would change this build unseen.
NOT_INHERITED = (
    "MAKEFLAGS MFLAGS MAKELEVEL BOARD BOARD_DIR BUILD CC CFLAGS CPPFLAGS CROSS_COMPILE DEBUG "
    "ASMFLAGS CXXFLAGS FROZEN_MANIFEST LDFLAGS PYTHON STOCK TOP USER_C_MODULES V VARIANT "
    "VARIANT_DIR"
).split()

# Program that a build for Arm calls -> Debian package that brings it.
ARM_TOOLS = {
    "make": "make",
    "gcc": "gcc libc6-dev",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
}

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
                f"{self.path}: expected a MicroPython source tree with py/mpconfig.h, got none; "
                "give another MICROPY_DIR, or unset it"
            ) from None

    @property
    def identity(self) -> str:
        """The same for two unchanged copies of one release, another one after any edit."""
        files = sorted(
            (path.relative_to(self.path).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
            for folder in ("extmod", "lib/libm", "lib/littlefs", "mpy-cross", "ports/unix", "py")
            for path in (self.path / folder).rglob("*")
            if path.suffix in (".c", ".h", ".mk", ".py")
        )
        return hashlib.sha256(repr(files).encode()).hexdigest()

    def environment(self) -> dict[str, str]:
        """Make the version string the tree's own, whatever repository it may lie in."""
        if (self.path / ".git").exists():
            return {}
        stamp = int((self.path / "py" / "mpconfig.h").stat().st_mtime)
        return {"MICROPY_GIT_TAG": "v" + self.version, "SOURCE_DATE_EPOCH": str(stamp)}


def need_system() -> None:
    """Raise UnsupportedSystem where no firmware can be built."""
    need_posix("builds of firmware", "build on Linux or in WSL, and flash the result from here")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One build at a time, also from several processes."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(
    command: list[str], source: Source, log: Path, extras: Mapping[str, str] | None = None
) -> None:
    """Run a command, its output to the end of the log. Raises BuildError with the end of the log.

    extras: variables that its environment has beside this process's own.
    """
    environment = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
    environment |= source.environment() | {"LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= extras or {}
    with open(log, "a") as file:
        file.write("$ " + " ".join(command) + "\n")
        file.flush()
        offset = file.tell()
        code = subprocess.call(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if code:
        text = log.read_text(errors="replace")[offset:].rstrip().splitlines()
        tail = "\n".join("    " + line for line in text[-TAIL_LINES:])
        raise BuildError(f"{Path(command[0]).name} failed; the end of {log}:\n{tail}")


def make(arguments: list[str], jobs: int, source: Source, log: Path) -> None:
    """Run make; see `run`."""
    run(["make", f"-j{jobs}", *arguments], source, log)


def need(tools: Mapping[str, str], name: str) -> None:
    """Raise BuildError naming the programs that are missing to build the board `name`.

    tools: program -> Debian package that brings it.
    """
    missing = [program for program in tools if shutil.which(program) is None]
    if missing:
        packages = " ".join(dict.fromkeys(tools[program] for program in missing))
        raise BuildError(
            f"expected {', '.join(missing)} to build {name}, got none; "
            f"run 'make setup', or apt-get install {packages}"
        )


def mpy_cross(root: Path, source: Source, jobs: int, log: Path, say: Say) -> Path:
    """MicroPython's compiler to .mpy, below `root`; built anew where the source is another."""
    out = root / "mpy-cross"
    if not same_as_before(root / "mpy-cross.stamp", source, []):
        shutil.rmtree(out, ignore_errors=True)
    if not (out / "mpy-cross").exists():
        say(f"building mpy-cross {source.version}")
    arguments = ["-C", str(source.path / "mpy-cross"), f"BUILD={out}", f"PYTHON={sys.executable}"]
    # A warning that a newer compiler invents must not keep a user from building.
    make([*arguments, "CFLAGS_EXTRA=-Wno-error"], jobs, source, log)
    return out / "mpy-cross"


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

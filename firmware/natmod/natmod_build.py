"""Builds the native modules of one or more architectures: build/natmod/<arch>/<module>.mpy.

    python natmod_build.py                    every architecture whose compiler is here
    python natmod_build.py armv6m             one
    python natmod_build.py armv6m _engram     one module of it

Prints each file with its size. Needs a MicroPython source (MICROPY_DIR, else the one that the
bootstrap provides) and pyelftools, which the project's virtual environment has.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import natmod_modules as modules

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = ROOT / "build" / "natmod"

# MicroPython's name of an architecture -> its compiler, and Debian's package that brings it.
COMPILERS = {
    "x64": ("gcc", "gcc libc6-dev"),
    "armv6m": ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
    "armv7m": ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
    "armv7emsp": ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
    "armv7emdp": ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
    "rv32imc": ("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"),
    "xtensawin": ("xtensa-esp32-elf-gcc", None),
}

# The objects that each module has of its own; they lie in <module>.build.
FACE = ("engram_table", "mp_engram")

# Variables of a calling make that would change this build unseen.
NOT_INHERITED = "MAKEFLAGS MFLAGS MAKELEVEL ARCH MODULE BUILD CFLAGS CFLAGS_EXTRA CROSS V".split()


class Failed(Exception):
    """A build that cannot be; the text says why and what to do."""


def available() -> list[str]:
    """The architectures whose compiler is installed."""
    return [arch for arch, (program, _) in COMPILERS.items() if shutil.which(program)]


def sources() -> list[str]:
    """The kernel sources, as sources.mk names them, and those that only modules need."""
    text = (ROOT / "firmware" / "kernels" / "sources.mk").read_text()
    return [*dict.fromkeys(re.findall(r"\w+\.c", text)), "soft_divide.c"]


def check(arch: str) -> None:
    """Raise Failed unless `arch` can be built here."""
    if arch not in COMPILERS:
        raise Failed(f"ARCH={arch}: expected one of {' '.join(COMPILERS)}")
    program, package = COMPILERS[arch]
    if shutil.which(program) is None:
        advice = f"apt-get install {package}" if package else "see firmware/natmod/README.md"
        raise Failed(f"ARCH={arch}: expected {program}, got none; {advice}")


def micropython() -> str:
    """The MicroPython source tree: $MICROPY_DIR, else the bootstrap's."""
    folder = os.environ.get("MICROPY_DIR")
    if folder:
        return str(Path(folder).resolve())
    script = ROOT / "host" / "bootstrap" / "micropython.py"
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    if result.returncode:
        raise Failed(result.stderr.strip() or "no MicroPython source; set MICROPY_DIR")
    return result.stdout.strip().splitlines()[-1]


def check_source(source: str) -> None:
    """Raise Failed when the tree's linker cannot link these modules: before 1.25."""
    makefile = Path(source) / "py" / "dynruntime.mk"
    if not makefile.exists() or "CFLAGS_ARCH" not in makefile.read_text():
        raise Failed(
            f"{source}: expected a MicroPython source of release 1.25 or later; what it builds "
            "loads on 1.23 and 1.24 too. Set MICROPY_DIR to one, or unset it"
        )


def build(arch: str, module: str = modules.WHOLE, source: str | None = None) -> Path:
    """Build one module and return its path; quick when nothing changed. Raises Failed."""
    check(arch)
    source = source or micropython()
    check_source(source)
    stamp = OUT / arch / "source"
    if not stamp.exists() or stamp.read_text() != source:  # two trees' headers do not mix
        shutil.rmtree(OUT / arch, ignore_errors=True)
        stamp.parent.mkdir(parents=True)
        stamp.write_text(source)
    environment = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
    arguments = {
        "MPY_DIR": source,
        "ARCH": arch,
        "MODULE": module,
        "OUT": OUT / arch,
        "PYTHON": sys.executable,
    }
    result = subprocess.run(
        ["make", "-C", HERE, f"-j{os.cpu_count() or 2}"]
        + [f"{name}={value}" for name, value in arguments.items()],
        env=environment,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).rstrip().splitlines()[-20:])
        raise Failed(f"{module} for {arch} failed:\n{tail}")
    return OUT / arch / f"{module}.mpy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arch", nargs="?", help="default: every one whose compiler is here")
    parser.add_argument("module", nargs="?", choices=modules.MODULES, help="default: all")
    options = parser.parse_args()
    try:
        source = micropython()
        for arch in [options.arch] if options.arch else available():
            for module in [options.module] if options.module else modules.MODULES:
                path = build(arch, module, source)
                size = path.stat().st_size
                print(f"{size:7d} bytes  {os.path.relpath(path)}", flush=True)
    except Failed as why:
        sys.exit(f"engram: {why}")


if __name__ == "__main__":
    main()

"""Native modules for tests: built when out of date, and taken to a board."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "firmware" / "natmod") not in sys.path:
    sys.path.insert(0, str(ROOT / "firmware" / "natmod"))

import natmod_build as build  # noqa: E402
import natmod_modules as modules  # noqa: E402
import natmod_sizes as sizes  # noqa: E402

from engram_host.install import make_files  # noqa: E402

__all__ = ["build", "modules", "run", "sizes", "whole"]

DEVICE = ROOT / "tests" / "device"

# Raw bytes into a file, a block at a time; the board says when it has stored one.
_RECEIVE = """
import micropython, sys
def receive(name, n):
    block = bytearray(1024)
    micropython.kbd_intr(-1)
    try:
        with open(name, "wb") as f:
            while n:
                k = sys.stdin.buffer.readinto(block, min(n, 1024))
                f.write(memoryview(block)[:k])
                n -= k
                sys.stdout.write("+")
    finally:
        micropython.kbd_intr(3)
receive({name!r}, {size})
"""

# A collection every 16 KiB keeps what stays at the bottom of the heap: a learner needs its arena
# in one piece.
_IMPORT = """
import gc, os
gc.threshold(16384)
import {name}
os.remove("{name}.mpy")
"""
_CHOOSE = """
import engram.backend
engram.backend.kernels = engram.backend.load(({first!r},))
engram.backend.kernels.__name__ = "_engram"
"""


def _send(line, name, data):
    """Write a file on the board: quicker than mpremote's, which sends source text."""
    line.exec_raw_no_follow(_RECEIVE.format(name=name, size=len(data)))
    for at in range(0, len(data), 1024):
        line.serial.write(data[at : at + 1024])
        if line.serial.read(1) != b"+":
            break
    _, error = line.follow(10)
    assert not error, error.decode()


def whole(arch):
    """Every kernel of an architecture: name on the board -> .mpy, as run() takes it."""
    return {"native_kernels": build.build(arch), modules.Q8: build.build(arch, modules.Q8)}


def run(host, natmods, check, files):
    """What tests/device/<check>.py prints with the kernels of native modules on the board.

    natmods: name on the board -> .mpy, the one to load first. Its name must not be one of the
    firmware's, which would come first. A file goes when it is loaded: flash is small.
    """
    line = host.transport
    line.enter_raw_repl(soft_reset=True)
    for name, path in natmods.items():
        _send(line, name + ".mpy", path.read_bytes())
        host.exec(_IMPORT.format(name=name))
    host.exec(_CHOOSE.format(first=next(iter(natmods))))
    for name in files:  # compiled: beside the kernels there is no room for a compiler's work
        source = (DEVICE / (name + ".py")).read_text()
        _send(line, name + ".mpy", make_files.compiled(source, name))
    return host.exec(f"import {check}; {check}.main()").splitlines()

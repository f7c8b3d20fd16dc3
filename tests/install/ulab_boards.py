"""Stock boards whose firmware has ulab, with the library installed over it.

They are built into build/ulab, a home of their own, so that the stock firmware of other tests
stays as it is. ulab comes by EXTRA_C_MODULES=<checkout>.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpremote.transport_serial import SerialTransport as RawTransport

from engram_host import boards, build
from engram_host.install import installer
from engram_host.line.transport.serial_port import SerialTransport
from engram_host.progress import Silent
from hosts import DEVICE, BoardHost

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "ulab"
NAMES = ("unix_stock", "qemu_m4f_stock")
# What a home has, and what of its build folder is the checkout's too.
SHARED = ("boards", "device_lib", "examples", "firmware", "host", "build/natmod")


def modules() -> str | None:
    """The folder of EXTRA_C_MODULES that is a checkout of ulab."""
    for folder in filter(None, os.environ.get("EXTRA_C_MODULES", "").split(os.pathsep)):
        for makefile in Path(folder).glob("*/micropython.mk"):
            if (makefile.parent / "ulab.c").exists():
                return folder
    return None


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


@contextmanager
def home() -> Iterator[None]:
    """Boards are those with ulab."""
    (ROOT / "build" / "natmod").mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        link = HOME / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(ROOT / name)
    with _environment("ENGRAM_HOME", str(HOME)):
        yield


@contextmanager
def without() -> Iterator[None]:
    """Boards are those of the checkout, and none is built with ulab."""
    with _environment("EXTRA_C_MODULES", None):
        yield


class UlabHost(BoardHost):
    """A board at its raw REPL, on which `engram install` has put the library. Needs home()."""

    def __init__(self, name, state, kernels="python"):
        super().__init__(name, state)
        self.kernels = kernels
        self.told = None  # what the installer told

    def start(self):
        build.build(self.board)
        super().start()
        tty = self.transport.device_name
        self.transport.close()
        line = SerialTransport(tty, self.board.baud, name=self.name)
        try:
            wishes = installer.Wishes(kernels=self.kernels, board=boards.load(self.name).facts)
            self.told = installer.install(line, wishes, Silent())
        finally:
            line.close()
        self.transport = RawTransport(tty, baudrate=self.board.baud)
        self.transport.enter_raw_repl(soft_reset=True)

    def put_checks(self, *names):
        """Copies files of tests/device onto the board."""
        for name in names:
            self.put(DEVICE / (name + ".py"))

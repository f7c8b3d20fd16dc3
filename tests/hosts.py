"""Runs a plain-Python check file on any host and returns what it prints.

A host is a name: "cpython-c", "cpython-np", "cpython-py" (a backend each), or a virtual board
("unix", "qemu_m4f", "qemu_m3", "qemu_m0p"), where the file runs at the REPL of a board of its own.
"""

import ast
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from mpremote.transport_serial import SerialTransport

from engram_host import boards, virtual

DEVICE = Path(__file__).resolve().parent / "device"

# Modules that a host must do without, so that the backend is the one it is named after.
WITHOUT = {
    "cpython-c": (),
    "cpython-np": ("_engram",),
    "cpython-py": ("_engram", "numpy"),
}
BACKEND = {
    "cpython-c": "_engram",
    "cpython-np": "engram.kernels.numpy",
    "cpython-py": "engram.kernels.python",
}
CPYTHON = tuple(WITHOUT)
BOARDS = ("unix", "qemu_m4f", "qemu_m3", "qemu_m0p")
SILENCE_S = 180  # a board may compute for that long without a word: an emulated one is slow

_START = """
import sys
for name in {without!r}:
    sys.modules[name] = None
sys.path.insert(0, {device!r})
import engram.backend
assert engram.backend.kernels.__name__ == {backend!r}, engram.backend.kernels
import {check}
{check}.main()
"""


def run_cpython(host, check):
    """Output of tests/device/<check>.py on CPython with the backend that `host` names."""
    program = _START.format(
        without=WITHOUT[host], device=str(DEVICE), backend=BACKEND[host], check=check
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()


@contextlib.contextmanager
def _environment(name, value):
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def needed(check):
    """The files of tests/device that a check imports at their top, and it itself."""
    paths, names = set(), [check]
    while names:
        path = DEVICE / (names.pop() + ".py")
        if path in paths or not path.exists():
            continue
        paths.add(path)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names.append(node.module)
    return paths


class BoardHost:
    """A virtual board of this test run's own, at its raw REPL."""

    def __init__(self, name, state):
        """state: a directory of its own, so that no other test's board is in the way."""
        self.name = name
        self.state = str(state)
        self.board = boards.load(name)
        self.transport = None

    def start(self):
        with _environment("ENGRAM_STATE", self.state):
            status = virtual.start(self.name, self.board.command)
        self.transport = SerialTransport(str(status.tty), baudrate=self.board.baud)
        self.transport.enter_raw_repl(soft_reset=False)

    def stop(self):
        if self.transport:
            self.transport.close()
            self.transport = None
        with _environment("ENGRAM_STATE", self.state):
            virtual.stop(self.name)

    def put(self, path):
        """Copies a file into the board's file system."""
        self.transport.fs_writefile(path.name, path.read_bytes())

    def exec(self, code):
        """Runs code at the raw REPL; its output as text. Raises on an exception there."""
        output, error = self.transport.exec_raw(code, timeout=SILENCE_S)
        assert not error, error.decode()
        return output.decode().replace("\r\n", "\n")

    def run(self, check):
        """Output of tests/device/<check>.py, in a fresh interpreter.

        Of these files the board has those that the check needs: all of them fill a small flash.
        """
        self.transport.enter_raw_repl(soft_reset=True)
        there = set(self.exec("import os; print('\\n'.join(os.listdir()))").splitlines())
        paths = needed(check)
        for path in sorted(DEVICE.glob("*.py")):
            if path.name in there and path not in paths:
                self.exec(f"os.remove({path.name!r})")
            elif path.name not in there and path in paths:
                self.put(path)
        self.transport.enter_raw_repl(soft_reset=True)  # copying leaves the heap in pieces
        return self.exec(f"import {check}; {check}.main()").splitlines()

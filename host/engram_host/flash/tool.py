"""Another program, run with a time limit, ended with its children; its words when it fails."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

from engram_host.errors import FlashError
from engram_host.system import POSIX

TAIL_LINES = 12


def need(program: str, brought_by: str) -> None:
    """Raise FlashError naming what brings a program that is not on PATH."""
    if shutil.which(program) is None:
        raise FlashError(f"{program} is not installed: {brought_by}")


def run(argv: list[str], limit_s: float) -> str:
    """Run a program to its end; what it printed. Raises FlashError: it failed or took too long."""
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as e:
        raise FlashError(f"{argv[0]} cannot be run ({e.strerror})") from None
    try:
        text, _ = child.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise FlashError(
            f"{argv[0]} did not end within {limit_s:.0f} s and was ended: check cable and power, "
            "and that nothing else uses the board"
        ) from None
    finally:
        if child.poll() is None:
            _kill(child)
            child.wait()
    if child.returncode:
        lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
        tail = "\n".join("    " + line for line in lines[-TAIL_LINES:])
        raise FlashError(f"{argv[0]} failed (exit status {child.returncode}):\n{tail}")
    return text


def _kill(child: subprocess.Popen[str]) -> None:
    """Kill a program and its children; on Windows, which has no process groups, the program."""
    if POSIX:
        os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()

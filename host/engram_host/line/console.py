"""A terminal for the board's REPL: keys go to the board, what it says goes to the screen.

Input that is no terminal is typed line by line, waiting for the prompt after each statement, so
that a script or a test can use the same command as a person.
"""

from __future__ import annotations

import codeop
import os
import select
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

from engram_host.errors import LinkError, PortError
from engram_host.line.link import Link
from engram_host.line.transport.base import Transport
from engram_host.system import need_posix

LEAVE = b"\x1d"  # Ctrl-]
PASTE, PASTE_END = b"\x05", b"\x04"  # Ctrl-E, Ctrl-D
PROMPT = b">>> "
_QUIET_S = 0.05
_STATEMENT_S = 600.0  # the longest that a piped statement may take


def run(transport: Transport, stdin: TextIO, stdout: TextIO) -> int:
    """Bring the board to its REPL and connect it with the user. Returns the exit code."""
    interactive = stdin.isatty()
    if interactive:
        need_posix("keys typed at the REPL", "pipe statements into `engram repl`, or use mpremote")
    Link(transport).enter_repl()
    if interactive:
        return _interactive(transport, stdin, stdout)
    return _piped(transport, stdin, stdout)


# --- a person at a terminal ---------------------------------------------------------------------


def _interactive(transport: Transport, stdin: TextIO, stdout: TextIO) -> int:
    import termios
    import tty

    print(f"{transport.name}: MicroPython; Ctrl-] leaves", file=sys.stderr)
    transport.write(b"\r")
    keys = stdin.fileno()
    before = termios.tcgetattr(keys)
    over = threading.Event()
    reader = threading.Thread(target=_show_output, args=(transport, stdout, over), daemon=True)
    try:
        tty.setraw(keys)
        reader.start()
        while not over.is_set():
            if not select.select([keys], [], [], 0.1)[0]:
                continue
            data = os.read(keys, 1024)
            before_leave, key, _ = data.partition(LEAVE)
            transport.write(before_leave)
            if key or not data:
                break
    finally:
        over.set()
        reader.join(1.0)
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
        print(file=sys.stderr)
    return 0


def _show_output(transport: Transport, stdout: TextIO, over: threading.Event) -> None:
    while not over.is_set():
        try:
            data = transport.read(0.1)
        except PortError as e:
            print(f"\r\n{e}\r", file=sys.stderr)
            over.set()
            return
        if data:
            stdout.buffer.write(data)
            stdout.flush()


# --- lines from a file or a pipe ----------------------------------------------------------------


def _piped(transport: Transport, lines: Iterable[str], stdout: TextIO) -> int:
    """Type each statement, show what the board answers. 1 if one of them raised an error."""
    has_failed = False
    for statement in statements(lines):
        answer = _type(transport, statement, stdout)
        has_failed |= b"Traceback (most recent call last):" in answer
    return int(has_failed)


def statements(lines: Iterable[str]) -> Iterator[str]:
    """Whole statements of a stream of lines; a block ends at an empty line, as at any prompt."""
    block = ""
    for line in lines:
        line = line.rstrip("\r\n")
        block = f"{block}\n{line}" if block else line
        if not block.strip():
            block = ""
            continue
        try:
            complete = codeop.compile_command(block, symbol="single") is not None
        except (SyntaxError, ValueError, OverflowError):
            complete = True  # the board will say what it thinks of it
        if complete:
            yield block
            block = ""
    if block.strip():
        yield block


def _type(transport: Transport, statement: str, stdout: TextIO) -> bytes:
    """Send one statement and show what comes until the prompt is back."""
    print(PROMPT.decode() + statement.strip("\n").replace("\n", "\n... "), file=stdout, flush=True)
    if "\n" in statement:  # pasted: the REPL would indent the lines of a block once more
        echo_ends = statement.count("\n") + 1
        transport.write(PASTE)
        _read_until(transport, b"=== ")
        transport.write(statement.replace("\n", "\r").encode() + PASTE_END)
    else:
        echo_ends = 1
        transport.write(statement.encode() + b"\r")
    text = b""
    length = 0
    end = time.monotonic() + _STATEMENT_S
    while True:
        if time.monotonic() > end:
            raise LinkError(f"no prompt from {transport.name} after {statement!r}")
        more = transport.read(_QUIET_S if text.endswith(PROMPT) else 0.5)
        if not more and text.endswith(PROMPT):
            break  # a prompt, and nothing after it
        text += more
        answer = _without_echo(text, echo_ends)
        ready = _without_prompt(answer)
        if len(ready) > length:
            stdout.write(ready[length:].decode("utf-8", "replace").replace("\r\n", "\n"))
            stdout.flush()
            length = len(ready)
    if length and not ready.endswith(b"\n"):
        print(file=stdout, flush=True)
    return text


def _without_prompt(answer: bytes) -> bytes:
    """Without the prompt, or the part of it that has come, at the end: it is not shown."""
    for length in range(len(PROMPT), 0, -1):
        if answer.endswith(PROMPT[:length]):
            return answer[:-length]
    return answer


def _without_echo(text: bytes, echo_ends: int) -> bytes:
    """The board's answer, after the lines that only echo the input."""
    parts = text.split(b"\n", echo_ends)
    return parts[-1] if len(parts) > echo_ends else b""


def _read_until(transport: Transport, mark: bytes, timeout_s: float = 5.0) -> None:
    text, end = b"", time.monotonic() + timeout_s
    while mark not in text:
        if time.monotonic() > end:
            raise LinkError(f"expected {mark.decode()!r} from {transport.name}, got {text!r}")
        text += transport.read(0.1)

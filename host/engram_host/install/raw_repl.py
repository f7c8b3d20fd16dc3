"""A client of MicroPython's raw REPL: run code, hear what it prints, talk with what runs.

Code goes by raw paste mode (flow control by the board) where there is one, else in small pieces.
https://docs.micropython.org/en/latest/reference/repl.html#raw-mode-and-raw-paste-mode
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from engram_host.errors import DeviceError, LinkError
from engram_host.line.patience import Patience
from engram_host.line.transport.base import Transport

_INTERRUPT, _RAW, _FRIENDLY, _END, _PASTE = b"\x03", b"\x01", b"\x02", b"\x04", b"\x05A\x01"
_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_PIECE_BYTES = 128  # of code without flow control: half of the smallest receive buffer
_PIECE_S = 0.01
_LOOK_S = 1.0  # between two looks at a virtual board that is slow


class RawRepl:
    """The raw REPL of the board behind a transport. Raises PortError when that goes away."""

    def __init__(self, transport: Transport, silence_s: float = 60.0) -> None:
        """silence_s: how long the board may be silent before it counts as gone."""
        self.transport = transport
        self.silence_s = silence_s
        self._buffer = b""
        self._paste = True

    def enter(self) -> None:
        """Interrupt what runs, an agent too, and start an empty interpreter at its raw REPL.

        boot.py has run then, main.py has not. Raises LinkError when no REPL answers.
        """
        self.transport.write(b"\r" + _INTERRUPT + _INTERRUPT)
        self._drain()
        self.transport.write(_INTERRUPT + _RAW)  # the first ends a line that is begun
        self._expect(_BANNER, "a raw REPL")
        self.reset()

    def reset(self) -> None:
        """A soft reset: the heap is empty, files are as they were."""
        self.transport.write(_END)
        self._expect(b"raw REPL", "a raw REPL after a soft reset")
        self._expect(b"\r\n>", "a raw REPL after a soft reset")

    def leave(self) -> None:
        """Back to the friendly REPL, in an empty interpreter."""
        self.transport.write(_INTERRUPT + _END)
        self._drain()
        self.transport.write(_FRIENDLY)
        self._drain()

    def run(self, code: str) -> str:
        """Run code to its end; what it printed. Raises DeviceError with its exception."""
        with self.running(code):
            pass
        return self.printed

    @contextmanager
    def running(self, code: str) -> Iterator[None]:
        """Code that runs while the body of the with talks to it, by read() and write().

        At the end .printed holds what the body left. Raises DeviceError with its exception.
        """
        self._start(code.encode())
        try:
            yield
        except DeviceError:
            raise
        except BaseException:
            self.transport.write(_INTERRUPT)
            raise
        self.printed, error = self._end()
        if error:
            raise DeviceError(*_exception(error))

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes that the running code prints.

        Raises DeviceError when it ended before with an exception, LinkError when it is silent.
        """
        while len(self._buffer) < count:
            self._more("an answer of the program on the board")
            if _END in self._buffer[:count]:
                break
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        if _END in data:
            self._buffer = data + self._buffer
            _, error = self._end()
            raise DeviceError(*_exception(error or "the program on the board ended early"))
        return data

    def write(self, data: bytes) -> None:
        """Bytes for the running code."""
        self.transport.write(data)

    # ---------------------------------------------------------------- the protocol

    def _start(self, code: bytes) -> None:
        self.printed = ""
        if self._paste:
            self.transport.write(_PASTE)
            self._need(2, "an answer to raw paste mode")
            answer, self._buffer = self._buffer[:2], self._buffer[2:]
            if answer == b"R\x01":
                self._paste_code(code)
                return
            self._paste = False
            if answer != b"R\x00":  # a firmware that took it for code: its prompt ends the answer
                self._buffer = answer + self._buffer
                self._expect(b">", "the prompt of the raw REPL")
        for at in range(0, len(code), _PIECE_BYTES):
            self.transport.write(code[at : at + _PIECE_BYTES])
            time.sleep(_PIECE_S)
        self.transport.write(_END)
        self._expect(b"OK", "OK")

    def _paste_code(self, code: bytes) -> None:
        self._need(2, "the window of raw paste mode")
        step = room = self._buffer[0] | self._buffer[1] << 8
        self._buffer = self._buffer[2:]
        at = 0
        while at < len(code):
            if room == 0 or self._buffer:
                self._need(1, "room in raw paste mode")
                sign, self._buffer = self._buffer[:1], self._buffer[1:]
                if sign == _END:  # the board wants no more: what came last says why
                    self.transport.write(_END)
                    return
                room += step
                continue
            piece = code[at : at + room]
            self.transport.write(piece)
            at, room = at + len(piece), room - len(piece)
        self.transport.write(_END)
        self._expect(_END, "the end of raw paste mode")

    def _end(self) -> tuple[str, str]:
        """(what was printed, the exception or "") of the code that runs, when it is over."""
        output = self._expect(_END, "the end of the program on the board")
        error = self._expect(_END, "the end of the program on the board")
        self._expect(b">", "the prompt of the raw REPL")
        return _text(output), _text(error)

    def _expect(self, mark: bytes, what: str) -> bytes:
        """Reads up to `mark` and past it; the bytes before it."""
        while mark not in self._buffer:
            self._more(what)
        before, _, self._buffer = self._buffer.partition(mark)
        return before

    def _need(self, count: int, what: str) -> None:
        while len(self._buffer) < count:
            self._more(what)

    def _more(self, what: str) -> None:
        patience = Patience(self.transport, self.silence_s)
        data = self.transport.read(self.silence_s)
        while not data and not patience.is_over():
            data = self.transport.read(_LOOK_S)
        if not data:
            text = repr(_text(self._buffer[-200:])) if self._buffer else "nothing"
            raise LinkError(
                f"expected {what} from {self.transport.name}, got {text}; reset the board, "
                "and check that it runs MicroPython and that nothing else uses the port"
            )
        self._buffer += data

    def _drain(self, quiet_s: float = 0.15, most_s: float = 3.0) -> None:
        end = time.monotonic() + most_s
        while time.monotonic() < end and self.transport.read(quiet_s):
            pass
        self._buffer = b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _exception(traceback: str) -> tuple[str, str]:
    """(kind, message) of the last line of a traceback."""
    last = traceback.strip().splitlines()[-1]
    kind, colon, message = last.partition(": ")
    return (kind, message) if colon else ("Exception", last)

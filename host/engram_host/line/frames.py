"""Cuts the stream of bytes that a board sends into frames, console output and damage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engram.errors import WireError
from engram.link import wire


class Frame(NamedTuple):
    kind: int
    seq: int
    payload: bytes

    def __str__(self) -> str:
        return (
            f"{wire.NAMES.get(self.kind, hex(self.kind))} {self.seq} ({len(self.payload)} bytes)"
        )


class Text(NamedTuple):
    data: bytes


class Damage(NamedTuple):
    data: bytes
    reason: str


Event = Frame | Text | Damage


class Splitter:
    """feed() it bytes as they come. limit: longest line that can still be a frame.

    A "~" begins a frame, wherever it stands; what was collected of an unfinished one is damage. A
    damaged frame that is all printable was console output with a "~" in it, and is given as Text.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._line = bytearray()  # of the frame under way, "~" included
        self._inside = False

    @property
    def pending(self) -> bytes:
        """The bytes of a frame that is not complete yet."""
        return bytes(self._line)

    def feed(self, data: bytes) -> Iterator[Event]:
        at = 0
        while at < len(data):
            if not self._inside:
                start = data.find(wire.START, at)
                end = len(data) if start < 0 else start
                if end > at:
                    yield Text(data[at:end])
                at = end
                if start >= 0:
                    self._inside = True
                    self._line += wire.START
                    at += 1
                continue
            start, newline = data.find(wire.START, at), data.find(wire.END, at)
            if 0 <= start and (newline < 0 or start < newline):
                self._line += data[at:start]
                yield from self._abandon("cut short by the next frame")
                at = start  # it begins there
            elif newline >= 0:
                self._line += data[at : newline + 1]
                at = newline + 1
                yield from self._finish()
            else:
                self._line += data[at:]
                at = len(data)
            if len(self._line) > self.limit:
                yield from self._abandon("longer than any frame")

    def _finish(self) -> Iterator[Event]:
        line = bytes(self._line)
        try:
            frame = Frame(*wire.decode(line))
        except WireError as e:
            yield from self._abandon(str(e))
            return
        self._line.clear()
        self._inside = False
        yield frame

    def _abandon(self, reason: str) -> Iterator[Event]:
        data = bytes(self._line)
        self._line.clear()
        self._inside = False
        yield Text(data) if is_printable(data) else Damage(data, reason)


def is_printable(data: bytes) -> bool:
    """Whether all of it is ASCII that a terminal shows."""
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)

"""Carries bytes both ways between the child's terminal and the public one, losing none.

Neither side can block the other: all descriptors are non-blocking, and a side whose bytes the
other does not take is simply no longer read (so the board waits, as one behind a USB port does).
"""

from __future__ import annotations

import os
import select

BUFFER_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16


class _Way:
    """Bytes from one descriptor on their way to another."""

    def __init__(self, source: int, target: int) -> None:
        self.source, self.target = source, target
        self.backlog = bytearray()

    def take(self) -> bool:
        """Read what is there. False at the end of the source."""
        try:
            data = os.read(self.source, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False  # EIO: the other side of the terminal is closed for good
        self.backlog += data
        return bool(data)

    def give(self) -> None:
        try:
            del self.backlog[: os.write(self.target, self.backlog)]
        except BlockingIOError:
            pass


class Relay:
    """child: master of the child's terminal. public: master of the one that others open.

    wake: descriptor that becomes readable when the relay is to end.
    """

    def __init__(self, child: int, public: int, wake: int) -> None:
        self.up = _Way(child, public)
        self.down = _Way(public, child)
        self.wake = wake
        for fd in (child, public):
            os.set_blocking(fd, False)

    def run(self) -> str:
        """Relay until the child closes its terminal ("child") or `wake` is readable ("wake")."""
        while True:
            ready = self._poll(None)
            if self.wake in ready:
                return "wake"
            if ready.get(self.up.source, 0) & ~select.POLLOUT and not self.up.take():
                self._last_words()
                return "child"
            if ready.get(self.down.source, 0) & ~select.POLLOUT:
                self.down.take()
            for way in (self.up, self.down):
                if way.backlog:
                    way.give()

    def wait_output(self, timeout_s: float) -> str:
        """Wait for the first output of the child: "output", "timeout" or "child" (it ended)."""
        poller = select.poll()
        poller.register(self.up.source, select.POLLIN)
        if not poller.poll(timeout_s * 1000):
            return "timeout"
        return "output" if self.up.take() else "child"

    def _poll(self, timeout_s: float | None) -> dict[int, int]:
        poller = select.poll()
        poller.register(self.wake, select.POLLIN)
        for near, far in ((self.up, self.down), (self.down, self.up)):
            events = select.POLLIN if len(near.backlog) < BUFFER_BYTES else 0
            events |= select.POLLOUT if far.backlog else 0
            poller.register(near.source, events)
        return dict(poller.poll(timeout_s))

    def _last_words(self) -> None:
        """Hand over what the child said last, as far as it is taken at once."""
        while self.up.backlog:
            before = len(self.up.backlog)
            self.up.give()
            if len(self.up.backlog) == before:
                break

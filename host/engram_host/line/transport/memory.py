"""A serial cable in memory: one end for the host's link, one for a device in another thread."""

from __future__ import annotations

import threading
import time

from engram_host.errors import PortError

INTERRUPT = b"\x03"


class Pipe:
    """One direction: bytes in at one end, out at the other, in order."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._change = threading.Condition()
        self.closed = False

    def write(self, data: bytes) -> None:
        with self._change:
            if self.closed:
                raise PortError("the other end of the cable is closed")
            self._bytes += data
            self._change.notify_all()

    def read(self, limit: int, timeout_s: float | None = None) -> bytes:
        """Up to `limit` bytes; b"" after `timeout_s`, or when the pipe is closed and empty."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self._change:
            while not self._bytes and not self.closed:
                rest_s = None if end is None else end - time.monotonic()
                if rest_s is not None and rest_s <= 0:
                    return b""
                self._change.wait(rest_s)
            data = bytes(self._bytes[:limit])
            del self._bytes[:limit]
            return data

    def close(self) -> None:
        with self._change:
            self.closed = True
            self._change.notify_all()


class DeviceEnd:
    """The console of the device: what it knows as sys.stdin.buffer and sys.stdout.buffer."""

    def __init__(self, rx: Pipe, tx: Pipe) -> None:
        self._rx = rx
        self._tx = tx
        self._buffer = bytearray()  # taken from the pipe, not yet read

    @property
    def ended(self) -> bool:
        """Whether the cable was pulled."""
        return self._rx.closed

    def _take(self, limit: int, last: bytes = b"") -> bytes:
        """Up to `limit` bytes, or up to and including `last`; b"" at the end.

        Raises KeyboardInterrupt on a 0x03, as a board does.
        """
        if not self._buffer:
            self._buffer += self._rx.read(65536)
        end = min(limit, len(self._buffer))
        for stop in (last, INTERRUPT):
            at = self._buffer.find(stop, 0, end) if stop else -1
            end = at + 1 if at >= 0 else end
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        if data.endswith(INTERRUPT):
            raise KeyboardInterrupt
        return data

    def read(self, n: int) -> bytes:
        """Exactly n bytes, fewer only at the end."""
        data = b""
        while len(data) < n and (more := self._take(n - len(data))):
            data += more
        return data

    def readline(self, limit: int = 1 << 30) -> bytes:
        """One line with its newline, cut at `limit` bytes."""
        line = b""
        while len(line) < limit and not line.endswith(b"\n"):
            more = self._take(limit - len(line), b"\n")
            if not more:
                break
            line += more
        return line

    def write(self, data: bytes) -> int:
        if not self._tx.closed:
            self._tx.write(bytes(data))
        return len(data)


class MemoryTransport:
    """The host's end; `.device` is the other one."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self._to_device, self._to_host = Pipe(), Pipe()
        self.device = DeviceEnd(self._to_device, self._to_host)

    def read(self, timeout_s: float) -> bytes:
        return self._to_host.read(65536, timeout_s)

    def write(self, data: bytes) -> None:
        self._to_device.write(data)

    def worked(self) -> None:
        return None

    def close(self) -> None:
        self._to_device.close()
        self._to_host.close()

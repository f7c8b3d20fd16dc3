"""The interface of a transport: it carries the bytes of the link."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """An unreliable two-way stream of bytes. Errors are raised as errors.PortError."""

    name: str  # for messages: what the user called it

    def read(self, timeout_s: float) -> bytes:
        """The bytes that are there; waits up to `timeout_s` for the first one, then gives b""."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        ...

    def worked(self) -> float | None:
        """Seconds that the process of a virtual board has run; None for other boards."""
        ...

    def close(self) -> None:
        """Give the port back. More calls do nothing."""
        ...

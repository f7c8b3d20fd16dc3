"""What can go wrong on the host side, as one tree beside the device library's.

    engram.errors.EngramError
    └── HostError              every message says what was expected, what came, what to do
        ├── PortError          a serial port or board name cannot be opened, or went away
        ├── LinkError          the board does not answer as the protocol says
        │   └── LinkLost       the agent on the board ended or restarted in the middle
        ├── DeviceError        the board answered with an error of its own
        ├── VirtualBoardError  a virtual board cannot be started or stopped
        └── InputError         a file or argument given by the user is not usable
"""

from __future__ import annotations

from engram.errors import EngramError


class HostError(EngramError):
    pass


class PortError(HostError):
    pass


class LinkError(HostError):
    pass


class LinkLost(LinkError):
    pass


class DeviceError(HostError):
    """kind: name of the exception on the board, as `DataError` or `MemoryError`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class VirtualBoardError(HostError):
    pass


class InputError(HostError):
    pass

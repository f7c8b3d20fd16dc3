"""The exceptions of the host, as one tree beside the device library's.

engram.errors.EngramError
└── HostError              every message says "expected X, got Y; do Z"
    ├── PortError          a serial port or board name cannot be opened, or went away
    ├── LinkError          the board does not answer as the protocol says
    │   └── LinkLost       the agent on the board ended or restarted in the middle
    ├── DeviceError        the board answered with an error of its own
    ├── NoRoom             a file is larger than the free space of a board's file system
    ├── VirtualBoardError  a virtual board cannot be started or stopped
    ├── BuildError         the firmware cannot be built
    │   └── SourceUnavailable   a source tree or package can be had from nowhere
    ├── MeterError         a power meter cannot be used, or its samples do not fit the log
    ├── FlashError         the firmware cannot be put onto a board, or is for another one
    ├── InstallError       a board cannot take the library
    ├── UnsupportedSystem  the verb needs another operating system
    └── InputError         a file or argument given by the user is not usable

KeyboardInterrupt
└── Stopped                Ctrl-C, obeyed at the end of a step: everything is in order

UserWarning
└── EngramWarning          work goes on, its result may not be the one wanted
"""

from __future__ import annotations

import re

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
    """kind: name of the exception on the board, as `DataError` or `MemoryError`.

    said: its message.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{message}{_advice(kind, message)} ({kind} on the board)")
        self.kind = kind
        self.said = message


class NoRoom(HostError):
    pass


# What a board's own exceptions leave unsaid. OSError by number, as MicroPython gives little more.
_ADVICE = {
    "MemoryError": "; the board has too little memory left: try a smaller --batch, or reset it",
    "OSError 5": ": input/output error, the board's flash could not be read or written",
    "OSError 28": ": the board's file system is full, remove files (`engram files`)",
}


def _advice(kind: str, message: str) -> str:
    if kind == "StoreError" and re.search(r"(ReplayStore|Checkpoints)\.format", message):
        return "; from this computer `engram reset` does that"
    if kind == "OSError":
        number = re.match(r"\D*(\d+)", message)
        kind = f"OSError {number[1]}" if number else kind
    return _ADVICE.get(kind, "")


class VirtualBoardError(HostError):
    pass


class BuildError(HostError):
    pass


class SourceUnavailable(BuildError):
    pass


class MeterError(HostError):
    pass


class FlashError(HostError):
    pass


class InstallError(HostError):
    pass


class UnsupportedSystem(HostError):
    pass


class InputError(HostError):
    pass


class Stopped(KeyboardInterrupt):
    pass


class EngramWarning(UserWarning):
    pass

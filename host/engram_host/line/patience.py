"""How long a board may be silent."""

from __future__ import annotations

import time

from engram_host.line.transport.base import Transport

_OWN = 3  # times the seconds of a board that an emulator may work for them
_MOST = 10  # times the seconds of a clock that a virtual board may take for seconds of its own


class Patience:
    """Tells when the board behind a transport has been silent for too long.

    A virtual board on a busy computer is slow, not silent: there the seconds are those that its
    process has run, and an emulator runs for some of them to do one of the board's; until ten
    times as many have passed on the clock.
    """

    def __init__(self, transport: Transport, seconds: float) -> None:
        self._transport, self.seconds = transport, seconds
        self.heard()

    def heard(self) -> None:
        """The board has given a sign of life."""
        self._at, self._worked = time.monotonic(), self._transport.worked()

    def is_over(self) -> bool:
        passed = time.monotonic() - self._at
        worked = self._transport.worked()
        if worked is None or self._worked is None or passed > _MOST * self.seconds:
            return passed > self.seconds
        return worked - self._worked > _OWN * self.seconds

"""A cable that damages what goes through it, the same way for the same seed."""

import random
import time
from dataclasses import dataclass

from engram_host.errors import LinkError


@dataclass
class Faults:
    """Probability of each fault for one piece of data (about a frame)."""

    drop: float = 0.0  # the piece is lost
    cut: float = 0.0  # its end is lost
    flip: float = 0.0  # one bit of one byte is turned
    lose: float = 0.0  # one byte is lost
    double: float = 0.0  # the piece comes twice
    delay: float = 0.0  # the piece comes late, when the host has asked again
    glue: float = 0.0  # its newline is lost, so that it merges with the next


EVERY_FAULT = Faults(drop=0.02, cut=0.02, flip=0.03, lose=0.02, double=0.03, delay=0.02, glue=0.02)


def stubborn(open_it, tries=8):
    """Opening a link has few tries of its own: over a bad cable a person would try again."""
    for _ in range(tries - 1):
        try:
            return open_it()
        except LinkError:
            continue
    return open_it()


class FaultyTransport:
    """Wraps a transport; `to_device` and `to_host` say what happens in each direction.

    `.done` counts the faults by name.
    """

    def __init__(self, inner, seed, to_device=EVERY_FAULT, to_host=EVERY_FAULT, delay_s=0.12):
        self.name = inner.name
        self.done: dict[str, int] = {}
        self._inner = inner
        self._random = random.Random(seed)
        self._to_device, self._to_host = to_device, to_host
        self._delay_s = delay_s  # longer than the host waits before it asks again
        self._kept = b""  # delayed, for the device
        self._late = b""  # delayed, for the host, until:
        self._late_until = 0.0
        self._delayed = False  # whether the last piece was

    def write(self, data):
        rest, self._kept = self._kept, b""
        if rest:
            self._inner.write(rest)
        for piece in self._damage(data, self._to_device):
            if self._delayed:
                self._kept += piece  # until the host sends again
            else:
                self._inner.write(piece)

    def read(self, timeout_s):
        rest_s = self._late_until - time.monotonic()
        data = self._inner.read(min(timeout_s, max(0.0, rest_s)) if self._late else timeout_s)
        pieces = self._damage(data, self._to_host) if data else []
        if self._delayed and not self._late:
            self._late_until = time.monotonic() + self._delay_s
        if self._delayed or self._late:
            self._late += b"".join(pieces)
            if time.monotonic() < self._late_until:
                return b""
            pieces, self._late = [self._late], b""
        return b"".join(pieces)

    def worked(self):
        return None

    def close(self):
        self._inner.close()

    def _damage(self, data, faults):
        """The pieces that come out for one that goes in."""
        name = self._pick(faults)
        self._delayed = name == "delay"
        if name is None:
            return [data]
        self.done[name] = self.done.get(name, 0) + 1
        at = self._random.randrange(len(data))
        if name == "drop":
            return []
        if name == "cut":
            return [data[:at]]
        if name == "flip":
            byte = data[at] ^ 1 << self._random.randrange(8)
            return [data[:at] + bytes([byte]) + data[at + 1 :]]
        if name == "lose":
            return [data[:at] + data[at + 1 :]]
        if name == "double":
            return [data, data]
        if name == "glue":
            return [data.replace(b"\n", b"")]
        return [data]

    def _pick(self, faults):
        draw = self._random.random()
        for name, probability in vars(faults).items():
            draw -= probability
            if draw < 0:
                return name
        return None

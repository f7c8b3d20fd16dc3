"""The timeline of a device in seconds of its own clock: phases, sync pulses, idle times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import InputError

_MODULUS = 1 << 30  # of a board's counter
_BACK = 1 << 27

_GUARD = 0.1  # of an idle time, at each end
# The sync pulses: high, low, high, ... in units. No phase of learning has this rhythm.
PATTERN = (1, 1, 2, 1, 1, 2, 2, 1, 1)
UNIT_MS = 20  # with a meter that samples fast; a slow one gets longer pulses


class Interval(NamedTuple):
    """One phase. of: "sample" or "step", the thing it is part of, and its number; "save"."""

    phase: str
    start: float
    end: float
    of: str
    number: int


@dataclass
class Timeline:
    """syncs: the times of each train's edges, the first rises. idles: (start, end), quiet."""

    syncs: list[list[float]] = field(default_factory=list)
    idles: list[tuple[float, float]] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    def to_record(self) -> dict[str, Any]:
        """As the log has it: microseconds are enough."""
        return {
            "syncs": [[round(t, 7) for t in edges] for edges in self.syncs],
            "idles": [[round(start, 6), round(end, 6)] for start, end in self.idles],
            "intervals": [
                [i.phase, round(i.start, 7), round(i.end, 7), i.of, i.number]
                for i in self.intervals
            ],
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Timeline:
        """Raises InputError when the record is not one of to_record()."""
        try:
            return cls(
                [[float(t) for t in edges] for edges in record["syncs"]],
                [(float(start), float(end)) for start, end in record["idles"]],
                [
                    Interval(phase, float(start), float(end), of, int(number))
                    for phase, start, end, of, number in record["intervals"]
                ],
            )
        except (KeyError, TypeError, ValueError) as e:
            raise InputError(
                f'expected a log record "timeline", got one that lacks something ({e})'
            ) from e


class DeviceClock:
    """Counter readings -> seconds. They may come out of order by _BACK counts at most."""

    def __init__(self, seconds_per_unit: float) -> None:
        self.seconds_per_unit = seconds_per_unit
        self._last: int | None = None
        self._units = 0

    def seconds(self, ticks: int) -> float:
        """Two readings must be less than a turn of the counter apart: 8.6 s at 125 MHz."""
        if self._last is None:
            self._last = ticks
        step = (ticks - self._last) % _MODULUS
        self._units += step if step < _MODULUS - _BACK else step - _MODULUS
        self._last = ticks
        return self._units * self.seconds_per_unit

    def wait(self, seconds: float) -> None:
        """Time that the counter did not count."""
        self._units += round(seconds / self.seconds_per_unit)


class Recorder:
    """Builds a Timeline from what the board tells."""

    def __init__(self, seconds_per_unit: float) -> None:
        self.timeline = Timeline()
        self._clock = DeviceClock(seconds_per_unit)
        self._samples = 0

    def sync(self, edges: Sequence[int]) -> None:
        """A train of pulses."""
        self.timeline.syncs.append([self._clock.seconds(ticks) for ticks in edges])

    def quiet(self, start: int, end: int, seconds: float) -> float:
        """An idle time of so many seconds; the power may still change at its ends.

        Returns the seconds that the counter counted. An emulator's stands still while its board
        waits: then the wait is added.
        """
        start_s = self._clock.seconds(start)
        span = length_s = self._clock.seconds(end) - start_s
        if span < seconds / 2:
            self._clock.wait(seconds - span)
            span = seconds
        self.timeline.idles.append((start_s + _GUARD * span, start_s + (1 - _GUARD) * span))
        return length_s

    def samples(self, marks: Sequence[Sequence[int]]) -> None:
        """marks: (frame came, forward began, forward took, flash write took) for each sample."""
        unit = self._clock.seconds_per_unit
        end = float("-inf")
        for frame, at, forward, write in marks:
            arrival = max(self._clock.seconds(frame), end)
            start = self._clock.seconds(at)
            middle, end = start + forward * unit, start + (forward + write) * unit
            self._add("receive", arrival, start, "sample", self._samples)
            self._add("forward", start, middle, "sample", self._samples)
            self._add("flash_write", middle, end, "sample", self._samples)
            self._samples += 1

    def step(self, row: dict[str, Any]) -> None:
        """A row of Learner.steps()."""
        start = self._clock.seconds(row["at"])
        for phase, units in row["phases"].items():
            end = start + units * self._clock.seconds_per_unit
            self._add(phase, start, end, "step", row["step"])
            start = end

    def save(self, at: int, units: int) -> None:
        start = self._clock.seconds(at)
        self._add("flash_write", start, start + units * self._clock.seconds_per_unit, "save", 0)

    def _add(self, phase: str, start: float, end: float, of: str, number: int) -> None:
        if end > start:
            self.timeline.intervals.append(Interval(phase, start, end, of, number))

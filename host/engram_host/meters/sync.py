"""Ties the device's clock to the meter's by the sync pulses that both saw.

    t_meter = offset + rate * t_device        (least squares over all edges of both trains)

With digital inputs the edges are where the sync code begins and ends. Without, the pulses are
looked for in the power itself (a lamp on the sync pins): a matched filter finds the trains, then
each edge is placed by area: between two plateaus low and high, a rising edge lies where
(high - low) * (end - t) is the area above low. That is exact for meters that average, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engram.link.phases import CODES

from ..errors import MeterError
from .base import Block, Floats
from .timeline import Timeline

LINES = 0b111  # of the digital inputs: the phase's number
GLITCH_S = 60e-6  # pins change one after the other; a code that lasts less is none
_BINS_A_UNIT = 10  # of the grid on which trains are looked for
_CORRELATION = 0.6  # least: noise alone stays far below, a clean train is 1
_ADVICE = (
    "check the wiring of the phase pins (docs/energy.md), and that the meter measured from before "
    "the start to after the end"
)


class Run(NamedTuple):
    """A time in which the digital inputs did not change."""

    code: int
    start: float
    end: float


@dataclass(frozen=True)
class Clock:
    """u_s: standard uncertainty of a time that meter() gives, seconds."""

    offset: float
    rate: float
    u_s: float
    origin: float

    def meter(self, t: float | Floats) -> Floats:
        """Seconds of the meter's clock."""
        return np.asarray(self.offset + self.rate * (np.asarray(t) - self.origin))

    @property
    def ppm(self) -> float:
        """By how much the meter's clock is faster."""
        return (self.rate - 1) * 1e6


def match(timeline: Timeline, block: Block, lines: int, clock_ppm: float) -> Clock:
    """The clock that fits the sync pulses in what a meter measured.

    lines: digital inputs that carry the phase's number; less than three: the pulses are looked for
    in the power. clock_ppm: by which the clocks may differ. Raises MeterError.
    """
    if len(timeline.syncs) < 2:
        raise MeterError("expected sync pulses at start and end, got fewer in the device's log")
    if not len(block):
        raise MeterError("the meter gave no sample at all: check its cable and that it measures")
    if lines >= 3 and block.bits is not None:
        edges = _in_bits(timeline, runs(block))
    else:
        edges = _in_power(timeline, block, clock_ppm)
    period = float(np.median(np.diff(block.t))) if len(block) > 1 else 0.0
    return fit(np.concatenate([np.asarray(s) for s in timeline.syncs]), edges, period, clock_ppm)


def fit(device: Floats, meter: Floats, period: float, clock_ppm: float) -> Clock:
    """Least squares. period: of the meter's samples. Raises MeterError when the clocks differ."""
    origin = float(device.mean())
    x = device - origin
    rate = float(np.dot(x, meter) / np.dot(x, x))
    offset = float(meter.mean())
    if abs(rate - 1) * 1e6 > clock_ppm:
        raise MeterError(
            f"expected the meter's clock within {clock_ppm:.0f} ppm of the device's, got "
            f"{(rate - 1) * 1e6:+.0f} ppm: the meter lost samples without telling, or these "
            "pulses are of another run"
        )
    residual = meter - offset - rate * x
    freedom = max(1, len(x) - 2)
    scatter = max(float(np.sqrt(np.dot(residual, residual) / freedom)), period / np.sqrt(12))
    leverage = float(np.max(x**2) / np.dot(x, x))
    return Clock(offset, rate, scatter * np.sqrt(1 / len(x) + leverage), origin)


# --- in digital inputs --------------------------------------------------------------------------


def runs(block: Block) -> list[Run]:
    """The phases that the digital inputs show, glitches left out."""
    assert block.bits is not None
    code = block.bits & LINES
    starts = np.concatenate(([0], np.flatnonzero(np.diff(code)) + 1))
    # An edge lies somewhere between two samples: the middle is the best guess.
    before = np.maximum(starts - 1, 0)
    times = (block.t[before] + block.t[starts]) / 2
    ends = np.append(times[1:], block.t[-1])
    whole: list[Run] = []
    change = None  # when the pins began to change, where they did not do so at once
    for value, start, end in zip(code[starts].tolist(), times.tolist(), ends.tolist()):
        if end - start < GLITCH_S:
            change = start if change is None else change
        elif whole and whole[-1].code == value:
            whole[-1], change = whole[-1]._replace(end=end), None
        else:
            whole.append(Run(value, start if change is None else change, end))
            change = None
    return [run._replace(end=after.start) for run, after in zip(whole, whole[1:])] + whole[-1:]


def _in_bits(timeline: Timeline, seen: Sequence[Run]) -> Floats:
    edges = [t for run in seen if run.code == CODES["sync"] for t in (run.start, run.end)]
    edge_times = np.asarray(edges)
    times: list[Floats] = []
    at = 0
    for number, train in enumerate(timeline.syncs):
        spans = np.diff(np.asarray(train))
        n = len(train)
        while at + n <= len(edge_times):
            here = np.diff(edge_times[at : at + n])
            if np.all(np.abs(here - spans) < 0.03 * spans + 2 * GLITCH_S + 2e-3):
                break
            at += 2
        else:
            which = "first" if number == 0 else "last"
            raise MeterError(
                f"expected the {which} sync pulses in the meter's digital inputs, got "
                f"{len(edges) // 2} pulses of the sync code; {_ADVICE}"
            )
        times.append(edge_times[at : at + n])
        at += n
    return np.concatenate(times)


# --- in the power -------------------------------------------------------------------------------


def _in_power(timeline: Timeline, block: Block, clock_ppm: float) -> Floats:
    trains = [np.asarray(train) for train in timeline.syncs]
    unit = min(float(np.min(np.diff(train))) for train in trains)
    period = float(np.median(np.diff(block.t))) if len(block) > 1 else unit
    if unit < 4 * period:
        raise MeterError(
            "expected longer sync pulses or a faster meter, got pulses of "
            f"{unit * 1e3:.1f} ms and a sample every {period * 1e3:.1f} ms"
        )
    step = max(unit / _BINS_A_UNIT, period)
    level = _on_grid(block, step)
    first, last = (_correlation(level, train, step) for train in (trains[0], trains[-1]))
    apart = trains[-1][0] - trains[0][0]
    slack = int(np.ceil(apart * clock_ppm * 1e-6 / step)) + 2
    start, end = _best_pair(first, last, round(apart / step), slack)
    for which, value in (("first", first[start]), ("last", last[end])):
        if value < _CORRELATION:
            raise MeterError(
                f"the {which} sync pulses cannot be made out in the power (likeness "
                f"{value:.2f} of 1): connect a lamp to the sync pins, or use a meter with "
                f"digital inputs; {_ADVICE}"
            )
    begin = float(block.t[0])
    times = [
        _edges(block, train - train[0] + begin + at * step, unit)
        for train, at in ((trains[0], start), (trains[-1], end))
    ]
    return np.concatenate(times)


def _on_grid(block: Block, step: float) -> Floats:
    """Mean power in steps of time; a step without a sample has that before it."""
    at = ((block.t - block.t[0]) / step).astype(np.int64)
    n = int(at[-1]) + 1
    count = np.bincount(at, minlength=n)
    level = np.bincount(at, block.power, minlength=n) / np.maximum(count, 1)
    rows = np.maximum.accumulate(np.where(count > 0, np.arange(n), 0))
    return level[rows]


def _correlation(level: Floats, train: Floats, step: float) -> Floats:
    """Normalised cross-correlation of the power with a train of pulses, by its first edge."""
    spans = train - train[0]
    grid = (np.arange(int(round(spans[-1] / step))) + 0.5) * step
    shape = 1.0 - (np.searchsorted(spans, grid, "right") - 1) % 2
    n = len(shape)
    if len(level) < n:
        return np.zeros(1)
    shape = shape - shape.mean()
    size = 1 << int(np.ceil(np.log2(len(level) + n)))
    signal = level - level.mean()
    product = np.fft.irfft(np.fft.rfft(signal, size) * np.conj(np.fft.rfft(shape, size)), size)
    sums = np.concatenate(([0.0], np.cumsum(signal)))
    squares = np.concatenate(([0.0], np.cumsum(signal**2)))
    count = len(level) - n + 1
    mean = (sums[n:] - sums[:-n]) / n
    variance = np.maximum((squares[n:] - squares[:-n]) / n - mean**2, 0)
    tiny = 1e-12 * max(float(np.mean(signal**2)), 1e-30)
    return np.asarray(product[:count] / (np.sqrt(variance + tiny) * np.sqrt(n * np.sum(shape**2))))


def _best_pair(first: Floats, last: Floats, apart: int, slack: int) -> tuple[int, int]:
    """Where both trains fit best, so far apart as the device's clock says. Raises MeterError."""
    best, place = -np.inf, (0, 0)
    lowest, highest = apart - slack, apart + slack
    for start in np.argsort(first)[::-1][:200].tolist():
        start_at, end = max(0, start + lowest), min(len(last), start + highest + 1)
        if start_at < end:
            at = start_at + int(np.argmax(last[start_at:end]))
            if first[start] + last[at] > best:
                best, place = float(first[start] + last[at]), (start, at)
    if best == -np.inf:
        raise MeterError(
            "the meter did not measure long enough to have both the first and the last sync "
            f"pulses: {_ADVICE}"
        )
    return place


def _edges(block: Block, guess: Floats, unit: float) -> Floats:
    """The times of a train's edges, each by the area beside it; twice, the guess is coarse."""
    times = guess.copy()
    for _ in range(2):
        times = np.array([_edge(block, t, unit, is_rise=i % 2 == 0) for i, t in enumerate(times)])
    return times


def _edge(block: Block, guess: float, unit: float, is_rise: bool) -> float:
    half = 0.45 * unit
    first, end = np.searchsorted(block.t, (guess - half, guess + half))
    t, power = block.t[first:end], block.power[first:end]
    early, late = power[t < guess - half / 2], power[t > guess + half / 2]
    if not len(early) or not len(late):
        raise MeterError(f"the meter lost samples in the middle of a sync pulse: {_ADVICE}")
    before, after = float(early.mean()), float(late.mean())
    if (after > before) != is_rise:
        return guess
    cell = np.diff(np.concatenate(([guess - half], (t[1:] + t[:-1]) / 2, [guess + half])))
    return guess + half - float(np.sum((power - before) * cell)) / (after - before)

"""From samples of power to millijoules per phase, with the idle baseline taken off.

    E = sum over the phase's intervals of integral (P - P_idle) dt

P is taken as constant around each sample, up to the middle between two. The standard uncertainty
of E, all parts independent unless said otherwise, T the phase's whole time:

    gain     a/sqrt(3) * |E|             a: limit of the meter's gain error
    offset   b/sqrt(3) * T               b: limit of its offset, watts
    idle     T * s(P_idle)               from the scatter of parts of the idle times
    edges    dt/sqrt(12) * level         root of the squares over all edges; dt: time between two
                                         samples; level: the most that the power differs around
                                         the edge, from idle or from sample to sample; inside of
                                         a step only the latter. An edge that digital inputs
                                         mark counts twice: its own place is as uncertain
    clock    u_t * |sum of levels|       an error of the clocks' fit moves all edges together: what
                                         comes in at the ends less what is lost at the starts;
                                         not where digital inputs mark the edge itself
    noise    sigma * sqrt(dt * T)        of a sample, from differences of idle neighbours
    gaps     gap/sqrt(12) * range        where samples were lost: range of the power around

What is told is U = 2 u: about 95 % (GUM, JCGM 100:2008, 4.3.7 for limits, 5.1.2 for the sum, 6.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MeterError
from .base import Accuracy, Block, Floats

K = 2.0  # coverage factor
_IDLE_PARTS = 5  # of each idle time
_AROUND = 2  # samples on each side of an edge that tell the power there
_GAP = 1.5  # a distance of samples by this much beyond the usual is a gap
MOST_LOST = 0.2  # of a phase's time


class SamplesLost(MeterError):
    """Too many of one thing's samples; others may be whole."""


@dataclass(frozen=True)
class Spans:
    """n intervals on the meter's clock. moved: whether an edge depends on the clocks' fit."""

    start: Floats
    end: Floats
    start_moved: npt.NDArray[np.bool_]
    end_moved: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.start)

    def only(self, mask: Any) -> Spans:
        return Spans(
            self.start[mask],
            self.end[mask],
            self.start_moved[mask],
            self.end_moved[mask],
        )


@dataclass(frozen=True)
class Energy:
    """Net energy of some intervals. u_mj: expanded uncertainty, coverage factor K."""

    mj: float
    u_mj: float
    s: float
    n: int

    def to_record(self) -> dict[str, Any]:
        return {
            "mj": _digits(self.mj),
            "u_mj": _digits(self.u_mj),
            "s": round(self.s, 7),
            "n": self.n,
        }


class Integrator:
    """Integrates what a meter measured. idles: (start, end), meter's clock. Raises MeterError."""

    def __init__(
        self,
        block: Block,
        accuracy: Accuracy,
        idles: Sequence[tuple[float, float]],
        u_clock: float,
    ) -> None:
        self._block, self._accuracy, self._u_clock = block, accuracy, u_clock
        t = block.t
        if len(t) < 2 or not np.all(np.diff(t) > 0):
            raise MeterError(
                "expected samples in the order of time from the meter, got others; measure again"
            )
        self.period = float(np.median(np.diff(t)))
        half = self.period / 2
        self._cells = np.concatenate(([t[0] - half], (t[1:] + t[:-1]) / 2, [t[-1] + half]))
        self._sum = np.concatenate(([0.0], np.cumsum(block.power * np.diff(self._cells))))
        distance = np.diff(t)
        self._gap_at = np.flatnonzero(distance > _GAP * self.period)
        self._gap_s = distance[self._gap_at] - self.period
        self._idle(idles)

    def _idle(self, idles: Sequence[tuple[float, float]]) -> None:
        parts, differences, count = [], [], 0
        for start, end in idles:
            first, stop = np.searchsorted(self._block.t, (start, end))
            power = self._block.power[first:stop]
            count += len(power)
            if len(power) >= 2 * _IDLE_PARTS:
                parts += [part.mean() for part in np.array_split(power, _IDLE_PARTS)]
                differences.append(np.diff(power))
        if len(differences) < len(idles) or not parts:
            raise MeterError(
                f"expected {2 * _IDLE_PARTS} samples of every idle time, got {count} in "
                f"{len(idles)} idle times; use a longer quiet time or a faster meter, and one "
                "that measures from before the start to after the end"
            )
        self.idle_w = float(np.mean(parts))
        self.u_idle_w = float(np.std(parts, ddof=1) / np.sqrt(len(parts)))
        steps = np.concatenate(differences)
        self.noise_w = float(np.sqrt(np.mean(steps**2) / 2))

    def gross(self, t: Floats) -> Floats:
        """Joules from the beginning to a time."""
        return np.asarray(np.interp(t, self._cells, self._sum))

    def energy(self, spans: Spans, what: str, inner: Floats | None = None) -> Energy:
        """Net energy of the intervals together. what: their name, for errors. inner: edges inside
        of them, between two phases."""
        self._check(spans, what)
        seconds = float(np.sum(spans.end - spans.start))
        gross = float(np.sum(self.gross(spans.end) - self.gross(spans.start)))
        net = gross - self.idle_w * seconds
        dt = self.period
        edges = self._spread(np.concatenate((spans.start, spans.end)), self.idle_w)
        pinned = (spans.start[~spans.start_moved], spans.end[~spans.end_moved])
        edges += self._spread(np.concatenate(pinned), self.idle_w)
        edges += 0 if inner is None else self._spread(inner, None)
        parts = (
            self._accuracy.gain / np.sqrt(3) * net,
            self._accuracy.offset_w / np.sqrt(3) * seconds,
            self.u_idle_w * seconds,
            dt / np.sqrt(12) * np.sqrt(edges),
            self._u_clock * self._moved(spans),
            self.noise_w * np.sqrt(dt * seconds),
            self._gaps(spans, what),
        )
        u = float(np.sqrt(sum(float(part) ** 2 for part in parts)))
        return Energy(net * 1e3, K * u * 1e3, seconds, len(spans))

    def _check(self, spans: Spans, what: str) -> None:
        t = self._block.t
        if np.min(spans.start) < t[0] - self.period or np.max(spans.end) > t[-1] + self.period:
            raise MeterError(
                f"the meter did not measure all of {what}: start it before the session, and stop "
                "it afterwards"
            )
        bad = self._block.t[self._block.overrange]
        if len(bad):
            hits = np.searchsorted(bad, spans.end) - np.searchsorted(bad, spans.start)
            if np.any(hits > 0):
                raise MeterError(
                    f"{int(hits.sum())} samples of {what} are beyond the meter's range: measure "
                    "again with a larger one"
                )

    def _spread(self, edges: Floats, idle: float | None) -> float:
        """Sum of the squared levels around the edges, W**2; idle: counts among the samples."""
        n = len(self._block)
        at = np.searchsorted(self._block.t, edges)
        near = [self._block.power[np.clip(at + k, 0, n - 1)] for k in range(-_AROUND, _AROUND)]
        if idle is not None:
            near.append(np.full(len(edges), idle))
        level = np.max(near, axis=0) - np.min(near, axis=0)
        return float(np.sum(level**2))

    def _moved(self, spans: Spans) -> float:
        """Watts that come in when all edges that depend on the clocks move together."""
        ends, starts = spans.end[spans.end_moved], spans.start[spans.start_moved]
        late, early = (
            self._beside(ends, side) - self._beside(starts, side) for side in (_AROUND, -_AROUND)
        )
        return max(abs(late), abs(early))

    def _beside(self, edges: Floats, side: int) -> float:
        """Sum of the net power in the samples on one side of each edge."""
        n = len(self._block)
        at = np.searchsorted(self._block.t, edges)
        sums = np.concatenate(([0.0], np.cumsum(self._block.power)))
        low, high = np.clip(np.minimum(at, at + side), 0, n - 1), np.maximum(at, at + side)
        high = np.clip(high, low + 1, n)
        return float(np.sum((sums[high] - sums[low]) / (high - low) - self.idle_w))

    def _gaps(self, spans: Spans, what: str) -> float:
        """Standard uncertainty by lost samples, joules. Raises MeterError when many were lost."""
        if not len(self._gap_at):
            return 0.0
        t, power = self._block.t, self._block.power
        start, end = t[self._gap_at], t[self._gap_at + 1]
        # Spans do not overlap: a gap touches those that end after it starts.
        order = np.argsort(spans.start)
        starts, ends = spans.start[order], spans.end[order]
        first, last = np.searchsorted(ends, start), np.searchsorted(starts, end)
        gaps = np.flatnonzero(first < last)
        loss = float(
            sum(
                np.sum(np.clip(np.minimum(ends[a:b], y) - np.maximum(starts[a:b], x), 0, None))
                for a, b, x, y in zip(first[gaps], last[gaps], start[gaps], end[gaps])
            )
        )
        seconds = float(np.sum(spans.end - spans.start))
        if loss > MOST_LOST * seconds:
            raise SamplesLost(
                f"expected a meter that loses at most {MOST_LOST:.0%} of the samples of {what}, "
                f"got one that lost {loss / seconds:.0%}; use another USB port, or a smaller rate"
            )
        total = 0.0
        for gap in gaps.tolist():
            at = int(self._gap_at[gap])
            near = power[max(0, at - _AROUND) : at + 2 + _AROUND]
            total += (self._gap_s[gap] * (near.max() - near.min())) ** 2 / 12
        return float(np.sqrt(total))


def _digits(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")

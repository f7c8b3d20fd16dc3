"""A meter that measures nothing: it draws the power that a device might have, from what it did.

For tests, and to try everything out without a meter. Its figures are labelled "simulated".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engram.link.phases import CODES

from .base import Accuracy, Block, Capabilities, Floats, empty
from .options import Options
from .timeline import Timeline

# Watts above idle, by phase. Invented: orders of magnitude of a small board at 3.3 V.
POWER_W = {
    "receive": 0.004,
    "forward": 0.020,
    "flash_write": 0.015,
    "replay_read": 0.012,
    "backward": 0.022,
    "update": 0.018,
}
IDLE_W = 0.010
LAMP_W = 0.010  # of a lamp on the sync pins
_BEFORE_S, _AFTER_S = 0.3, 0.2


def open_meter(place: str, options: Options) -> Simulated:
    """Options: rate, lines, noise_mw, drift_ppm, seed, drop: the share of samples that is lost."""
    meter = Simulated(
        rate=options.number("rate", 20_000, 10, 1e6),
        lines=round(options.number("lines", 3, 0, 3)),
        noise_w=options.number("noise_mw", 0.5, 0, 100) * 1e-3,
        drift_ppm=options.number("drift_ppm", 35, -10_000, 10_000),
        seed=round(options.number("seed", 1, 0, 2**31)),
        drop=options.number("drop", 0, 0, 0.5),
    )
    options.done()
    return meter


class Simulated:
    """gain, offset_w: the error that it really has; its limits are 1 % and 50 µW.

    power: watts above idle of each phase. late_s: it starts so long after the device's first
    idle time began. lamp_w: what the sync pulses draw. averages: a sample is the mean since the
    one before, else the power of its instant.
    """

    def __init__(
        self,
        rate: float = 20_000,
        lines: int = 3,
        noise_w: float = 0.5e-3,
        drift_ppm: float = 35.0,
        seed: int = 1,
        drop: float = 0.0,
        gain: float = 0.0,
        offset_w: float = 0.0,
        power: dict[str, float] | None = None,
        late_s: float = 0.0,
        lamp_w: float = LAMP_W,
        averages: bool = False,
        limit_w: float = 10.0,
    ) -> None:
        accuracy = Accuracy(0.01, 50e-6, "simulated")
        self.capabilities = Capabilities("simulated", rate, lines, accuracy, simulated=True)
        self._noise_w, self._drift, self._drop = noise_w, drift_ppm * 1e-6, drop
        self._gain, self._offset_w, self._limit_w = gain, offset_w, limit_w
        self._power = {**POWER_W, **(power or {})}
        self._late_s, self._lamp_w, self._averages = late_s, lamp_w, averages
        self._random = np.random.default_rng(seed)
        self._block = empty()

    def start(self) -> None:
        self._block = empty()

    def read(self) -> Block:
        block, self._block = self._block, empty()
        return block

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass

    def told(self, timeline: Any) -> None:
        """Draws the samples, for the next read()."""
        self._block = self._drawn(timeline)

    def _drawn(self, timeline: Timeline) -> Block:
        rate, random = self.capabilities.rate_hz, self._random
        times, watts, codes = _course(timeline, self._power, self._lamp_w)
        start = timeline.syncs[0][0] - _BEFORE_S + self._late_s
        end = timeline.syncs[-1][-1] + _AFTER_S
        n = int((end - start) * rate)
        phase = random.uniform(0, 1)
        t: Floats = np.asarray((np.arange(n) + phase) / rate, np.float64)  # the meter's clock
        device = start + t / (1 + self._drift)
        at = np.searchsorted(times, device, "right") - 1
        if self._averages:
            sums = np.concatenate(([0.0], np.cumsum(watts[:-1] * np.diff(times))))
            half = 0.5 / rate / (1 + self._drift)
            inside = [_integral(times, watts, sums, device + side) for side in (half, -half)]
            power = (inside[0] - inside[1]) / (2 * half)
        else:
            power = watts[at]
        noise = random.normal(0, self._noise_w, n) + self._offset_w
        power = np.asarray(power * (1 + self._gain) + noise, np.float64)
        mask = random.uniform(0, 1, n) >= self._drop
        over = power > self._limit_w
        reading: Floats = np.minimum(power, self._limit_w)
        lines = self.capabilities.lines
        return Block(
            t[mask],
            reading[mask],
            (codes[at] & (1 << lines) - 1).astype(np.uint8)[mask] if lines else None,
            over[mask],
        )


def _course(timeline: Timeline, power: dict[str, float], lamp_w: float) -> tuple[Any, Any, Any]:
    """Times of change (device's clock), watts and pin codes from each on; idle in between."""
    spans = [(i.start, i.end, IDLE_W + power[i.phase], CODES[i.phase]) for i in timeline.intervals]
    for edges in timeline.syncs:
        spans += [
            (on, off, IDLE_W + lamp_w, CODES["sync"]) for on, off in zip(edges[::2], edges[1::2])
        ]
    spans.sort()
    course = [(-1e9, IDLE_W, CODES["idle"])]
    for start, end, level, code in spans:
        if course[-1][0] >= start - 1e-12:  # it follows another without a pause
            course.pop()
        course += [(start, level, code), (end, IDLE_W, CODES["idle"])]
    times, watts, codes = zip(*course)
    return np.array(times), np.array(watts), np.array(codes)


def _integral(times: Any, watts: Any, sums: Any, t: Any) -> Any:
    at = np.searchsorted(times, t, "right") - 1
    return sums[at] + watts[at] * (t - times[at])

"""A made-up session of a device, and what it truly cost: the measure of the matching."""

from __future__ import annotations

import numpy as np

from engram_host.meters.base import Block
from engram_host.meters.simulated import POWER_W, Simulated
from engram_host.meters.timeline import PATTERN, Interval, Timeline

QUIET_S = 0.3
STEP = ("replay_read", "forward", "backward", "update")
SAMPLE = ("receive", "forward", "flash_write")


def timeline(random, steps=12, samples=8, unit_ms=20.0, quiet_s=QUIET_S, scale=1.0) -> Timeline:
    """Samples arrive, then steps with pauses between; phases of 1 to 12 ms times `scale`."""
    course = Timeline()
    now = float(random.uniform(1, 100))
    now = _sync(course, now, unit_ms, quiet_s)
    for n in range(samples):
        now = _phases(course, SAMPLE, now, "sample", n, random, scale)
    for n in range(steps):
        now += random.uniform(0, 0.004) * scale
        now = _phases(course, STEP, now, "step", n + 1, random, scale)
    now += 0.002 * scale
    course.intervals.append(Interval("flash_write", now, now + 0.03 * scale, "save", 0))
    _sync(course, now + 0.04 * scale, unit_ms, quiet_s)
    return course


def _phases(course, names, now, of, number, random, scale):
    for name in names:
        end = now + random.uniform(0.001, 0.012) * scale
        course.intervals.append(Interval(name, now, end, of, number))
        now = end
    return now


def _sync(course, now, unit_ms, quiet_s):
    now += quiet_s
    if course.syncs:
        course.idles.append((now - 0.8 * quiet_s, now - 0.1 * quiet_s))
    edges = np.concatenate(([0], np.cumsum(PATTERN))) * unit_ms * 1e-3 + now
    course.syncs.append(edges.tolist())
    if len(course.syncs) == 1:
        course.idles.append((edges[-1] + 0.1 * quiet_s, edges[-1] + 0.8 * quiet_s))
    return float(edges[-1]) + quiet_s


def truth_mj(course: Timeline, power=None) -> dict[str, float]:
    """Net energy of each phase, and of a step and a sample on average."""
    level = {**POWER_W, **(power or {})}
    cost = [level[i.phase] * (i.end - i.start) * 1e3 for i in course.intervals]
    sums: dict[str, float] = {}
    for interval, mj in zip(course.intervals, cost):
        sums[interval.phase] = sums.get(interval.phase, 0.0) + mj
    for of in ("step", "sample"):
        numbers = {i.number for i in course.intervals if i.of == of}
        sums[of] = sum(mj for i, mj in zip(course.intervals, cost) if i.of == of) / len(numbers)
    sums["total"] = sum(cost)
    return sums


def measured(course: Timeline, meter: Simulated) -> Block:
    meter.start()
    meter.told(course)
    return meter.read()

"""The energy of a measured session: millijoules per phase, step and sample, as in the log."""

from __future__ import annotations

from typing import Any

import numpy as np

from engram.link.phases import CODES

from ..errors import MeterError
from .base import Block, Capabilities
from .energy import Energy, Integrator, K, SamplesLost, Spans
from .sync import GLITCH_S, Clock, match, runs
from .timeline import Timeline

PHASES = ("receive", "forward", "flash_write", "replay_read", "backward", "update")
SHORTEST = 10  # samples of the meter in a phase, by the median; less say nothing of it
PINS = 3  # digital inputs that carry the phase's number
_NEAR_S = 200e-6  # a pin and its entry in the log: so far apart at most
_MOST_WRONG = 0.05  # of the edges that pins are expected to show


def source_of(capabilities: Capabilities) -> str:
    """The source of a meter's figures: "device" only where a meter measured."""
    return "simulated" if capabilities.simulated else "device"


def analyse(timeline: Timeline, block: Block, meter: Capabilities) -> dict[str, Any]:
    """The energy of a session, for its log. Raises MeterError, saying what to do.

    {"source", "meter", "accuracy", "k", "idle_mw", "clock_ppm", "marked",
     "phases": {phase: figure}, "step": figure, "sample": figure, "total": figure,
     "left_out": {what: why},
     "steps": [[number, mj, u_mj], ...]}

    A figure is {"mj", "u_mj", "s", "n"}: net energy, its uncertainty (coverage factor k), seconds,
    how many there were; of a step and of a sample it is the mean of one. marked: "pins" where
    digital inputs show the phases, else "clock". What did not happen has no figure, nor has what
    is too short for the meter: "left_out" says why.
    """
    if not timeline.intervals:
        raise MeterError("nothing was learned or stored in this session: no energy to tell")
    lines = meter.lines
    clock = match(timeline, block, lines, meter.clock_ppm)
    spans, origin = _spans(timeline, block, clock, lines)
    idles = [(float(clock.meter(start)), float(clock.meter(end))) for start, end in timeline.idles]
    integrate = Integrator(block, meter.accuracy, idles, clock.u_s)
    phase = np.array([interval.phase for interval in timeline.intervals])
    of = np.array([interval.of for interval in timeline.intervals])
    number = np.array([interval.number for interval in timeline.intervals])
    durations = {name: _lasting(spans.only(phase == name)) for name in PHASES}
    durations |= {what: _lasting(_merged(spans.only(of == what))) for what in ("step", "sample")}
    short = {
        name: f"{seconds * 1e3:.2g} ms against {integrate.period * 1e3:.2g} ms between samples"
        for name, seconds in durations.items()
        if 0 < seconds < SHORTEST * integrate.period
    }
    result: dict[str, Any] = {
        "source": source_of(meter),
        "meter": meter.name,
        "accuracy": {
            "gain": meter.accuracy.gain,
            "offset_mw": meter.accuracy.offset_w * 1e3,
            "source": meter.accuracy.source,
        },
        "k": K,
        "idle_mw": round(integrate.idle_w * 1e3, 6),
        "clock_ppm": round(clock.ppm, 1),
        "marked": origin,
        "phases": {},
        "left_out": {name: f"{why}: too short for this meter" for name, why in short.items()},
    }
    for name in PHASES:
        if name not in short and np.any(phase == name):
            try:
                energy = integrate.energy(spans.only(phase == name), f"phase {name}")
                result["phases"][name] = energy.to_record()
            except SamplesLost as e:
                result["left_out"][name] = str(e)
    for what in ("step", "sample"):
        mask = of == what
        if np.any(mask) and what not in short:
            count = len(np.unique(number[mask]))
            try:
                result[what] = _each(_whole(integrate, spans, mask, f"the {what}s"), count)
            except SamplesLost as e:
                result["left_out"][what] = str(e)
    everything = np.ones(len(spans), np.bool_)
    result["total"] = _whole(integrate, spans, everything, "the session").to_record()
    result["steps"] = []
    if "step" not in short:
        result["steps"] = _steps(integrate, spans, np.where(of == "step", number, -1))
    return result


def _steps(integrate: Integrator, spans: Spans, number: Any) -> list[list[float]]:
    """[number, mJ, uncertainty] of each step; one that the meter lost too much of is left out."""
    rows = []
    for step in np.unique(number[number >= 0]).tolist():
        try:
            record = _whole(integrate, spans, number == step, f"step {step}").to_record()
        except SamplesLost:
            continue
        rows.append([step, record["mj"], record["u_mj"]])
    return rows


def _whole(integrate: Integrator, spans: Spans, mask: Any, what: str) -> Energy:
    parts = spans.only(mask)
    whole = _merged(parts)
    return integrate.energy(whole, what, np.setdiff1d(parts.start, whole.start))


def _each(whole: Energy, count: int) -> dict[str, Any]:
    return Energy(whole.mj / count, whole.u_mj / count, whole.s / count, count).to_record()


def _lasting(spans: Spans) -> float:
    """Seconds of the median interval; 0 without any."""
    return float(np.median(spans.end - spans.start)) if len(spans) else 0.0


def _merged(spans: Spans) -> Spans:
    """Neighbours joined: the edge between them moves nothing. In the order of time."""
    if not len(spans):
        return spans
    order = np.argsort(spans.start)
    spans = spans.only(order)
    apart = spans.start[1:] - spans.end[:-1] > 1e-9
    first = np.concatenate(([True], apart))
    last = np.concatenate((apart, [True]))
    return Spans(
        spans.start[first], spans.end[last], spans.start_moved[first], spans.end_moved[last]
    )


def _spans(timeline: Timeline, block: Block, clock: Clock, lines: int) -> tuple[Spans, str]:
    """The intervals on the meter's clock; "pins" or "clock", by what marks them."""
    start = clock.meter(np.array([i.start for i in timeline.intervals]))
    end = clock.meter(np.array([i.end for i in timeline.intervals]))
    free = np.ones(len(start), np.bool_)
    if lines < PINS or block.bits is None:
        return Spans(start, end, free, free.copy()), "clock"
    return _snapped(timeline, start, end, clock, block), "pins"


def _snapped(timeline: Timeline, start: Any, end: Any, clock: Clock, block: Block) -> Spans:
    """Each edge at the change of the pins that is nearest to it, where pins can show it; pins that
    do not follow the log are wired wrongly. Raises MeterError."""
    seen = runs(block)
    at = np.array([run.start for run in seen])
    codes = np.array([run.code for run in seen])
    phases = np.array([CODES[interval.phase] for interval in timeline.intervals])
    period = float(np.median(np.diff(block.t)))
    near = _NEAR_S + 4 * clock.u_s + 2 * period
    begins = _nearest(at, start)
    ends = _nearest(at, end)
    clear = _resolved(start, end, max(SHORTEST * period, 4 * GLITCH_S))
    begins_right = clear & (np.abs(at[begins] - start) <= near) & (codes[begins] == phases)
    ends_right = clear & (np.abs(at[ends] - end) <= near)
    ends_right &= codes[np.maximum(ends - 1, 0)] == phases
    wrong = 1 - (begins_right[clear].mean() + ends_right[clear].mean()) / 2 if clear.any() else 0
    if wrong > _MOST_WRONG:
        raise MeterError(
            f"{wrong:.0%} of the phases in the log are not on the meter's digital inputs: check "
            "that its inputs 0, 1 and 2 are wired to the phase pins in the order of the "
            "board's board.toml"
        )
    return Spans(
        np.where(begins_right, at[begins], start),
        np.where(ends_right, at[ends], end),
        ~begins_right,
        ~ends_right,
    )


def _resolved(start: Any, end: Any, least: float) -> Any:
    """A mask (n) bool of the intervals that pins can show: they and their neighbours last."""
    is_long = end - start >= least
    contact = np.abs(start[1:] - end[:-1]) < GLITCH_S
    free_before = np.concatenate(([True], ~contact | is_long[:-1]))
    free_after = np.concatenate((~contact | is_long[1:], [True]))
    return is_long & free_before & free_after


def _nearest(sorted_times: Any, times: Any) -> Any:
    right = np.clip(np.searchsorted(sorted_times, times), 1, max(1, len(sorted_times) - 1))
    right = np.minimum(right, len(sorted_times) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(sorted_times[left] - times) < np.abs(sorted_times[right] - times)
    return np.where(closer, left, right)

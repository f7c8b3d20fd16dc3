"""Measures a session's energy: the meter reads in the background while the device is marked.

with Measuring(device, meter) as measuring:     idle, sync pulses, idle
    ...                                          note() what the device tells
    measuring.finish()                           idle, sync pulses, idle; the meter stops
measuring.result()                               what it cost
"""

from __future__ import annotations

import threading
import time
from typing import Any

from .. import boards
from ..device import Device
from ..errors import InputError, LinkError, MeterError, PortError
from ..meters.base import Block, Meter, joined
from ..meters.result import PINS, analyse
from ..meters.timeline import PATTERN, UNIT_MS, Recorder, Timeline

_QUIET_S = 0.5  # idle after the first pulses, and before the last
_AFTER_S = 0.1  # that the meter goes on
_STARTING_S = 5.0  # for the meter's first samples
_PULSE_SAMPLES = 10  # of the meter in the shortest pulse
_MOST_UNIT_MS = 500
_STOPPING_S = 1.0  # for samples that are still under way


class Measuring:
    """One session with a meter. Use as a context manager; the meter stays open."""

    def __init__(self, device: Device, meter: Meter) -> None:
        self._device, self._meter, self._quiet_s = device, meter, _QUIET_S
        facts = device.info()
        self._pins = phase_pins(meter.capabilities.board or facts["board"])
        self._check(facts)
        self._recorder = Recorder(seconds_per_unit(facts))
        self._counter = facts["counter"]["kind"]
        self._reader: _Reader | None = None
        self._blocks: list[Block] = []

    def _check(self, facts: dict[str, Any]) -> None:
        abilities = self._meter.capabilities
        if not abilities.simulated and facts["counter"]["kind"] != "device":
            raise InputError(
                f"{facts['board']} is emulated, no meter can measure it: use --meter simulated, "
                "or a real board"
            )
        if not abilities.simulated and not self._pins:
            raise InputError(
                f"no phase pins are known of a board {abilities.board or facts['board']!r}, so no "
                "meter can see when it learns: say which board it is, as --meter "
                "...,board=rpi_pico, or give its board.toml a table [phases] (docs/energy.md)"
            )

    def record(self) -> dict[str, Any]:
        """The log's record "timeline"; "counter" says what its times were counted by."""
        return {"counter": self._counter, **self.timeline.to_record()}

    @property
    def timeline(self) -> Timeline:
        return self._recorder.timeline

    @property
    def live(self) -> bool:
        """Whether the meter is read now; else `engram measure` takes its recording later."""
        return self._meter.capabilities.live

    def __enter__(self) -> Measuring:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def _start(self) -> None:
        lamp = self._meter.capabilities.lines < PINS
        self._device.phases_begin(self._pins, lamp)
        if self.live:
            self._meter.start()
            self._reader = _Reader(self._meter)
            self._reader.wait(0 if self._meter.capabilities.simulated else _STARTING_S)
        self._pulses()
        self._idle()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._stop()
        finally:
            if error is not None and not isinstance(error, (LinkError, PortError)):
                self._device.phases_end()

    def samples(self, answer: dict[str, Any]) -> None:
        """Takes the result of Device.observe_quietly()."""
        self._recorder.samples(answer.get("marks", ()))

    def step(self, row: dict[str, Any]) -> None:
        """A row of Device.learning()."""
        self._recorder.step(row)

    def saved(self, answer: dict[str, Any]) -> None:
        """Takes the result of Device.save()."""
        self._recorder.save(answer["at"], answer["units"])

    def finish(self) -> None:
        """The last sync pulses; then the device is marked no more, and the meter stops."""
        self._idle()
        self._pulses()
        self._device.phases_end()
        time.sleep(_AFTER_S)
        self._meter.told(self.timeline)
        self._stop()

    def result(self) -> dict[str, Any]:
        """meters.result.analyse() of it all. Raises MeterError."""
        return analyse(self.timeline, joined(self._blocks), self._meter.capabilities)

    def _pulses(self) -> None:
        spans = pulses_ms(self._meter.capabilities.rate_hz)
        self._recorder.sync(self._device.phases_sync(spans))

    def _idle(self) -> None:
        span = self._device.phases_quiet(round(self._quiet_s * 1e3))
        seconds = self._recorder.quiet(*span, self._quiet_s)
        if not self._meter.capabilities.simulated and seconds < 0.9 * self._quiet_s:
            raise MeterError(
                f"the board's counter stands still while it waits ({seconds:.2f} s of "
                f"{self._quiet_s} s): a meter needs one that goes on, as time.ticks_us() does"
            )

    def _stop(self) -> None:
        if self._reader is None:
            return
        self._meter.stop()
        reader, self._reader = self._reader, None
        self._blocks = reader.finish()


class _Reader:
    """Reads a meter in a thread, because some meters lose samples that are not fetched in time."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._over = threading.Event()
        self._blocks: list[Block] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                if not self._take():
                    self._over.wait(0.005)
            end = time.monotonic() + _STOPPING_S
            while self._take() and time.monotonic() < end:
                pass
        except Exception as e:  # told by finish(), in the thread that can answer
            self._error = e

    def _take(self) -> bool:
        block = self._meter.read()
        if len(block):
            self._blocks.append(block)
        return bool(len(block))

    def wait(self, seconds: float) -> None:
        """Until the first samples are there. Raises MeterError, or what reading raised."""
        end = time.monotonic() + seconds
        while seconds and not self._blocks:
            if self._error is not None:
                raise self._error
            if time.monotonic() > end:
                raise MeterError(
                    f"the meter sends no sample within {seconds:.0f} s: check its cable, and that "
                    "nothing else uses it"
                )
            time.sleep(0.01)

    def finish(self) -> list[Block]:
        """All blocks. Raises what reading raised."""
        self._over.set()
        self._thread.join(5 + _STOPPING_S)
        if self._error is not None:
            raise self._error
        if self._thread.is_alive():
            raise MeterError("the meter does not stop: unplug it, and measure again")
        return self._blocks


def pulses_ms(rate_hz: float) -> list[int]:
    """Milliseconds of each sync pulse and pause, long enough for a meter of that rate."""
    unit = UNIT_MS if not rate_hz else max(UNIT_MS, 1e3 * _PULSE_SAMPLES / rate_hz)
    unit = min(round(unit), _MOST_UNIT_MS)
    return [count * unit for count in PATTERN]


def seconds_per_unit(facts: dict[str, Any]) -> float:
    """The seconds per unit of a board's counter. facts: Device.info(). Raises InputError."""
    unit, name = facts["counter"]["unit"], facts["board"]
    if unit == "us":
        return 1e-6
    if name in boards.names():
        clock = boards.load(name).facts["chip"]["clock_hz"]
        if clock:
            return 1 / float(clock)
    raise InputError(
        f"expected a clock_hz in the board.toml of {name}, got none: its counter counts {unit}, "
        "and how many per second is not known"
    )


def phase_pins(board: str) -> list[Any]:
    """The pins of [phases] in the board's board.toml, for machine.Pin; none where it has none.

    A board with stock firmware names itself after its port: no board.toml is its own.
    """
    if board not in boards.names():
        return []
    return list(boards.load(board).facts.get("phases", {}).get("pins", []))


def from_recording(record: dict[str, Any], meter: Meter) -> dict[str, Any]:
    """analyse() for a session that is over: its record "timeline", and a meter that reads a file.

    Raises InputError when the meter is one that must be there while the device works.
    """
    abilities = meter.capabilities
    if abilities.live and not abilities.simulated:
        raise InputError(
            f"the meter {abilities.name} measures while the device works: give it to "
            "`engram learn`; a recording is read as csv:FILE"
        )
    kind = record.get("counter", "device")
    if kind != "device" and not abilities.simulated:
        raise InputError(
            f"this session ran on an emulated board (its times are of kind {kind}): no meter "
            "can have measured it"
        )
    timeline = Timeline.from_record(record)
    meter.start()
    meter.told(timeline)
    block = meter.read()
    return analyse(timeline, block, meter.capabilities)

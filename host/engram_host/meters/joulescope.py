"""Joulescope JS220 and JS110, through the package pyjoulescope_driver (Apache-2.0, optional).

Topics and values as the package's own record.py and its `joulescope` client use them: a signal's
samples come to `s/<signal>/!data` as a dict with sample_id (of the first one, at sample_rate, so
that dropped samples show as a gap), sample_rate, decimate_factor and data. Digital inputs come
eight samples per byte.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from ..errors import InputError, MeterError
from .base import Accuracy, Block, Capabilities, empty
from .options import Options

_LINES = {"js220": 4, "js110": 2}
_READ_S = 0.02
_SOURCE = "assumed limits, not a calibration: give gain= and offset_ua= of your own"


def open_meter(place: str, options: Options) -> Joulescope:
    """place: end of its serial number; "" takes the only one that is connected.

    Options: rate, samples per second; gain, offset_ua, volts: limits of its error (the offset at
    that voltage).
    """
    rate = round(options.number("rate", 100_000, 1_000, 1_000_000))
    volts = options.number("volts", 3.3, 0.5, 15.0)
    gain = options.number("gain", 0.01, 0.0, 1.0)
    offset_ua = options.number("offset_ua", 1.0, 0.0, 1e6)
    options.done()
    try:
        from pyjoulescope_driver import Driver
    except ImportError as e:
        raise MeterError(
            "the meter joulescope needs the package pyjoulescope_driver: "
            "pip install pyjoulescope_driver"
        ) from e
    driver = Driver()
    try:
        limits = Accuracy(gain, offset_ua * 1e-6 * volts, _SOURCE)
        return Joulescope(driver, place, rate, limits)
    except BaseException:
        driver.finalize()
        raise


class Joulescope:
    """driver: pyjoulescope_driver.Driver, or what has its methods."""

    def __init__(self, driver: Any, serial: str, rate: int, accuracy: Accuracy) -> None:
        self._driver = driver
        self._path = _only_one(driver.device_paths(), serial)
        model = self._path.split("/")[1]
        lines = _LINES.get(model, 0)
        self.capabilities = Capabilities("joulescope", rate, lines, accuracy, clock_ppm=5_000.0)
        self._topics = {"s/p": "power", **{f"s/gpi/{n}": n for n in range(lines)}}
        self._lock = threading.Lock()
        # unsubscribe() wants the very object that subscribe() got
        self._on_data_bound = self._on_data
        driver.open(self._path, mode="defaults")
        driver.publish(f"{self._path}/h/fs", rate)
        if model == "js110":
            driver.publish(f"{self._path}/s/i/range/select", "auto")
            driver.publish(f"{self._path}/s/v/range/select", "15 V")
            # the JS110 sends current and voltage; the driver multiplies
            self._factors: tuple[str, ...] = ("s/i", "s/v")
        else:
            driver.publish(f"{self._path}/s/i/range/mode", "auto")
            driver.publish(f"{self._path}/s/v/range/mode", "auto")
            self._factors = ()

    def start(self) -> None:
        self._parts: dict[Any, list[tuple[int, Any]]] = {s: [] for s in self._topics.values()}
        self._first: int | None = None
        self._divisor, self._rate = 1, self.capabilities.rate_hz
        for topic in self._topics:
            self._driver.subscribe(f"{self._path}/{topic}/!data", "pub", self._on_data_bound)
        for topic in (*self._factors, *self._topics):
            self._driver.publish(f"{self._path}/{topic}/ctrl", 1)

    def _on_data(self, topic: str, value: dict[str, Any]) -> None:
        """Called by the driver's thread."""
        signal = self._topics[topic[len(self._path) + 1 : -len("/!data")]]
        divisor = int(value["decimate_factor"])
        data = value["data"]
        if signal != "power":
            data = np.unpackbits(data, bitorder="little")
        with self._lock:
            self._divisor, self._rate = divisor, value["sample_rate"] / divisor
            self._parts[signal].append((int(value["sample_id"]) // divisor, data))

    def read(self) -> Block:
        """Power samples for which all lines have come."""
        time.sleep(_READ_S)
        with self._lock:
            parts = {signal: list(chunks) for signal, chunks in self._parts.items()}
        if not all(parts.values()):
            return empty(lines=len(self._topics) > 1)
        until = min(chunks[-1][0] + len(chunks[-1][1]) for chunks in parts.values())
        ids, power = self._taken("power", parts["power"], until)
        if not len(ids):
            return empty(lines=len(self._topics) > 1)
        bits = np.zeros(len(ids), np.uint8) if len(self._topics) > 1 else None
        for line in range(len(self._topics) - 1):
            line_ids, values = self._taken(line, parts[line], until)
            if bits is not None and len(line_ids):
                # where a line's sample was dropped, the one before it counts
                at = np.clip(np.searchsorted(line_ids, ids, "right") - 1, 0, None)
                bits |= values[at].astype(np.uint8) << line
        if self._first is None:
            self._first = int(ids[0])
        there = np.isfinite(power)  # the driver puts NaN where USB lost samples
        return Block(
            (ids[there] - self._first) / self._rate,
            power[there].astype(float),
            None if bits is None else bits[there],
            np.zeros(int(there.sum()), np.bool_),
        )

    def _taken(self, signal: Any, chunks: list[tuple[int, Any]], until: int) -> tuple[Any, Any]:
        """Sample numbers and values below `until`; they are no longer kept."""
        for i in range(len(chunks) - 1):  # a byte of a line may hold less than eight samples
            first, data = chunks[i]
            chunks[i] = first, data[: max(0, chunks[i + 1][0] - first)]
        ids = np.concatenate([np.arange(first, first + len(data)) for first, data in chunks])
        values = np.concatenate([data for _, data in chunks])
        inside = ids < until
        with self._lock:
            remainder = self._parts[signal][len(chunks) :]
            if not inside.all():
                rest = int(np.argmin(inside))
                remainder = [(int(ids[rest]), values[rest:]), *remainder]
            self._parts[signal] = remainder
        return ids[inside], values[inside]

    def stop(self) -> None:
        for topic in (*self._topics, *self._factors):
            self._driver.publish(f"{self._path}/{topic}/ctrl", 0)
        for topic in self._topics:
            self._driver.unsubscribe(f"{self._path}/{topic}/!data", self._on_data_bound)

    def close(self) -> None:
        self._driver.close(self._path)
        self._driver.finalize()

    def told(self, timeline: Any) -> None:
        pass


def _only_one(paths: list[str], serial: str) -> str:
    known = [path for path in paths if path.split("/")[1] in _LINES]
    matches = [path for path in known if path.lower().endswith(serial.lower())]
    if len(matches) != 1:
        there = ", ".join(known) or "none"
        raise InputError(
            f"expected one Joulescope (JS110, JS220), got {there}; name it by the end of "
            "its serial number, as joulescope:000123"
        )
    return matches[0]

"""A recording of any bench meter, as a CSV file: read after the session (`engram measure`).

Columns are recognised by their heads, as exports name them: a time ("time", "timestamp", "t"), and
power, or current with a voltage column or volts=; a unit may follow in brackets or after a space
or underscore: "Timestamp(ms)", "Current(uA)", "power_mW". Options name them where that fails.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .base import Accuracy, Block, Capabilities, empty
from .csv_table import BASE, Table, factor, split
from .options import Options

_NAMES = {
    "time": ("time", "timestamp", "t", "elapsed", "seconds", "ms", "us"),
    "current": ("current", "i", "amps", "curr"),
    "voltage": ("voltage", "v", "volts", "volt", "u"),
    "power": ("power", "p", "watts", "watt"),
    "bits": ("d0-d7", "digital", "bits", "logic"),
}
_LINES = re.compile(r"d(\d)|gpi\[?(\d)\]?")  # one column a digital input
_LINES_MOST = 8


def open_meter(place: str, options: Options) -> CsvMeter:
    """place: the file.

    Options: volts, where the file has a current only; time, current, voltage, power, bits: heads
    of columns; time_unit, current_unit, voltage_unit, power_unit (s ms us, A mA uA, V mV, W mW
    uW); delimiter (a character, or tab); decimal (point or comma); lines, 0 where it
    records no digital inputs and sees the sync pulses in the power; gain, offset_uw: limits of the
    meter's error; limit: of its range, in watts.
    """
    if not place:
        raise InputError("the meter csv needs a file: csv:recording.csv")
    columns = {kind: options.text(kind, "") for kind in _NAMES}
    units = {kind: options.text(f"{kind}_unit", "") for kind in BASE}
    volts = options.number("volts", float("nan"), 0.1, 100.0) if "volts" in options else None
    delimiter = options.text("delimiter", "")
    lines = round(options.number("lines", _LINES_MOST, 0, _LINES_MOST))
    decimal = options.choice("decimal", "point", ("point", "comma"))
    gain = options.number("gain", 0.01, 0.0, 1.0)
    offset_w = options.number("offset_uw", 0.0, 0.0, 1e6) * 1e-6
    limit_w = options.number("limit", float("inf"), 0.0, float("inf"))
    options.done()
    accuracy = Accuracy(gain, offset_w, "limits as given, 1 % by default: no calibration")
    reader = Table(Path(place), "\t" if delimiter == "tab" else delimiter, decimal == "comma")
    return CsvMeter(reader, columns, units, volts, limit_w, accuracy, lines)


class CsvMeter:
    """volts: of the supply, where there is no column of it. limit_w: of the meter's range."""

    def __init__(
        self,
        table: Table,
        columns: dict[str, str],
        units: dict[str, str],
        volts: float | None,
        limit_w: float,
        accuracy: Accuracy,
        lines: int,
    ) -> None:
        self._table, self._columns, self._units = table, columns, units
        self._volts, self._limit_w = volts, limit_w
        self._is_given = False
        self.capabilities = Capabilities("csv", 0.0, lines, accuracy, live=False)

    def start(self) -> None:
        self._is_given = False

    def read(self) -> Block:
        """The whole file, once."""
        if self._is_given:
            return empty()
        self._is_given = True
        block, lines = self._block()
        lines = min(lines, self.capabilities.lines)
        self.capabilities = replace(self.capabilities, lines=lines)
        return block

    def _block(self) -> tuple[Block, int]:
        heads, values, line = self._table.read()
        where = f"{self._table.path}:{line}"
        time = self._column("time", heads, values, where)
        power = self._column("power", heads, values, where)
        if time is None:
            raise InputError(f"{where}: no column of times among {', '.join(heads)}: time=HEAD")
        if power is None:
            power = self._from_current(heads, values, where)
        bits, lines = self._digital(heads, values)
        whole = np.isfinite(time) & np.isfinite(power)
        t, power = time[whole], power[whole]
        if len(t) < 2 or not np.all(np.diff(t) > 0):
            raise InputError(f"{where}: expected times that grow from line to line, got others")
        over = np.abs(power) >= self._limit_w
        return Block(t - t[0], power, None if bits is None else bits[whole], over), lines

    def _from_current(self, heads: list[str], values: Any, where: str) -> Any:
        current = self._column("current", heads, values, where)
        if current is None:
            raise InputError(
                f"{where}: neither power nor current among {', '.join(heads)}: name the column, "
                "as power=HEAD or current=HEAD"
            )
        volts = None
        if self._volts is None:
            volts = self._column("voltage", heads, values, where)
            if volts is None:
                raise InputError(f"{where}: no voltage among {', '.join(heads)}: give volts=")
        return current * (self._volts if volts is None else volts)

    def _column(self, kind: str, heads: list[str], values: Any, where: str) -> Any:
        """A column in s, A, V or W; None where there is none. Raises InputError."""
        choice = self._columns[kind]
        for i, head in enumerate(heads):
            name, unit = split(head)
            if (head == choice) if choice else (name in _NAMES[kind]):
                if not unit and name in ("ms", "us"):
                    unit = name
                return values[:, i] * factor(self._units[kind] or unit, kind, where, head)
        if choice:
            raise InputError(f"{where}: expected a column {choice!r}, got {', '.join(heads)}")
        return None

    def _digital(self, heads: list[str], values: Any) -> tuple[Any, int]:
        """Digital inputs: a column with the number or the digits of all, or one for each."""
        for i, head in enumerate(heads):
            choice = self._columns["bits"]
            if (head == choice) if choice else (split(head)[0] in _NAMES["bits"]):
                return _bits(values[:, i], head), _LINES_MOST
        bits, lines = np.zeros(len(values), np.uint8), 0
        for i, head in enumerate(heads):
            match = _LINES.fullmatch(head.strip().lower())
            if match:
                line = int(match[1] or match[2])
                bits |= (np.nan_to_num(values[:, i]) > 0.5).astype(np.uint8) << line
                lines = max(lines, line + 1)
        return (bits, lines) if lines else (None, 0)

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass

    def told(self, timeline: Any) -> None:
        pass


def _bits(column: Any, head: str) -> Any:
    """Input 0 in the lowest bit. A head D0-D7 means digits, D0 first, as nRF Connect exports."""
    whole = np.nan_to_num(column).astype(np.int64)
    if split(head)[0] != "d0-d7":
        return (whole & 0xFF).astype(np.uint8)
    bits = np.zeros(len(whole), np.uint8)
    for line in range(_LINES_MOST):
        bits |= ((whole // 10 ** (_LINES_MOST - 1 - line)) % 10).astype(np.uint8) << line
    return bits

"""INA219, INA226 or INA228 on a second MicroPython board: it reads the chip, this file reads it.

The script ina_board.py is typed at the board's raw REPL; nothing is left on it. Power is shunt
voltage / shunt resistance * bus voltage, both as the chip converts them, so no calibration
register is needed. LSBs and limits after the electrical characteristics in TI's data sheets:

  INA219 SBOS448F  A grade: current 1 %, bus voltage 1 % over temperature; offset 200 uV, PGA /8
  INA226 SBOS547   shunt 0.1 %, bus 0.1 %; offsets 10 uV, 7.5 mV
  INA228 SLYS021A  power 0.5 % over temperature; shunt offset 1 uV where a conversion takes more
                   than 280 us; of the bus, 5 mV of the coarser INA238 (SLYS025A)

The error of power is the sum of that of its factors; the resistor's tolerance comes on top.
"""

from __future__ import annotations

import re
import struct
import time
from binascii import crc32
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, MeterError
from ..line.transport.base import Transport
from .base import Accuracy, Block, Capabilities, empty
from .ina_board import SAMPLE, START
from .options import Options

BAUD = 115200
_INTERRUPT, _RAW, _RUN = b"\x03", b"\x01", b"\x04"
_MODULUS = 1 << 30


class Chip(NamedTuple):
    """The figures of a chip's data sheet.

    shunt_v, bus_v      volts of one bit
    full_v              full scale at the shunt, volts
    gain                limit of the gains' error, shunt and bus together, as a part of the power
    offset_v            limit of the shunt's offset, volts
    bus_offset_v        limit of the bus voltage's offset, volts
    period_us           both conversions of ina_board.chip(), at their longest
    sheet               number of the data sheet
    """

    shunt_v: float
    bus_v: float
    full_v: float
    gain: float
    offset_v: float
    bus_offset_v: float
    period_us: int
    sheet: str

    def accuracy(self, ohm: float, tolerance: float, volts: float) -> Accuracy:
        """The accuracy of the power at a shunt of `ohm` and a supply of `volts`."""
        return Accuracy(
            self.gain + self.bus_offset_v / volts + tolerance,
            self.offset_v / ohm * volts,
            f"limits of TI's data sheet {self.sheet}, shunt {tolerance:.1%}",
        )


CHIPS = {
    "ina219": Chip(10e-6, 4e-3, 0.320, 0.02, 200e-6, 0.0, 1180, "SBOS448F"),
    "ina226": Chip(2.5e-6, 1.25e-3, 0.08192, 0.002, 10e-6, 7.5e-3, 520, "SBOS547"),
    "ina228": Chip(312.5e-9, 195.3125e-6, 0.16384, 0.005, 1e-6, 5e-3, 600, "SLYS021A"),
}


def open_meter(place: str, options: Options) -> Ina:
    """place: the serial port of the board that has the chip.

    Options: chip; shunt, ohms, and tolerance of it; address; bus, sda, scl of the I2C (pins as
    machine.Pin takes them); period_us; volts, of the supply, for the limits of the error.
    """
    name = options.choice("chip", "ina219", tuple(CHIPS))
    facts = CHIPS[name]
    shunt = options.number("shunt", 0.1, 1e-4, 100.0)
    tolerance = options.number("tolerance", 0.01, 0.0, 1.0)
    address = int(options.text("address", "0x40"), 0)
    volts = options.number("volts", 3.3, 0.1, 85.0)
    period = round(options.number("period_us", facts.period_us, 100, 1e6))
    wires = {key: options.text(key, "") for key in ("bus", "sda", "scl")}
    options.done()
    if not place:
        raise InputError("the meter ina needs the port of its board: ina:/dev/ttyACM1")
    from ..line.transport.serial_port import SerialTransport

    accuracy = facts.accuracy(shunt, tolerance, volts)
    transport = SerialTransport(place, BAUD)
    return Ina(transport, name, shunt, start_line(name, address, period, wires), period, accuracy)


def start_line(name: str, address: int, period_us: int, wires: dict[str, str]) -> str:
    """The line that starts ina_board.run() on the board."""
    pins = ", ".join(
        f"{key}=machine.Pin({_pin(wires[key])})" for key in ("sda", "scl") if wires[key]
    )
    arguments = ", ".join(part for part in (wires["bus"] or "0", pins, "freq=400000") if part)
    return (
        "import machine, select, sys, time\n"
        "poll = select.poll()\n"
        "poll.register(sys.stdin, select.POLLIN)\n"
        f"i2c = machine.I2C({arguments})\n"
        f"run(i2c, {address}, {name!r}, {period_us}, time.ticks_us, time.ticks_diff, "
        "sys.stdout.buffer.write, lambda: poll.poll(0))\n"
    )


def _pin(text: str) -> str:
    return text if text.isdigit() else repr(text)


class Ina:
    """transport: to the REPL of the board with the chip. start: the line that starts the script.

    .damaged counts the bytes that no frame could be made of.
    """

    def __init__(
        self,
        transport: Transport,
        chip: str,
        shunt_ohm: float,
        start: str,
        period_us: int,
        accuracy: Accuracy,
    ) -> None:
        self.capabilities = Capabilities(chip, 1e6 / period_us, 0, accuracy, clock_ppm=20_000.0)
        self._transport, self._chip, self._ohm = transport, CHIPS[chip], shunt_ohm
        self._start_line = start
        self.damaged = 0

    def start(self) -> None:
        self._buffer = b""
        self._ticks: int | None = None
        self._units = 0
        self.damaged = 0
        self._transport.write(b"\r" + _INTERRUPT + _INTERRUPT + _RAW)
        self._wait(b"raw REPL; CTRL-B to exit\r\n>", "it showed no raw REPL")
        source = Path(__file__).with_name("ina_board.py").read_text(encoding="utf-8")
        for at in range(0, len(program := (source + self._start_line).encode()), 128):
            self._transport.write(program[at : at + 128])
            time.sleep(0.01)  # a board without flow control takes no more at once
        self._transport.write(_RUN)
        self._wait(b"OK", "it did not take the script")

    def _wait(self, sign: bytes, reason: str) -> None:
        text, end = b"", time.monotonic() + 5
        while sign not in text:
            text += self._transport.read(0.1)
            if time.monotonic() > end:
                raise MeterError(
                    "the board of the meter ina: expected the answers of MicroPython, got "
                    f"{text[-80:]!r}: {reason}"
                )
        self._buffer = text[text.index(sign) + len(sign) :]

    def read(self) -> Block:
        self._buffer += self._transport.read(0.05)
        rows = self._rows()
        if not rows:
            return empty()
        ticks = np.array([self._unwrapped(row[0]) for row in rows], np.float64)
        shunt = np.array([row[1] for row in rows]) * self._chip.shunt_v
        volts = np.array([row[2] for row in rows]) * self._chip.bus_v
        over = np.abs(shunt) >= self._chip.full_v * (1 - 1e-4)
        return Block(ticks * 1e-6, shunt / self._ohm * volts, None, over)

    def _rows(self) -> list[tuple[int, int, int]]:
        """(ticks, shunt, bus) of the whole frames that came; what is no frame is passed over."""
        rows: list[tuple[int, int, int]] = []
        while True:
            start = self._buffer.find(START)
            if start < 0:
                self._refuse_traceback(self._buffer)
                self._drop(len(self._buffer) if len(self._buffer) > 400 else 0)
                return rows
            if start:
                self._refuse_traceback(self._buffer)
                self._drop(start)
            if len(self._buffer) < 2:
                return rows
            end = 2 + self._buffer[1] * SAMPLE
            if len(self._buffer) < end + 4:
                return rows
            frame = self._buffer[: end + 4]
            if struct.unpack_from("<I", frame, end)[0] != crc32(frame[:end]):
                self._drop(1)
                continue
            rows += [_sample(frame, at) for at in range(2, end, SAMPLE)]
            self._buffer = self._buffer[end + 4 :]

    def _drop(self, count: int) -> None:
        self.damaged += count
        self._buffer = self._buffer[count:]

    def _refuse_traceback(self, text: bytes) -> None:
        """Raises MeterError when the script ended with an exception, once its last line is in."""
        error = re.search(rb"Traceback[^\x04]*?\n(\w*Error[^\r\n]*)[\r\n]", text)
        if error:
            raise MeterError(
                "the script on the board of the meter ina failed: "
                f"{error[1].decode('utf-8', 'replace')}; check chip, address and wiring of the "
                "I2C"
            )

    def _unwrapped(self, ticks: int) -> int:
        if self._ticks is not None:
            self._units += (ticks - self._ticks) % _MODULUS
        self._ticks = ticks
        return self._units

    def stop(self) -> None:
        self._transport.write(b"\r")

    def close(self) -> None:
        self._transport.close()

    def told(self, timeline: Any) -> None:
        pass


def _sample(frame: bytes, at: int) -> tuple[int, int, int]:
    ticks = struct.unpack_from("<I", frame, at)[0]
    shunt = int.from_bytes(frame[at + 4 : at + 7], "little", signed=True)
    return ticks, shunt, int.from_bytes(frame[at + 7 : at + 10], "little")

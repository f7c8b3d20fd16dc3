"""Nordic's Power Profiler Kit II, through the package ppk2-api (GPL-2.0: optional, only called).

A sample is 4 bytes, 100,000 a second: ADC value (bits 0 to 13), range (14 to 16), a counter modulo
64 (18 to 23) and eight digital inputs (24 to 31), as ppk2-api and Nordic's own application take
them apart. The package turns them into microamperes; the counter, which it leaves out, tells how
many samples were lost on the way (a multiple of 64 lost at once is not seen here; then the
meter's clock no longer agrees with the device's, which sync.fit() refuses).
"""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np

from ..errors import InputError, MeterError
from .base import Accuracy, Block, Capabilities, empty
from .options import Options

RATE_HZ = 100_000.0
FULL_SCALE_A = 1.0  # of the largest range
_COUNTER_SHIFT, _COUNTER_MASK = 18, 0x3F
_READ_S = 0.001


def open_meter(place: str, options: Options) -> Ppk2:
    """place: its serial port; "" takes the only one that is connected.

    Options: volts of the supply; mode source (it supplies the board) or ampere (it lies in the
    line of another supply); gain, offset_ua: limits of its error.
    """
    volts = options.number("volts", None, 0.8, 5.0)
    mode = options.choice("mode", "source", ("source", "ampere"))
    gain = options.number("gain", 0.10, 0.0, 1.0)
    offset_ua = options.number("offset_ua", 1.0, 0.0, 1e6)
    options.done()
    try:
        # By name: the package is under the GPL, and nothing of ours depends on it.
        ppk2_api: Any = importlib.import_module("ppk2_api.ppk2_api")
    except ImportError as e:
        raise MeterError(
            "the meter ppk2 needs the package ppk2-api: pip install ppk2-api (its licence is "
            "GPL-2.0)"
        ) from e
    port = place or _only_one(ppk2_api.PPK2_API.list_devices())
    try:
        api = ppk2_api.PPK2_API(port, timeout=1, write_timeout=1, exclusive=True)
    except OSError as e:  # serial.SerialException is one
        raise MeterError(f"the PPK2 on {port} cannot be opened ({e}): check port and cable") from e
    return Ppk2(api, volts, mode, Accuracy(gain, offset_ua * 1e-6 * volts, _SOURCE))


_SOURCE = "assumed limits, not a calibration: give gain= and offset_ua= of your own"


def _only_one(ports: list[str]) -> str:
    # A PPK2 shows up to two ports under one name; the first of them measures.
    if not ports:
        raise InputError("no PPK2 is connected: name its port, as ppk2:/dev/ttyACM1")
    return sorted(ports)[0]


class Ppk2:
    """api: ppk2_api.PPK2_API, or what has its methods."""

    def __init__(self, api: Any, volts: float, mode: str, accuracy: Accuracy) -> None:
        self.capabilities = Capabilities("ppk2", RATE_HZ, 8, accuracy, clock_ppm=5_000.0)
        self._api, self._volts = api, volts
        self.lost = 0  # samples that the counter says are missing
        if api.get_modifiers() is None:
            raise MeterError(
                "the PPK2 did not tell its calibration: unplug it, plug it in, and check that "
                "nothing else uses its port"
            )
        if mode == "source":
            api.use_source_meter()
        else:
            api.use_ampere_meter()
        api.set_source_voltage(round(volts * 1000))
        api.toggle_DUT_power("ON")

    def start(self) -> None:
        self._api.remainder = {"sequence": b"", "len": 0}
        self._rest = b""
        self._index = 0
        self._counter: int | None = None
        self.lost = 0
        self._api.start_measuring()

    def read(self) -> Block:
        raw = self._api.get_data()
        if not raw:
            time.sleep(_READ_S)
            return empty(lines=True)
        words = self._words(raw)
        if not len(words):
            # get_samples() takes what is there for a sample, even when it is not yet a whole one
            return empty(lines=True)
        whole = words.tobytes()
        microamps, bits = self._api.get_samples(whole)
        if len(microamps) != len(words) or len(bits) != len(words):
            raise MeterError("the PPK2 sent samples that ppk2-api cannot read: start it again")
        amps = np.asarray(microamps) * 1e-6
        return Block(
            self._times(words),
            amps * self._volts,
            np.asarray(bits).astype(np.uint8),
            np.abs(amps) > FULL_SCALE_A,
        )

    def _words(self, raw: bytes) -> Any:
        data = self._rest + raw
        whole = len(data) // 4 * 4
        self._rest = data[whole:]
        return np.frombuffer(data[:whole], "<u4")

    def _times(self, words: Any) -> Any:
        """Seconds of each sample, with a gap where the counter jumps."""
        counters = (words >> _COUNTER_SHIFT) & _COUNTER_MASK
        if self._counter is None:
            self._counter = (int(counters[0]) - 1) & _COUNTER_MASK
        before = np.concatenate(([self._counter], counters[:-1].astype(np.int64)))
        steps = (counters.astype(np.int64) - before - 1 & _COUNTER_MASK) + 1
        self._counter = int(counters[-1])
        index = self._index + np.cumsum(steps)
        self._index = int(index[-1])
        self.lost += int(np.sum(steps - 1))
        return index / RATE_HZ

    def stop(self) -> None:
        self._api.stop_measuring()

    def close(self) -> None:
        """The board stays supplied: it has learned something."""
        port = getattr(self._api, "ser", None)
        if port is not None:
            port.close()

    def told(self, timeline: Any) -> None:
        pass

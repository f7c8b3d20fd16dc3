"""The PPK2, at the level of the package's own class: bytes of a serial port go in."""

import struct

import numpy as np
import pytest

from engram_host.errors import InputError, MeterError
from engram_host.meters import ppk2
from engram_host.meters.base import Accuracy
from engram_host.meters.spec import open_meter

LIMITS = Accuracy(0.1, 1e-6, "test")


def word(adc, current_range=2, counter=0, bits=0):
    """A sample as the PPK2 sends it."""
    return struct.pack("<I", adc | current_range << 14 | (counter & 63) << 18 | bits << 24)


class FakeApi:
    """PPK2_API as ppk2-api 0.9.2 has it, but for the port: `sent` is what comes next."""

    def __init__(self):
        self.calls = []
        self.sent = []
        self.remainder = {"sequence": b"", "len": 0}

    def get_modifiers(self):
        return True

    def __getattr__(self, name):
        if name in ("use_source_meter", "use_ampere_meter", "set_source_voltage"):
            return lambda *args: self.calls.append((name, *args))
        if name in ("toggle_DUT_power", "start_measuring", "stop_measuring"):
            return lambda *args: self.calls.append((name, *args))
        raise AttributeError(name)

    def get_data(self):
        return self.sent.pop(0) if self.sent else b""

    def get_samples(self, buf):
        words = struct.unpack(f"<{len(buf) // 4}I", buf)
        return [float(w & 0x3FFF) for w in words], [w >> 24 for w in words]


def meter(*chunks, mode="source"):
    api = FakeApi()
    probe = ppk2.Ppk2(api, 3.3, mode, LIMITS)
    probe.start()
    api.sent += chunks
    return probe, api


def test_the_supply_is_set_before_it_is_switched_on():
    _, api = meter()
    names = [call[0] for call in api.calls]
    assert names == [
        "use_source_meter",
        "set_source_voltage",
        "toggle_DUT_power",
        "start_measuring",
    ]
    assert ("set_source_voltage", 3300) in api.calls and ("toggle_DUT_power", "ON") in api.calls
    assert meter(mode="ampere")[1].calls[0] == ("use_ampere_meter",)


def test_microamperes_become_watts_with_the_digital_inputs():
    probe, _ = meter(b"".join(word(adc=1000 + n, counter=n, bits=n) for n in range(8)))
    block = probe.read()
    assert np.allclose(block.power, (1000 + np.arange(8)) * 1e-6 * 3.3)
    assert block.bits.tolist() == list(range(8))
    assert np.allclose(np.diff(block.t), 1e-5)


def test_samples_cut_anywhere_are_put_together():
    raw = b"".join(word(adc=n, counter=n) for n in range(100))
    cuts = [0, 1, 3, 10, 11, 200, 399, 400]
    probe, _ = meter(*(raw[a:b] for a, b in zip(cuts, cuts[1:])))
    blocks = [probe.read() for _ in cuts[1:]]
    power = np.concatenate([block.power for block in blocks])
    assert np.allclose(power / 3.3e-6, np.arange(100))
    assert np.allclose(np.diff(np.concatenate([b.t for b in blocks])), 1e-5)


def test_lost_samples_leave_a_gap_in_time():
    counters = [60, 61, 62, 63, 0, 1, 12, 13]
    probe, _ = meter(b"".join(word(5, counter=c) for c in counters))
    gaps = np.round(np.diff(probe.read().t) * 1e5).astype(int)
    assert gaps.tolist() == [1, 1, 1, 1, 1, 11, 1] and probe.lost == 10


def test_it_begins_anew():
    probe, api = meter(word(1, counter=7) + b"\x01")
    probe.read()
    probe.stop()
    probe.start()
    api.sent.append(word(2, counter=50))
    block = probe.read()
    assert len(block) == 1 and probe.lost == 0
    assert api.calls[-2:] == [("stop_measuring",), ("start_measuring",)]


def test_a_ppk2_without_calibration_is_refused():
    api = FakeApi()
    api.get_modifiers = lambda: None
    with pytest.raises(MeterError, match="calibration"):
        ppk2.Ppk2(api, 3.3, "source", LIMITS)


def test_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ppk2_api", None)
    with pytest.raises(MeterError, match="pip install ppk2-api"):
        open_meter("ppk2:/dev/null,volts=3.3")


def test_the_voltage_must_be_said_and_be_one_that_it_has():
    with pytest.raises(InputError, match="volts"):
        open_meter("ppk2:/dev/ttyACM1")
    with pytest.raises(InputError, match="0.8 to 5"):
        open_meter("ppk2:/dev/ttyACM1,volts=12")


class FakePort:
    """As much of serial.Serial as ppk2-api uses."""

    def __init__(self, raw):
        self._raw, self.baudrate = raw, 0

    @property
    def in_waiting(self):
        return len(self._raw)

    def read(self, count):
        part, self._raw = self._raw[:count], self._raw[count:]
        return part

    def write(self, data):
        if data == bytes([0x19]):  # GET_META_DATA
            self._raw += b"Calibrated: 0\nR0: 1031.64\nR2: 10.15\nHW: 9173\nIA: 56\nEND"

    def close(self):
        pass


def test_the_package_itself_takes_what_we_give_it(monkeypatch):
    """Where ppk2-api is installed: its own class over a port in memory."""
    real = pytest.importorskip("ppk2_api.ppk2_api")
    port = FakePort(b"")
    monkeypatch.setattr(real.serial, "Serial", lambda *args, **kwargs: port)
    probe = open_meter("ppk2:/dev/none,volts=3.0")
    probe.start()
    port._raw += b"".join(word(adc=400, counter=n, bits=n & 7) for n in range(50))[:-1]
    block = probe.read()
    assert len(block) == 49 and block.bits.tolist() == [n & 7 for n in range(49)]
    expected = 4 * 400 * (1.8 / 163840) / 10.15 * 3.0  # gains 1, offsets 0 in that calibration
    assert block.power[-1] == pytest.approx(expected, rel=0.01)
    probe.close()

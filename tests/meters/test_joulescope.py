"""The Joulescope, at the level of pyjoulescope_driver.Driver: what it publishes goes in."""

import numpy as np
import pytest

from engram_host.errors import InputError, MeterError
from engram_host.meters import joulescope
from engram_host.meters.base import Accuracy, joined
from engram_host.meters.spec import open_meter

LIMITS = Accuracy(0.01, 1e-6, "test")
PATH = "u/js220/000123"


class FakeDriver:
    """Driver as pyjoulescope_driver 2.2 has it: publish, subscribe, and what the device sends."""

    def __init__(self, *paths):
        self.paths = list(paths)
        self.published = []
        self.listeners = {}
        self.opened = []

    def device_paths(self, timeout=None):
        return self.paths

    def open(self, device_prefix, mode=None, timeout=None):
        self.opened.append((device_prefix, mode))

    def close(self, device_prefix, timeout=None):
        self.opened.clear()

    def finalize(self, timeout=None):
        self.paths = []

    def publish(self, topic, value, timeout=None):
        self.published.append((topic, value))

    def subscribe(self, topic, flags, fn, timeout=None):
        assert flags == "pub"
        self.listeners[topic] = fn

    def unsubscribe(self, topic, fn, timeout=None):
        assert self.listeners.pop(topic) is fn

    def send(self, signal, first, data, factor=10):
        topic = f"{self.paths[0]}/{signal}/!data"
        value = {"sample_id": first * factor, "sample_rate": 1_000_000, "decimate_factor": factor}
        self.listeners[topic](topic, {**value, "utc": 0, "data": data})


def meter(path=PATH):
    driver = FakeDriver(path)
    probe = joulescope.Joulescope(driver, "", 100_000, LIMITS)
    probe.start()
    return probe, driver


def lines(driver, first, codes):
    """Digital inputs of some samples, eight a byte as the driver gives them."""
    for line in range(4):
        packed = np.packbits((np.asarray(codes) >> line) & 1, bitorder="little")
        driver.send(f"s/gpi/{line}", first, packed)


def test_power_and_inputs_come_as_one_block():
    probe, driver = meter()
    codes = np.arange(16) % 8
    driver.send("s/p", 500, np.linspace(0.01, 0.02, 16, dtype=np.float32))
    assert not len(probe.read())  # the inputs have not come
    lines(driver, 500, codes)
    block = probe.read()
    assert block.bits.tolist() == codes.tolist()
    assert np.allclose(block.power, np.linspace(0.01, 0.02, 16), rtol=1e-6)
    assert np.allclose(np.diff(block.t), 1e-5) and block.t[0] == 0


def test_signals_that_come_unevenly_meet_by_their_numbers():
    probe, driver = meter()
    driver.send("s/p", 0, np.full(24, 0.01, np.float32))
    lines(driver, 0, np.full(8, 3))
    first = probe.read()
    lines(driver, 8, np.full(16, 5))
    second = probe.read()
    whole = joined([first, second])
    assert whole.bits.tolist() == [3] * 8 + [5] * 16
    assert np.allclose(np.diff(whole.t), 1e-5)


def test_dropped_samples_leave_a_gap():
    probe, driver = meter()
    power = np.full(16, 0.01, np.float32)
    power[4:6] = np.nan  # lost on the way over USB
    driver.send("s/p", 0, power)
    lines(driver, 0, np.zeros(16, int))
    driver.send("s/p", 32, np.full(8, 0.01, np.float32))
    lines(driver, 32, np.zeros(8, int))
    gaps = np.round(np.diff(probe.read().t) * 1e5).astype(int)
    assert gaps.tolist() == [1] * 3 + [3] + [1] * 9 + [17] + [1] * 7


def test_a_js110_streams_current_and_voltage_for_the_power_and_has_two_inputs():
    probe, driver = meter("u/js110/004711")
    assert probe.capabilities.lines == 2
    assert ("u/js110/004711/s/i/ctrl", 1) in driver.published
    assert ("u/js110/004711/s/v/ctrl", 1) in driver.published


def test_it_switches_off_what_it_switched_on():
    probe, driver = meter()
    starts = {topic for topic, value in driver.published if topic.endswith("/ctrl") and value}
    probe.stop()
    stops = {topic for topic, value in driver.published if topic.endswith("/ctrl") and not value}
    assert starts == stops and not driver.listeners
    assert driver.opened == [(PATH, "defaults")]
    probe.close()
    assert driver.opened == []


def test_one_of_several_is_named_by_its_serial_number():
    driver = FakeDriver(PATH, "u/js220/000777")
    with pytest.raises(InputError, match="000777"):
        joulescope.Joulescope(driver, "", 100_000, LIMITS)
    joulescope.Joulescope(driver, "777", 100_000, LIMITS)
    with pytest.raises(InputError, match="none"):
        joulescope.Joulescope(FakeDriver(), "", 100_000, LIMITS)


def test_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", None)
    with pytest.raises(MeterError, match="pip install pyjoulescope_driver"):
        open_meter("joulescope")


def test_the_driver_itself_has_what_we_call():
    """Where pyjoulescope_driver is installed: it opens, and no Joulescope is here."""
    real = pytest.importorskip("pyjoulescope_driver")
    for name in ("publish", "subscribe", "unsubscribe", "open", "close", "finalize"):
        assert callable(getattr(real.Driver, name))
    with pytest.raises(InputError, match="one Joulescope"):
        open_meter("joulescope")

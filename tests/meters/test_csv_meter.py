"""Recordings of bench meters: what their exports look like, and what cannot be read."""

import numpy as np
import pytest

from engram_host.errors import InputError
from engram_host.meters.spec import open_meter


def read(tmp_path, text, options=""):
    file = tmp_path / "recording.csv"
    file.write_text(text, encoding="utf-8")
    probe = open_meter(f"csv:{file}{options}")
    probe.start()
    return probe, probe.read()


def test_power_and_time_in_si(tmp_path):
    probe, block = read(tmp_path, "time,power\n10.0,0.5\n10.1,0.6\n10.2,0.7\n")
    assert np.allclose(block.t, [0, 0.1, 0.2]) and np.allclose(block.power, [0.5, 0.6, 0.7])
    assert block.bits is None and probe.capabilities.lines == 0
    assert not probe.capabilities.live and not len(probe.read())


def test_nordics_export_with_its_digital_inputs(tmp_path):
    """nRF Connect Power Profiler: milliseconds, microamperes, D0 first."""
    text = "Timestamp(ms),Current(uA),D0-D7\n0.00,1500.0,10000000\n0.01,1600.0,01000001\n"
    probe, block = read(tmp_path, text, ",volts=3.0")
    assert np.allclose(block.t, [0, 1e-5]) and np.allclose(block.power, [4.5e-3, 4.8e-3])
    assert block.bits.tolist() == [0b1, 0b10000010] and probe.capabilities.lines == 8


def test_a_voltage_column_and_a_line_column_each(tmp_path):
    text = "# made by a meter\n\nt [s];I [mA];U [V];D0;D1\n0;10;3.3;1;0\n0.5;20;3.0;1;1\n"
    probe, block = read(tmp_path, text)
    assert np.allclose(block.power, [0.033, 0.06]) and block.bits.tolist() == [1, 3]
    assert probe.capabilities.lines == 2


def test_decimal_commas(tmp_path):
    text = "time_ms;power_mW\n0,5;12,25\n1,5;13,5\n"
    _, block = read(tmp_path, text, ",decimal=comma")
    assert np.allclose(block.t, [0, 1e-3]) and np.allclose(block.power, [0.01225, 0.0135])


def test_columns_and_units_by_name(tmp_path):
    text = "when\tchan a\tchan b\n0\t5\t1\n1\t6\t2\n"
    options = ",time=when,time_unit=ms,power=chan b,power_unit=uW,delimiter=tab"
    _, block = read(tmp_path, text, options)
    assert np.allclose(block.t, [0, 1e-3]) and np.allclose(block.power, [1e-6, 2e-6])


def test_a_lost_line_leaves_a_gap_and_a_limit_marks_overrange(tmp_path):
    text = "time,power\n0,0.1\n1,\n2,5.0\n3,0.2\n"
    _, block = read(tmp_path, text, ",limit=5")
    assert block.t.tolist() == [0, 2, 3] and block.overrange.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "text, options, words",
    [
        ("time,current_mA\n0,1\n1,1\n", "", "volts="),
        ("when,power\n0,1\n1,1\n", "", "time=HEAD"),
        ("time,heat\n0,1\n1,1\n", "", "power=HEAD"),
        ("time,power\n0,1\n1,1\n", ",power=p2", "expected a column 'p2', got time, power"),
        ("time,power (dBm)\n0,1\n1,1\n", "", "power_unit="),
        ("time,power\n1,1\n0,1\n", "", "grow"),
        ("time,power\n0,1\n1,1,7\n", "", ":3: expected 2 columns, got 3"),
        ("hello\n", "", "column heads"),
        ("time,power\n", "", "column heads"),
        ("time,power\n0,1\n1,1\n", ",bogus=1", "no option bogus"),
        ("time,power\n0,1\n1,1\n", ",decimal=dot", "point or comma"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, text, options, words):
    with pytest.raises(InputError) as error:
        read(tmp_path, text, options)
    assert words in str(error.value)


def test_a_file_is_needed():
    with pytest.raises(InputError, match="csv:recording.csv"):
        open_meter("csv")
    probe = open_meter("csv:nowhere.csv")
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        probe.read()


@pytest.mark.parametrize("text", ["", "PPK2", "oscilloscope:1", ":x"])
def test_a_meter_that_is_none(text):
    with pytest.raises(InputError, match="expected"):
        open_meter(text)

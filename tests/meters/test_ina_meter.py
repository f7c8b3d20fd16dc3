"""The INA chips: the script that reads them, and the host's end of its frames."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engram_host import boards
from engram_host.errors import InputError, MeterError
from engram_host.meters import ina, ina_board
from engram_host.meters.base import Accuracy, joined
from engram_host.meters.spec import open_meter

sys.modules.setdefault("ina_board", ina_board)
from meters import ina_chip  # noqa: E402  (finds the script under the name it has on a board)

SCRIPT = Path(ina_board.__file__)
LIMITS = Accuracy(0.02, 1e-5, "test")
ROWS = [(-5, 700), (1000, 701), (32, 4095)]


class FakeRepl:
    """A board at its raw REPL: takes a program, then streams."""

    def __init__(self, raw, failure=b""):
        self.name, self.typed, self.closed = "fake", b"", False
        self._raw, self._failure, self._out = raw, failure, b""

    def write(self, data):
        self.typed += data
        if data.endswith(b"\x01"):
            self._out += b"\r\nMPY: raw REPL; CTRL-B to exit\r\n>"
        elif data.endswith(b"\x04"):
            self._out += b"OK" + (self._failure or self._raw)

    def read(self, timeout_s):
        part, self._out = self._out[:37], self._out[37:]
        return part

    def close(self):
        self.closed = True


def meter(chip, raw, failure=b"", shunt=0.1):
    start = ina.start_line(chip, 0x40, 500, {"bus": "1", "sda": "6", "scl": "P7"})
    return ina.Ina(FakeRepl(raw, failure), chip, shunt, start, 500, LIMITS)


def everything(probe):
    probe.start()
    blocks = [probe.read() for _ in range(80)]
    return joined([block for block in blocks if len(block)])


@pytest.mark.parametrize(
    "chip, shunt_v, bus_v", [("ina219", 10e-6, 4e-3), ("ina226", 2.5e-6, 1.25e-3)]
)
def test_registers_become_watts(chip, shunt_v, bus_v):
    raw, _ = ina_chip.stream(chip, ROWS, 50)
    block = everything(meter(chip, raw, shunt=0.1))
    shunt = np.array([ROWS[i % 3][0] for i in range(50)]) * shunt_v
    volts = np.array([ROWS[i % 3][1] for i in range(50)]) * bus_v
    assert np.allclose(block.power, shunt / 0.1 * volts)
    assert block.bits is None and not block.overrange.any()


def test_an_ina228_has_twenty_bits():
    raw, written = ina_chip.stream("ina228", [(-500_000, 16_896), (3, 16_897)], 32)
    block = everything(meter("ina228", raw, shunt=0.015))
    assert block.power[0] == pytest.approx(-500_000 * 312.5e-9 / 0.015 * 16_896 * 195.3125e-6)
    assert written == [(0x40, 0x00, b"\x00\x00"), (0x40, 0x01, b"\xb1\x00")]


# Conversion times in us as the data sheets have them, the longest: SBOS448F (12 bit only),
# SBOS547, SLYS021A with the oscillator's 1 % over temperature.
LONGEST_US = {
    "ina219": {3: 586},
    "ina226": dict(enumerate((154, 224, 365, 646, 1210, 2328, 4572, 9068))),
    "ina228": {n: us * 1.01 for n, us in enumerate((50, 84, 150, 280, 540, 1052, 2074, 4120))},
}
# Register with the settings; the lowest bits of its fields: bus, shunt, mode.
FIELDS = {"ina219": (0, 7, 3, 0), "ina226": (0, 6, 3, 0), "ina228": (1, 9, 6, 12)}
CONTINUOUS = {"ina219": 0b111, "ina226": 0b111, "ina228": 0b1011}  # shunt and bus
WIDTH = {"ina219": (4, 3), "ina226": (3, 3), "ina228": (3, 4)}  # bits of a time, of the mode


@pytest.mark.parametrize("chip", list(FIELDS))
def test_the_chip_converts_shunt_and_bus_within_a_period(chip):
    register, bus, shunt, mode = FIELDS[chip]
    word = dict(ina_board.chip(chip)[0])[register]
    time_bits, mode_bits = WIDTH[chip]
    assert word >> mode & (1 << mode_bits) - 1 == CONTINUOUS[chip]
    codes = [word >> at & (1 << time_bits) - 1 for at in (bus, shunt)]
    longest = sum(LONGEST_US[chip][code] for code in codes)
    assert 0.9 * ina.CHIPS[chip].period_us < longest <= ina.CHIPS[chip].period_us
    assert LONGEST_US[chip][codes[1]] >= LONGEST_US[chip][codes[0]]


def test_the_error_of_power_is_that_of_its_factors():
    limits = ina.CHIPS["ina226"].accuracy(0.1, 0.01, 3.3)
    assert limits.gain == pytest.approx(0.001 + 0.001 + 7.5e-3 / 3.3 + 0.01)
    assert limits.offset_w == pytest.approx(10e-6 / 0.1 * 3.3)
    assert "SBOS547" in limits.source


def test_times_go_on_where_the_boards_counter_turns_over():
    raw, _ = ina_chip.stream("ina226", ROWS, 64)
    t = everything(meter("ina226", raw)).t
    assert np.all(np.diff(t) > 0) and np.max(np.diff(t)) < 2e-3


def test_full_scale_is_overrange():
    raw, _ = ina_chip.stream("ina226", [(32767, 2640), (100, 2640)], 32)
    assert everything(meter("ina226", raw)).overrange.tolist() == [True, False] * 16


def test_damaged_bytes_cost_a_frame_and_nothing_else():
    raw, _ = ina_chip.stream("ina226", ROWS, 64)
    size = len(raw) // 4
    stream = raw[: size + 20] + b"\x00" + raw[size + 21 : 2 * size] + b"noise" + raw[2 * size :]
    probe = meter("ina226", stream)
    block = everything(probe)
    assert len(block) == 48 and probe.damaged == size + 5
    assert np.max(np.diff(block.t)) > 16 * 400e-6


def test_the_program_that_is_typed_is_the_script_and_its_start():
    probe = meter("ina219", b"")
    probe.start()
    text = probe._transport.typed
    assert SCRIPT.read_bytes() in text
    assert b"machine.I2C(1, sda=machine.Pin(6), scl=machine.Pin('P7'), freq=400000)" in text
    program = text[text.index(b"\x01") + 1 : -1]
    compile(program, "typed", "exec")
    assert b"\x03" not in program and b"\x04" not in program
    probe.stop()
    probe.close()
    assert probe._transport.typed.endswith(b"\r") and probe._transport.closed


def test_a_script_that_fails_says_so():
    failure = (
        b"\x04Traceback (most recent call last):\r\n  File ...\r\nOSError: [Errno 19] ENODEV\r\n"
    )
    probe = meter("ina219", b"", failure)
    with pytest.raises(MeterError, match="ENODEV.*wiring"):
        everything(probe)


def test_a_port_and_a_known_chip_are_needed():
    with pytest.raises(InputError, match="port"):
        open_meter("ina")
    with pytest.raises(InputError, match="ina219 or ina226"):
        open_meter("ina:/dev/ttyACM1,chip=ina260")


def test_the_script_imports_nothing_of_ours_and_no_hardware():
    lines = re.findall(r"^\s*((?:import|from) .*)$", SCRIPT.read_text(), re.M)
    assert lines == ["import struct", "from binascii import crc32"]


@pytest.mark.board
def test_the_script_gives_the_same_bytes_on_micropython(tmp_path):
    """On the unix port: the words of the registers, the frames, the CRC."""
    program = boards.load("unix").artefact
    assert program.exists(), "build the unix board first: engram build unix"
    for path in (SCRIPT, Path(ina_chip.__file__)):
        (tmp_path / path.name).write_text(path.read_text())
    result = subprocess.run(
        [str(program), str(tmp_path / "ina_chip.py")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    here = subprocess.run(
        [sys.executable, "ina_chip.py"], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == here.returncode == 0, result.stderr + here.stderr
    assert result.stdout == here.stdout and here.stdout.count("a5") >= 3

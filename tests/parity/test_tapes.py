"""Tapes of the C kernels: one check on every board, with the firmware's kernels and with a .mpy's.

CPython's face is the reference for what is written and for every message; what else the check
holds on a board stands in tests/device/tape_check.py.
"""

import time

import pytest

from firmware import natmod
from firmware.natmod import modules
from hosts import BOARDS, BoardHost

FILES = ["kernels_source", "kernels_cases", "kernels_cases_q8", "kernels_check", "tape_check"]
PARTS = (modules.CORE, *modules.FAMILIES)


@pytest.mark.board
@pytest.mark.parametrize("host", BOARDS)
def test_a_tape_does_what_calls_do(outputs, host):
    expected = outputs("cpython-c", "tape_check")
    assert len(expected) > 100
    assert outputs(host, "tape_check") == expected


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arch", "parts"),
    [("unix", "x64", ()), ("unix", "x64", PARTS), ("qemu_m4f", "armv7emsp", ())],
    ids=["x64", "x64-parts", "armv7emsp"],
)
def test_a_tape_of_a_native_module(outputs, tmp_path, name, arch, parts):
    """In parts too: the tapes of the first take the kernels of all of them."""
    files = {n: natmod.build.build(arch, n) for n in parts} or natmod.whole(arch)
    host = BoardHost(name, tmp_path)
    host.start()
    try:
        lines = natmod.run(host, files, "tape_check", FILES)
    finally:
        host.stop()
    assert lines == outputs("cpython-c", "tape_check")


# Rows that take seconds: each multiplies, then counts.
LONG = """
from array import array
from engram.backend import kernels
x, n, one = (array("f", bytes(4 * k)) for k in (4096, 1, 1))
one[0] = 1
rows = [(kernels.dense_fwd, x, x[:], x[:], None, 64, 64, 64), (kernels.axpy_f32, n, one, one)]
tape = kernels.bind(rows * 1000)
print("ready")
kernels.run(tape)
"""


@pytest.mark.board
def test_ctrl_c_ends_a_tape_between_rows(tmp_path):
    host = BoardHost("qemu_m4f", tmp_path)
    host.start()
    try:
        line = host.transport
        line.enter_raw_repl(soft_reset=True)
        line.exec_raw_no_follow(LONG)
        line.read_until(1, b"ready\r\n", timeout=10)
        time.sleep(0.3)
        line.serial.write(b"\x03")
        _, error = line.follow(60)
        steps = float(host.exec("print(n[0])"))
        calls = int(host.exec("kernels.run(tape, 0, 2); print(int(n[0]))"))
    finally:
        host.stop()
    assert b"KeyboardInterrupt" in error
    assert 0 < steps < 1000
    assert calls == steps + 1

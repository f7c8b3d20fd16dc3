"""The kind of a stock board's figures: `device` is said of chips alone."""

from types import SimpleNamespace

import pytest

from engram_host import api, boards, virtual
from engram_host.install import installer
from engram_host.line import ports

WISHES = SimpleNamespace(board=None, store="ram", store_bytes=None)


@pytest.mark.parametrize(
    ("platform", "kind", "unit"),
    [
        ("mps2", "icount", "instructions"),
        ("linux", "host", "us"),
        ("rp2", "device", "us"),
        ("esp32", "device", "us"),
    ],
)
def test_a_board_without_a_name_says_what_its_platform_is(platform, kind, unit):
    """As one at a serial port: MicroPython on an emulator or a computer is no device."""
    board = SimpleNamespace(platform=platform, root="")
    settings = installer._settings(board, WISHES, {}, 100_000, False)
    assert settings["counter"] == {"kind": kind, "unit": unit}


def test_a_board_that_is_known_says_what_its_board_toml_says():
    known = SimpleNamespace(board=boards.load("virtual_pico").facts, store="ram", store_bytes=None)
    board = SimpleNamespace(platform="rp2", root="")
    settings = installer._settings(board, known, {}, 100_000, False)
    assert settings["counter"] == {"kind": "cycles", "unit": "us"}


@pytest.mark.board
def test_a_virtual_board_is_known_by_its_serial_port_too(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    try:
        tty = str(api.start("unix").tty)
        assert ports.resolve(tty).board == "unix"
        assert ports.resolve("/dev/ttyACM9").board is None
    finally:
        virtual.stop("unix")

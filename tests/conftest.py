"""What every test may rely on: the libraries importable, a private place for virtual boards."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from thorough import is_thorough

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config):
    """Give this run its own virtual boards, so that it neither finds nor disturbs the user's.

    Done by environment, because the command line under test runs as a child process. An
    ENGRAM_STATE that is set already is left alone: then the caller wants just those. A worker of
    pytest-xdist inherits that of the whole run, and needs boards of its own too.
    """
    if "ENGRAM_STATE" not in os.environ or hasattr(config, "workerinput"):
        place = tempfile.TemporaryDirectory(prefix="engram-", ignore_cleanup_errors=True)
        config.add_cleanup(place.cleanup)
        os.environ["ENGRAM_STATE"] = place.name
    libraries = [str(ROOT / "device_lib"), str(ROOT / "host")]
    inherited = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*libraries, *inherited]))


def pytest_collection_modifyitems(items):
    """Marks `thorough` what thorough.py lists."""
    for item in items:
        if is_thorough(item.nodeid.removeprefix("tests/")):
            item.add_marker("thorough")


def pytest_runtest_setup(item):
    """Holds tests without the mark `board` to what they say: no firmware is started for them.

    On a checkout without firmware they would fail, on another they would take an emulator.
    """
    if item.get_closest_marker("thorough") and "thorough" not in item.config.option.markexpr:
        pytest.skip("thorough: make test-boards runs it")
    started_by[0] = None if item.get_closest_marker("board") else item.nodeid
    boards = sys.modules.get("engram_host.boards")
    if boards and not hasattr(boards.Board.command, "guarded"):
        boards.Board.command = guarded(boards.Board.command)


started_by = [None]  # the test without the mark `board` that runs, if it is one


def guarded(command):
    """Board.command, which fails a test that is not marked `board` where it asks for firmware."""

    def checked(board, flash_file, firmware=None):
        is_virtual = board.kind  # raises what command() raises for a real chip
        assert firmware or not is_virtual or not started_by[0], (
            f"{started_by[0]} starts the firmware of {board.name}; mark it board"
        )
        return command(board, flash_file, firmware)

    checked.guarded = True
    return checked


def pytest_report_header(config):
    """One line that says which kernels the tests on this computer ran with."""
    from engram import backend

    return f"engram: kernels {backend.kernels.__name__}"

"""How long a board may be silent: by the clock, or by the work of a virtual board's process."""

import os
import subprocess
import sys

import pytest

from engram_host import virtual
from engram_host.line import patience


class Board:
    """A transport of which `seconds` of work are known."""

    def __init__(self, seconds):
        self.seconds = seconds

    def worked(self):
        return self.seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("worked", "passed", "work", "over"),
    [
        (None, 39, None, False),
        (None, 41, None, True),
        (5.0, 41, 8.0, False),  # the computer is busy with others
        (5.0, 200, 124.0, False),  # an emulator works three seconds for one of a board
        (5.0, 200, 126.0, True),  # it has worked and says nothing
        (5.0, 399, 5.0, False),
        (5.0, 401, 5.0, True),  # it does not even work
        (5.0, 41, None, True),  # it has gone
    ],
)
def test_silence_is_that_of_the_board(clock, worked, passed, work, over):
    board = Board(worked)
    wait = patience.Patience(board, 40)
    clock[0] += passed
    board.seconds = work
    assert wait.is_over() == over


def test_a_sign_of_life_begins_anew(clock):
    board = Board(None)
    wait = patience.Patience(board, 40)
    clock[0] += 39
    wait.heard()
    clock[0] += 39
    assert not wait.is_over()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_the_work_of_a_process_is_read(monkeypatch):
    busy = "import time\nwhile time.process_time() < 0.3: pass\ninput()  # ) ("
    process = subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE)
    try:
        status = virtual.Status("any", None, 0, process.pid)
        monkeypatch.setattr(virtual, "status", lambda name: status)
        before = virtual.worked("any")
        assert before is not None
        while virtual.worked("any") < 0.2:
            assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    monkeypatch.setattr(virtual, "status", lambda name: None)
    assert virtual.worked("any") is None

"""The heap where the library is in RAM: how often it is collected, and its names."""

import re

import pytest

from engram_host import boards
from engram_host.install import installer
from engram_host.progress import Silent

pytestmark = pytest.mark.board

OPEN = """
import gc, engram.compat as c
print(gc.threshold())
c.collect_rarely()
print(round(4 * gc.threshold() / gc.mem_free()))
keep = bytearray(gc.mem_free() - 20000)
c.collect_rarely()
print(gc.threshold())
del keep
c.collect_rarely()
c.collect_often()
print(gc.threshold())
"""


def test_often_while_it_is_loaded_rarely_while_it_learns(stock, repl):
    """A quarter of what is free, where that is more: a collection costs more than a kernel."""
    line = stock("unix_stock")
    installer.install(line, installer.Wishes(board=boards.load(line.name).facts), Silent())
    often, quarters, tight, again = map(int, repl("unix_stock").run(OPEN).split())
    assert (often, quarters, tight, again) == (8192, 1, 8192, 8192)


def test_firmware_with_engram_collects_when_it_must(repl):
    """Except while a learner is opened, whose arena needs one piece."""
    output = repl("unix").run(
        OPEN.split("print(round")[0]
        + "print(gc.threshold())\nc.collect_often()\nprint(gc.threshold())\n"
        + "c.collect_rarely()\nprint(gc.threshold())"
    )
    assert output.split() == ["-1", "-1", "8192", "-1"]


# All that a session loads: the agent, opening a model, samples, learning, evaluating, figures.
SESSION = """
import engram.link.agent, engram.link.states, engram.link.rare, engram.link.samples
import engram.opener, engram.stores, engram.places, engram.nn.model, engram.nn.net
from engram.opener import load_code
load_code()
import engram.continual.opening, engram.continual.config, engram.nn.plan, engram.nn.sections
import engram.continual.shares, engram.continual.divergence, engram.continual.rehearsal
import engram.npy, engram.continual.evaluation, engram.continual.facts, engram.link.remembered
import micropython
micropython.qstr_info()
"""
# Tables of 12, 24, ... 768 names; the next one takes 11 kB of a heap of 235 kB.
MOST_NAMES = 1524


def test_a_session_has_room_for_its_names(stock, repl):
    """MicroPython keeps each name that it has read. A demo reads 66 more than these modules have;
    34 are for other strategies and policies, and for programs."""
    line = stock("qemu_m4f_stock")
    installer.install(line, installer.Wishes(board=boards.load(line.name).facts), Silent())
    output = repl("qemu_m4f_stock").run(SESSION)
    assert int(re.search(r"n_qstr=(\d+)", output)[1]) <= MOST_NAMES - 100

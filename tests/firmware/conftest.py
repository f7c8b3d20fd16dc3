"""Boards as child processes, built when they are not there."""

import pytest

from firmware.child import children
from firmware.ready import ready

VIRTUAL = ("unix", "qemu_m4f")


@pytest.fixture(scope="session")
def built():
    """built(name): the board, its firmware in place."""
    return ready


@pytest.fixture(params=VIRTUAL)
def name(request):
    return request.param


@pytest.fixture
def start(built, tmp_path):
    """start(name): a running board on this test's own flash file, at the raw REPL; its next start
    finds the same flash."""
    with children() as begin:
        yield lambda name: begin(built(name).name, tmp_path / (name + ".bin"))


@pytest.fixture
def child(start, name):
    return start(name)

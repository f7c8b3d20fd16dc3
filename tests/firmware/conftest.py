"""Boards as child processes, built when they are not there."""

import pytest

from engram_host import boards, build
from firmware.child import children

VIRTUAL = ("unix", "qemu_m4f")


@pytest.fixture(scope="session")
def built():
    """built(name): the board, its firmware in place."""

    def make(name):
        board = boards.load(name)
        if not board.artefact.exists():
            build.build(board)
        return board

    return make


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

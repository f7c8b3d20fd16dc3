"""Boards with stock firmware, each test's own."""

import pytest

from engram_host import boards, build, virtual
from engram_host.install.raw_repl import RawRepl
from engram_host.line.transport.serial_port import SerialTransport


@pytest.fixture
def stock(tmp_path, monkeypatch):
    """stock(name): a transport to a board that was just started, with blank flash."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    lines = {}

    def start(name):
        board = boards.load(name)
        if not board.artefact.exists():
            build.build(board)
        status = virtual.ensure(name, board.command)
        if name in lines:
            lines[name].close()
        lines[name] = SerialTransport(str(status.tty), board.baud, name=name)
        return lines[name]

    yield start
    for name, line in lines.items():
        line.close()
        virtual.stop(name)


@pytest.fixture
def repl(stock):
    """repl(name): the raw REPL of such a board."""

    def enter(name):
        client = RawRepl(stock(name))
        client.enter()
        return client

    return enter

"""From what the user calls a board (its name, or any URL pyserial opens) to a transport."""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

from serial.tools import list_ports

from engram_host import boards, virtual
from engram_host.errors import InputError
from engram_host.line.transport.serial_port import SerialTransport

ENVIRONMENT = "ENGRAM_PORT"


class Target(NamedTuple):
    """url: for pyserial. board: its name, where it is known."""

    url: str
    baud: int
    board: str | None


def resolve(port: str | None) -> Target:
    """The target that `port` names (None: the environment's ENGRAM_PORT). Starts a virtual board.

    Raises InputError when no port is named, VirtualBoardError when the board does not start.
    """
    port = port or os.environ.get(ENVIRONMENT)
    if not port:
        raise InputError(
            f"expected a port, got none; use --port (or {ENVIRONMENT}) with a board's name, as "
            f"{_example()}, or a serial port{_found()}"
        )
    if not boards.is_known(port):
        return Target(port, 115200, _virtual_at(port))
    board = boards.load(port)
    if not board.is_virtual:
        raise InputError(
            f"{port} is a real board: say where it is connected, as --port /dev/ttyACM0{_found()}"
        )
    state = virtual.ensure(port, board.command)
    return Target(str(state.tty), board.baud, port)


def _virtual_at(url: str) -> str | None:
    """The virtual board that runs at a serial port: an emulator's figures are not a device's."""
    for board in boards.load_all():
        if board.is_virtual:
            for name in (board.name, board.name + boards.STOCK):
                state = virtual.status(name) if boards.is_known(name) else None
                if state and str(state.tty) == url:
                    return name
    return None


def virtual_board(port: str | None) -> boards.Board | None:
    """The virtual board that `port` (None: the environment's ENGRAM_PORT) names; nothing is
    started."""
    name = port or os.environ.get(ENVIRONMENT) or ""
    board = boards.load(name) if boards.is_known(name) else None
    return board if board and board.is_virtual else None


def open_transport(port: str | None) -> SerialTransport:
    """The serial port of a board, open."""
    target = resolve(port)
    if not target.board:
        return SerialTransport(target.url, target.baud, name=target.url)
    worked = partial(virtual.worked, target.board)
    return SerialTransport(target.url, target.baud, target.board, worked)


def serial_ports() -> list[dict[str, str]]:
    """Serial ports of this computer that something is connected to: port, description."""
    return [
        {"port": p.device, "description": p.description or ""}
        for p in sorted(list_ports.comports())
        if p.vid is not None  # a plug; others are on-board UARTs with nothing behind them
    ]


def virtual_ports() -> list[dict[str, str]]:
    """Virtual boards that run, with stock firmware too: port, description."""
    names = [b.name for b in boards.load_all() if b.is_virtual]
    stock = [name + boards.STOCK for name in names if boards.is_known(name + boards.STOCK)]
    states = (virtual.status(name) for name in names + stock)
    return [{"port": str(b.tty), "description": f"virtual board {b.name}"} for b in states if b]


def _example() -> str:
    virtuals = [b.name for b in boards.load_all() if b.is_virtual]
    return virtuals[0] if virtuals else "qemu_m4f"


def _found() -> str:
    urls = [p["port"] for p in serial_ports()]
    return f" (connected: {', '.join(urls)})" if urls else " (none is connected)"

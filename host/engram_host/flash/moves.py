"""The files and samples on a board that a firmware cannot see, told before it is flashed."""

from __future__ import annotations

from engram_host.boards import Board
from engram_host.flash.image import Image


def lost(board: Board, image: Image) -> str:
    """The files that will be lost, and how to keep them, in sentences; "" where nothing moves.

    MicroPython alone has one file system behind its firmware. A firmware of ours with a region for
    a learner has a smaller one, at another address, and makes it anew where it finds none. Which
    of the two a board has cannot be asked: it is in its boot loader.
    """
    flash, stock = board.flash, board.facts["flash"].get("with_stock")
    if not stock:
        return ""
    place = _place(board, flash.firmware_bytes, flash.fs_bytes)
    alone = _place(board, stock["firmware_bytes"], stock["fs_bytes"])
    if image.engram is None:
        return (
            f"MicroPython alone has its files in {alone}. Where Engram's firmware for "
            f"{board.name} runs now, its files ({place}) and the {flash.store_bytes:,} bytes of "
            "the learner behind them are lost. First copy what is to stay: mpremote cp -r : backup"
        )
    return (
        f"This firmware has its files in {place}, at /flash, and {flash.store_bytes:,} bytes "
        f"behind them for the learner. Where MicroPython alone runs now, all its files ({alone}) "
        "are lost. First copy what is to stay: mpremote cp -r : backup. Then `engram push model "
        "--fresh` erases what is left of them. A board with this division keeps everything."
    )


def _place(board: Board, first: int, size: int) -> str:
    """A region of flash, in words. first: counted as firmware_bytes are."""
    at = board.facts["flash"].get("data_at")
    where = "" if at is None else f" at 0x{at - board.flash.firmware_bytes + first:08x}"
    return f"{size:,} bytes{where}"

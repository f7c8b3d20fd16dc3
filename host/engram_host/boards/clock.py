"""Time from a board's counter: microseconds, or cycles at the frequency of the chip.

Instructions are no time: how many cycles one takes is the chip's affair (planning.energy).
"""

from __future__ import annotations

from . import is_known, load


def frequency(board: str, unit: str) -> int | None:
    """Hz of a counter; None where it counts no time: instructions, cycles of who knows what."""
    if unit == "us":
        return 1_000_000
    if unit == "cycles" and is_known(board):
        hz: int = load(board).facts["chip"]["clock_hz"]
        return hz
    return None


def milliseconds(count: float, board: str, unit: str) -> float | None:
    """Counter units as time; None where they are none."""
    hz = frequency(board, unit)
    return None if hz is None else count * 1e3 / hz


def frequency_words(board: str, unit: str) -> str:
    """ " at 125 MHz" where time is computed from cycles, else ""."""
    hz = frequency(board, unit) if unit == "cycles" else None
    return "" if hz is None else f" at {hz / 1e6:g} MHz"

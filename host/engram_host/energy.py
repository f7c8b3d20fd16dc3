"""Time and energy from instruction counts: a model, and labelled so wherever it is shown.

    time   = instructions * cycles per instruction / clock
    energy = time * power while active

Instructions come from the emulator, or, before anything ran, from multiply-accumulates. Clock,
cycles per instruction and power are facts of a board and stand in its board.toml with their
sources. What the model leaves out: the radio, flash programming current, sleep, and that the
cycles of an instruction depend on the instruction. It ranks and it budgets; a meter measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

from .errors import InputError

Board = Mapping[str, Any]  # the content of a board.toml

# Instructions a multiply-accumulate, for estimates before a run, from the firmware rows of
# docs/benchmarks.md (qemu_m4f). int8: the mean of the four convolutions (pointwise 1.2, 3x3 1.2,
# depthwise 4.3, 3x3 of one channel 6.9, whose sums are 9 long, so that what is done once an output
# weighs more). f32: the mean of pointwise and 3x3 convolution, forward, dx and dW (2.0 to 2.5).
# A run on a virtual board replaces the estimate by a count.
INSTRUCTIONS_PER_MAC = {"int8": 3.4, "f32": 2.3}


class Cost(TypedDict):
    """What some work costs on one chip."""

    board: str
    chip: str
    instructions: int
    ms: float
    mj: float
    source: Literal["model"]


def has_power_figures(board: Board) -> bool:
    """Whether a board.toml says what cost() needs."""
    power = board.get("power", {})
    return "active_mw" in power and "cycles_per_instruction" in power


def cost(instructions: float, board: Board) -> Cost:
    """Time and energy of a number of instructions on a board.

    Raises InputError when its board.toml lacks the figures.
    """
    if not has_power_figures(board):
        raise InputError(
            f"board {board.get('name', '?')}: [power] with active_mw and cycles_per_instruction "
            "expected in its board.toml, they are missing"
        )
    power, chip = board["power"], board["chip"]
    seconds = instructions * power["cycles_per_instruction"] / chip["clock_hz"]
    return {
        "board": board["name"],
        "chip": chip["name"],
        "instructions": round(instructions),
        "ms": seconds * 1e3,
        "mj": seconds * power["active_mw"],
        "source": "model",
    }


def costs(instructions: float, boards: Iterable[Board]) -> list[Cost]:
    """cost() on every board that has power figures, in the order given."""
    return [cost(instructions, board) for board in boards if has_power_figures(board)]


def estimate_instructions(macs_int8: float, macs_f32: float) -> int:
    """Instructions of some multiply-accumulates, by INSTRUCTIONS_PER_MAC."""
    return round(macs_int8 * INSTRUCTIONS_PER_MAC["int8"] + macs_f32 * INSTRUCTIONS_PER_MAC["f32"])

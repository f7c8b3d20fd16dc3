"""Time and energy from instruction counts: a model, and labelled so wherever it is shown.

    time   = instructions * cycles per instruction / clock
    energy = time * power while active

Instructions come from the emulator, or, before anything ran, from multiply-accumulates. Clock,
cycles per instruction and power are facts of a board and stand in its board.toml with their
sources. A count stands for chips that run the code it was counted in, which is what core,
instruction set and FPU say: without an FPU every float operation is a call, so a count of such
code says nothing of a chip that has one, nor the other way round. What the model leaves out: the
radio, flash programming current, sleep, and that the cycles of an instruction depend on the
instruction. It ranks and it budgets; a meter measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypedDict

from ..errors import InputError

Board = Mapping[str, Any]  # the content of a board.toml

# Instructions a multiply-accumulate, for estimates before a run, from the firmware rows of
# docs/benchmarks.md (qemu_m4f). int8: the mean of the four convolutions (pointwise 1.2, 3x3 1.2,
# depthwise 4.3, 3x3 of one channel 6.9, whose sums are 9 long, so that what is done once an output
# weighs more). f32: the mean of pointwise and 3x3 convolution, forward, dx and dW (2.0 to 2.5).
# A run on a virtual board replaces the estimate by a count.
INSTRUCTIONS_PER_MAC = {"int8": 3.4, "f32": 2.3}


class Code(NamedTuple):
    """The kind of code that a chip runs: the facts of a board's [chip] that decide it."""

    core: str  # as GCC's -mcpu
    arch: str  # as in .mpy files
    fpu: str  # as GCC's -mfpu; "" is none, floats are calls

    def __str__(self) -> str:
        return f"{self.core} ({self.arch}, {self.fpu or 'no FPU'})"


CORTEX_M4F = Code("cortex-m4", "armv7emsp", "fpv4-sp-d16")
ESTIMATE_CODE = CORTEX_M4F  # in which INSTRUCTIONS_PER_MAC were counted

_M7_RUNS_M4F = (
    "assumption: runs the Cortex-M4F's instructions one for one. They are a subset of its own; a "
    "compiler for the Cortex-M7 orders them otherwise, and the kernels use single precision only; "
    "built for it they use VMLA, and a training step of the digits takes 0.68 of the instructions "
    "(icount), so the least energy is 0.68 of the most"
)
# Instructions of such a chip's own code per counted one, at least: the digits' training step on
# qemu_m7, 680,816, against qemu_m4f, 1,000,701, both counted. The rest of a session depends on the
# heap of the board that counts, which its collector walks.
_LEAST = 0.68
# Code of a chip, code of the counting board -> why the count stands for the chip all the same.
ASSUMED_EQUAL = {
    (Code("cortex-m7", "armv7emdp", "fpv5-d16"), CORTEX_M4F): _M7_RUNS_M4F,
    (Code("cortex-m7", "armv7emsp", "fpv5-sp-d16"), CORTEX_M4F): _M7_RUNS_M4F,
}


class Cost(TypedDict):
    """The cost of some work on one chip."""

    board: str
    chip: str
    instructions: int
    ms: float
    mj: float  # the most, where an assumption is made
    least_mj: float
    assumption: str  # why a count of other code than the chip's own was taken; "" is not needed
    source: Literal["model"]


def has_power_figures(board: Board) -> bool:
    """Whether a board.toml says what cost() needs."""
    power = board.get("power", {})
    return "active_mw" in power and "cycles_per_instruction" in power


def code_of(board: Board) -> Code:
    """The code that a board runs, from its board.toml."""
    chip = board["chip"]
    return Code(chip["core"], chip["arch"], chip.get("fpu", ""))


def no_figure(board: Board, code: Code) -> str:
    """Why instructions of the code ``code`` say nothing of a board; "" when they do."""
    own = code_of(board)
    if own == code or (own, code) in ASSUMED_EQUAL:
        return ""
    return f"counted in the code of a {code}, the chip runs that of a {own}"


def cost(instructions: float, board: Board, code: Code) -> Cost:
    """Time and energy on a board of a number of instructions of the code ``code``.

    Raises InputError when its board.toml lacks the figures, or the count says nothing of it.
    """
    if not has_power_figures(board):
        raise InputError(
            f"board {board.get('name', '?')}: expected [power] with active_mw and "
            "cycles_per_instruction in its board.toml, got one without them"
        )
    reason = no_figure(board, code)
    if reason:
        raise InputError(f"board {board['name']}: no time or energy: {reason}")
    power, chip = board["power"], board["chip"]
    seconds = instructions * power["cycles_per_instruction"] / chip["clock_hz"]
    assumption = ASSUMED_EQUAL.get((code_of(board), code), "")
    return {
        "board": board["name"],
        "chip": chip["name"],
        "instructions": round(instructions),
        "ms": seconds * 1e3,
        "mj": seconds * power["active_mw"],
        "least_mj": seconds * power["active_mw"] * (_LEAST if assumption else 1),
        "assumption": assumption,
        "source": "model",
    }


def costs(instructions: float, boards: Iterable[Board], code: Code) -> list[Cost]:
    """cost() on every board that has power figures and runs such code, in the order given."""
    return [
        cost(instructions, board, code)
        for board in boards
        if has_power_figures(board) and not no_figure(board, code)
    ]


def left_out(boards: Iterable[Board], code: Code) -> dict[str, str]:
    """{board: why costs() has no figure for it}, of those that have power figures."""
    reasons = {b["name"]: no_figure(b, code) for b in boards if has_power_figures(b)}
    return {name: reason for name, reason in reasons.items() if reason}


class Model(NamedTuple):
    """Energy of what a board's counter counted: on each chip that a count of instructions stands
    for, or on the board itself where the counter is a clock."""

    unit: str
    code: Code
    boards: list[Board]

    def energy(self, units: int) -> dict[str, Any]:
        """{"source": "model", "mj": {board: millijoules}}"""
        if self.unit == "instructions":
            mj = {row["board"]: row["mj"] for row in costs(units, self.boards, self.code)}
        else:
            mj = {b["name"]: units * 1e-6 * b["power"]["active_mw"] for b in self.boards}
        return {"source": "model", "mj": {name: float(f"{v:.6g}") for name, v in mj.items()}}


def model_of(board: str, unit: str, known: Iterable[Any]) -> Model | None:
    """The model for the figures of a board; None where nothing is known of its power.

    unit: of its counter. known: the boards there are (boards.Board).
    """
    facts = {each.name: each.facts for each in known}
    own = facts.get(board)
    if own is None:
        return None
    code = code_of(own)
    if unit == "instructions":
        boards = [b for b in facts.values() if has_power_figures(b) and not no_figure(b, code)]
    else:
        boards = [own] if unit == "us" and has_power_figures(own) else []
    return Model(unit, code, boards) if boards else None


def estimate_instructions(macs_int8: float, macs_f32: float) -> int:
    """Instructions of some multiply-accumulates, of ESTIMATE_CODE, by INSTRUCTIONS_PER_MAC."""
    return round(macs_int8 * INSTRUCTIONS_PER_MAC["int8"] + macs_f32 * INSTRUCTIONS_PER_MAC["f32"])

"""The counts that stand for a board, and its time for an instruction."""

from __future__ import annotations

from ..errors import InputError
from .energy import ASSUMED_EQUAL, Board, code_of
from .kernel_costs import CoreCosts, measured


def core_costs(board: Board) -> CoreCosts | None:
    """The counts of the code that a board runs, else of code that is taken for it; None where no
    emulated board runs such code."""
    own = code_of(board)
    if own in measured():
        return measured()[own]
    taken = [counted for chip, counted in ASSUMED_EQUAL if chip == own and counted in measured()]
    return measured()[taken[0]] if taken else None


def cycles_per_instruction(board: Board) -> float | None:
    """1 on a virtual board, whose clock is its instructions; None where no figure is known."""
    if "virtual" in board:
        return 1.0
    figure = board.get("power", {}).get("cycles_per_instruction")
    return None if figure is None else float(figure)


def seconds_per_instruction(board: Board) -> float:
    """Raises InputError where no figure is known."""
    cycles = cycles_per_instruction(board)
    if cycles is None:
        raise InputError(
            f"board {board.get('name', '?')}: expected [power] cycles_per_instruction in its "
            "board.toml, got one without it; leave --time out, or plan for a board that has it"
        )
    return cycles / board["chip"]["clock_hz"]


def counted(board: Board) -> CoreCosts:
    """core_costs(), where a plan cannot do without. Raises InputError."""
    costs = core_costs(board)
    if costs is None:
        raise InputError(
            f"board {board.get('name', '?')}: expected counts of code of a {code_of(board)} in "
            f"costs.json, got those of {', '.join(map(str, measured()))}; leave --time out, or "
            "plan for a board of such a core"
        )
    return costs

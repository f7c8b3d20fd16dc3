"""The phases of sessions as a table: counter units, and the time that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..boards.clock import frequency_words, milliseconds
from .figures.energy import readable_time
from .page import DataTable
from .schema import Unit
from .summary import PHASES

UNITS = {"instructions": "instructions", "cycles": "cycles", "us": "µs"}  # as they are shown


def phase_table(
    names: Sequence[str], totals: Sequence[Mapping[str, int]], board: str, unit: Unit
) -> DataTable:
    """A row for each phase that happened, a column for each session (names, and the counter units
    of its phases); last, where the counter counts cycles of a chip whose clock is known, the time
    of all of them."""
    rows = [
        (title, *(f"{row[phase]:,}" for row in totals))
        for phase, title in PHASES.items()
        if any(row[phase] for row in totals)
    ]
    at = frequency_words(board, unit)
    if at:
        times = [milliseconds(sum(row.values()), board, unit) for row in totals]
        rows.append((f"together{at}", *(readable_time(ms or 0.0) for ms in times)))
    return DataTable(rows, (UNITS[unit], *names))

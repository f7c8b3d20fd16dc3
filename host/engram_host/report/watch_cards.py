"""The cards of a watch: its score over time, its threshold, what it learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engram.watch.quarantine import BLOCK

from ..learning import watching
from .figures.watch import Trace
from .page import Card, DataTable
from .schema import Source


def trace_of(
    facts: dict[str, Any],
    means: Sequence[float],
    states: Sequence[str],
    adapted: Sequence[dict[str, Any]],
) -> Trace:
    """The course of a watch. facts: as Watch.info() tells them."""
    return Trace(means, watching.alarmed(states).tolist(), facts["threshold"], adapted, BLOCK)


def score_card(trace: Trace, origin: Source, svg: str, table: DataTable | None = None) -> Card:
    """The score over time. table: in the place of that of alarms."""
    words = "The mean of the last scores, sample by sample, and the threshold."
    if trace.adapted:
        words += (
            " Marked at the bottom: samples that looked new, and were learned together where the "
            "line is; the threshold was set anew then."
        )
    return Card("Score over time", words, [origin], svg, table or alarm_table(trace), wide=True)


def alarm_table(trace: Trace) -> DataTable:
    """A row per alarm."""
    rows, first = [], None
    for i, on in enumerate([*trace.alarmed, False]):
        if on and first is None:
            first = i
        elif not on and first is not None:
            most = max(trace.means[first:i])
            rows.append((f"{first:,}", f"{i - 1:,}", f"{most:.4g}"))
            first = None
    return DataTable(rows, ("alarm from sample", "to", "highest mean"))


def learned_card(adapted: Sequence[dict[str, Any]], origin: Source) -> Card:
    """The card of what was new and was learned."""
    rows = [
        (
            f"{told['sample']:,}",
            f"{min(told['samples']):,}",
            f"{told['blocks']}",
            f"{told['steps']:,}",
            f"{told['before']:.4g} → {told['after']:.4g}",
            f"{told['threshold_before']:.4g} → {told['threshold']:.4g}",
            "–" if told["generation"] is None else str(told["generation"]),
        )
        for told in adapted
    ]
    head = ("learned after sample", "new since", "blocks", "steps", "loss", "threshold", "state")
    return Card(
        "What was learned",
        f"Blocks are of {BLOCK} samples; loss: of these samples, before and after. `engram "
        "rollback --to previous` goes back to the state before the last one.",
        [origin],
        table=DataTable(rows, head),
        wide=True,
    )

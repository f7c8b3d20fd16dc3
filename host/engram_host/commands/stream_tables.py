"""The end of a stream of sessions in the terminal: accuracy matrix, metrics, cost."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engram_host import api
from engram_host.commands import output

# Of a log's last record, in the order they are shown: how a value is written.
METRICS = {
    "accuracy": "{:.1%} of all test samples",
    "average_accuracy": "{:.1%}, mean of the tests",
    "forgetting": "{:.1%}",
    "backward_transfer": "{:+.1%}",
    "forward_transfer": "{:+.1%}",
}


def metrics_table(run: api.LearnedStream) -> RenderableType:
    """The matrix with a row for each session, then the figures."""
    summary = run.summary
    parts: list[RenderableType] = []
    if "matrix" in summary:
        parts += [_matrix(run), Text()]
    return Group(*parts, _figures(run))


def _matrix(run: api.LearnedStream) -> Table:
    summary = run.summary
    table = Table(
        title="accuracy, measured on the board", title_style="bold", title_justify="left"
    )
    table.add_column("after")
    for name in summary["tests"]:
        table.add_column(name, justify="right")
    rows = [("start", summary["start"])] if any(v is not None for v in summary["start"]) else []
    rows += list(zip(summary["sessions"], summary["matrix"]))
    for i, (name, row) in enumerate(rows):
        own = i - (len(rows) - len(summary["matrix"])) if summary["diagonal"] else None
        cells = [_cell(value, own=j == own) for j, value in enumerate(row)]
        table.add_row(name, *cells)
    return table


def _cell(value: float | None, own: bool) -> Text:
    return Text("–" if value is None else f"{value:.1%}", "bold cyan" if own else "")


def _figures(run: api.LearnedStream) -> Table:
    summary = run.summary
    table = output.facts()
    for name, style in METRICS.items():
        if summary.get(name) is not None:
            table.add_row(name.replace("_", " "), style.format(summary[name]))
    unit = f"{summary['unit']} ({summary['source']})"
    table.add_row("learned", f"{summary['samples']} samples in {summary['steps']} steps")
    if summary["units_per_step"]:
        table.add_row("a step", f"{summary['units_per_step']:,} {unit}")
    table.add_row(
        "replays",
        f"{summary['replay_records']} latents of {summary['bits']} bits, "
        f"{output.size(summary['replay_bytes'])} of flash",
    )
    table.add_row("flash", f"{output.size(summary['flash_bytes'])} programmed")
    table.add_row("time", f"{summary['wall_s']:.0f} s (host)")
    table.add_row("log", str(run.log))
    return table

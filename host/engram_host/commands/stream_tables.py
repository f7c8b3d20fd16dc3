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
    told = run.summary
    parts: list[RenderableType] = []
    if "matrix" in told:
        parts += [_matrix(run), Text()]
    return Group(*parts, _figures(run))


def _matrix(run: api.LearnedStream) -> Table:
    told = run.summary
    table = Table(
        title="accuracy, measured on the board", title_style="bold", title_justify="left"
    )
    table.add_column("after")
    for name in told["tests"]:
        table.add_column(name, justify="right")
    rows = [("start", told["start"])] if any(v is not None for v in told["start"]) else []
    rows += list(zip(told["sessions"], told["matrix"]))
    for i, (name, row) in enumerate(rows):
        own = i - (len(rows) - len(told["matrix"])) if told["diagonal"] else None
        cells = [_cell(value, own=j == own) for j, value in enumerate(row)]
        table.add_row(name, *cells)
    return table


def _cell(value: float | None, own: bool) -> Text:
    return Text("–" if value is None else f"{value:.1%}", "bold cyan" if own else "")


def _figures(run: api.LearnedStream) -> Table:
    told = run.summary
    table = output.facts()
    for name, style in METRICS.items():
        if told.get(name) is not None:
            table.add_row(name.replace("_", " "), style.format(told[name]))
    unit = f"{told['unit']} ({told['source']})"
    table.add_row("learned", f"{told['samples']} samples in {told['steps']} steps")
    if told["units_per_step"]:
        table.add_row("a step", f"{told['units_per_step']:,} {unit}")
    table.add_row(
        "replays",
        f"{told['replay_records']} latents of {told['bits']} bits, "
        f"{output.size(told['replay_bytes'])} of flash",
    )
    table.add_row("flash", f"{output.size(told['flash_bytes'])} programmed")
    table.add_row("time", f"{told['wall_s']:.0f} s (host)")
    table.add_row("log", str(run.log))
    return table

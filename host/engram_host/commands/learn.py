"""engram learn"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output
from engram_host.progress import Bars


@click.command(epilog="Example: engram learn sevens.npz --port qemu_m4f --epochs 3")
@click.argument("data", type=options.FILE)
@options.labels
@click.option("--epochs", default=1, show_default=True, help="Passes over the new samples.")
@click.option("--log", type=options.FILE, metavar="FILE", help="Default: out/log/TIME-BOARD.jsonl")
@options.model
@options.learner
@options.port
@options.json
@options.debug
def command(
    data: Path,
    labels: Path | None,
    epochs: int,
    log: Path | None,
    model: str | None,
    port: str | None,
    as_json: bool,
    **learner: Any,
) -> None:
    """Teach the board: send labelled samples, learn them there, save what was learned.

    DATA is an .npz with arrays x and y (integers, one a sample), or an .npy of inputs with
    --labels; uint8 or float32, as the model takes them. One line a step goes to the log.

    Ctrl-C stops at the next step; the board stays usable and keeps what was sent.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        done = api.learn(
            board,
            data,
            labels=labels,
            epochs=epochs,
            model=model,
            log=log,
            **learner,
        )
    if as_json:
        output.show_json({**done.summary, "log": done.log})
    else:
        output.show(_table(done))


def _table(done: api.Learned) -> Table:
    told = done.summary
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    steps, unit = told["steps"], f"{told['unit']} ({told['source']})"
    table.add_row("learned", f"{told['samples']} samples in {steps} steps")
    table.add_row("loss", f"{told['first_loss']:.3f} → {told['last_loss']:.3f}")
    table.add_row("a step", f"{told['total'] / steps:,.0f} {unit}")
    total = max(1, told["total"])
    shares = (f"{name} {part / total:.0%}" for name, part in told["phases"].items())
    table.add_row("of it", ", ".join(shares))
    table.add_row("flash", f"{output.size(told['flash_bytes'])} programmed")
    table.add_row("log", str(done.log))
    return table

"""engram eval"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output
from engram_host.commands.scores_table import scores_table
from engram_host.progress import Bars


@click.command(epilog="Example: engram eval test.npz --port qemu_m4f")
@click.argument("data", type=options.DATA, required=False)
@options.labels
@click.option(
    "--name", default="test", show_default=True, help="Name of the samples on the board."
)
@click.option("--stream", is_flag=True, help="Send the samples without keeping them on the board.")
@click.option(
    "--session",
    type=click.IntRange(0, 255),
    metavar="N",
    help="The samples test session N: the board enters the accuracy into its matrix.",
)
@options.class_names
@options.model
@options.port
@options.json
@options.debug
def command(
    data: Path | None,
    labels: Path | None,
    name: str,
    stream: bool,
    session: int | None,
    class_names: Path | None,
    model: str | None,
    port: str | None,
    as_json: bool,
) -> None:
    """Test the model on the board: the share of samples it gets right, or its distance from the
    targets.

    Per class: recall, the share of the class's samples that are right; precision, the share of
    right samples among those put into the class; F1, the harmonic mean of both. Macro is the mean
    over the classes. The confusion matrix shows which class is taken for which.

    DATA as for `engram learn`. The board keeps the samples, so they are sent once; without DATA
    the samples that `engram push data` put there are used.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        result = api.eval(
            board,
            data,
            name=name,
            labels=labels,
            stream=stream,
            session=session,
            model=model,
            class_names=class_names,
        )
    if as_json:
        output.show_json(result)
    else:
        if "correct" in result:
            output.show(scores_table(result))
        errors = _errors(result)
        if errors.row_count:
            output.show(errors)


def _errors(result: dict[str, Any]) -> Table:
    """Mean squared and mean absolute error of each output that regresses."""
    table = Table(box=None, header_style="bold")
    for name in ("output", "mse", "mae", "samples"):
        table.add_column(name, justify="left" if name == "output" else "right")
    parts = {"": result} if "mse" in result else result
    for name, part in parts.items():
        if isinstance(part, dict):
            table.add_row(name, f"{part['mse']:.4g}", f"{part['mae']:.4g}", str(part["n"]))
    return table

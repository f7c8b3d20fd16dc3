"""engram push"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.progress import Bars


@click.group()
def command() -> None:
    """Put a model or test data on a board.

    An interrupted transfer goes on where it ended; a file that the board has is not sent again.
    """


@command.command(epilog="Example: engram push model digits.safetensors --port qemu_m4f")
@click.argument("file", type=options.FILE)
@click.option("--name", default=api.MODEL, show_default=True, help="Its name on the board.")
@options.place
@options.learner
@click.option(
    "--fresh",
    is_flag=True,
    help="Erase the samples and the learned state that are on the board, of whatever model.",
)
@click.option(
    "--class-names",
    type=options.FILE,
    metavar="FILE",
    help="Names of the classes, kept with the model: a text file with a line per class.",
)
@options.port
@options.json
@options.debug
def model(
    file: Path, name: str, place: str, port: str | None, as_json: bool, **learner: Any
) -> None:
    """Send a model made by `engram convert` and open it.

    A board that has learned with this model before goes on from there, also with another
    strategy, policy, budget or number of classes. The new model replaces the board's old model
    when it opens; where the board refuses it, the old model works as before. The options of the
    learner stay in force until others are given.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        settings = options.named(learner)
        result = api.push_model(board, file, name=name, place=place, **settings)
    if as_json:
        output.show_json(result)
        return
    output.show(
        f"[green]✓[/] {result['model']}: {output.outputs(result)}, {result['parameters']:,} "
        f"trained parameters, {output.size(result['ram_planned_bytes'])} of RAM, batch "
        f"{result['batch']}"
        + (f", {result['rehearsed']} samples for replay" if result["rehearsed"] else "")
    )


@command.command(epilog="Example: engram push data test.npz --port qemu_m4f")
@click.argument("file", type=options.DATA, metavar="DATA")
@options.labels
@click.option("--name", default="test", show_default=True, help="Their name on the board.")
@options.port
@options.json
@options.debug
def data(file: Path, labels: Path | None, name: str, port: str | None, as_json: bool) -> None:
    """Keep labelled samples on the board, for `engram eval` without DATA.

    DATA is an .npz, .npy or .csv file, or a folder, as for `engram learn`.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        names = api.push_data(board, file, name=name, labels=labels)
    if as_json:
        output.show_json(names)
    else:
        output.show(f"[green]✓[/] on the board as {', '.join(names.values())}")

"""engram predict"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.progress import Bars


@click.command(epilog="Example: engram predict new.npy --port qemu_m4f")
@click.argument("data", type=options.FILE)
@options.model
@options.port
@options.json
@options.debug
def command(data: Path, model: str | None, port: str | None, as_json: bool) -> None:
    """Ask the board what it takes each input for: one line each, label and probability.

    DATA is an .npy of inputs, or an .npz with an array x.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        told = api.predict(board, data, model=model)
    if as_json:
        output.show_json([{"label": label, "probability": p} for label, p in told])
        return
    for label, probability in told:
        print(f"{label}\t{probability:.4f}")

"""engram predict"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """Ask the board what it says of each input: a line each, label and probability, or the values
    of a regression; of several outputs one after the other.

    DATA is an .npy of inputs, or an .npz with an array x.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        told = api.predict(board, data, model=model)
    if as_json:
        output.show_json([_plain(said) for said in told])
        return
    for said in told:
        print("\t".join(_columns(said)))


def _plain(said: api.Answer) -> dict[str, Any]:
    """An answer as JSON has it."""
    if isinstance(said, dict):
        return {name: _plain(part) for name, part in said.items()}
    if isinstance(said, list):
        return {"values": said}
    label, probability = said
    return {"label": label, "probability": probability}


def _columns(said: api.Answer) -> list[str]:
    """An answer as a line has it."""
    if isinstance(said, dict):
        return [column for part in said.values() for column in _columns(part)]
    if isinstance(said, list):
        return [f"{value:.6g}" for value in said]
    label, probability = said
    return [str(label), f"{probability:.4f}"]

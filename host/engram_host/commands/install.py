"""engram install"""

from __future__ import annotations

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.progress import Bars


@click.command(epilog="Example: engram install --port /dev/ttyACM0")
@options.port
@options.json
@options.debug
def command(port: str | None, as_json: bool) -> None:
    """Copy the engram library to a board that runs plain MicroPython.

    Firmware from `engram build` has it already. The files go to lib/ on the board, by mpremote.
    """
    told = api.install(port, Bars(output.errors()))
    if as_json:
        output.show_json(told)
    else:
        output.show(f"[green]✓[/] {len(told['files'])} files in {told['folder']}")

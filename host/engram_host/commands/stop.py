"""engram stop"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram stop qemu_m4f --save learned.img")
@click.argument("board")
@click.option("--save", type=options.FILE, metavar="IMG", help="Save its flash to this image.")
@options.json
@options.debug
def command(board: str, save: Path | None, as_json: bool) -> None:
    """Switch a virtual board off.

    Its flash stays: saved states and samples are there after the next start.
    """
    was_running = api.stop(board, save=save)
    if as_json:
        output.show_json({"board": board, "stopped": was_running, "saved": save})
        return
    output.show(f"[green]✓[/] {board} is off" + ("" if was_running else " (it was not running)"))
    if save:
        output.show(f"[green]✓[/] flash saved to {save}")

"""engram start"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram start qemu_m4f --fresh")
@click.argument("board")
@click.option("--flash", type=options.FILE, metavar="IMG", help="Load this image into its flash.")
@click.option("--fresh", is_flag=True, help="Begin with blank flash: nothing learned, no files.")
@options.json
@options.debug
def command(board: str, flash: Path | None, fresh: bool, as_json: bool) -> None:
    """Switch a virtual board on. It runs until `engram stop`, and keeps its flash after that.

    Other verbs start the board by themselves; this one is for --flash and --fresh.
    """
    state = api.start(board, flash=flash, fresh=fresh)
    if as_json:
        output.show_json({"board": board, "tty": state.tty, "pid": state.child})
    else:
        output.show(f"[green]✓[/] {board} runs; its serial port is {state.tty}")

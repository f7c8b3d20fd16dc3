"""engram build"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram build qemu_m4f")
@click.argument("board")
@click.option("--stock", is_flag=True, help="MicroPython alone: the virtual board BOARD_stock.")
@click.option(
    "--micropython",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="MICROPY_DIR",
    metavar="DIR",
    help="A MicroPython source tree of your own, 1.23 or later.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the commands that build a real board's firmware."
)
@options.json
@options.debug
def command(
    board: str, stock: bool, micropython: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Build the firmware of a board: MicroPython, the C kernels and the library.

    With --stock the firmware is MicroPython alone, as boards come with it. The virtual board
    BOARD_stock runs it, to try `engram install` on.
    """
    if stock:
        board = api.stock_of(board)
    if dry_run:
        lines = api.build_commands(board, micropython)
        output.show_lines({"board": board, "commands": lines}, lines, as_json)
        return
    with output.errors().status(f"building {board}") as status:
        path = api.build(board, micropython, say=lambda line: status.update(line))
    if as_json:
        output.show_json({"board": board, "firmware": path})
    else:
        output.show(f"[green]✓[/] {path}")

"""engram remove"""

from __future__ import annotations

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram remove test.x.npy test.y.npy --port qemu_m4f")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Do not ask before the open model's file is removed.")
@options.port
@options.json
@options.debug
def command(names: tuple[str, ...], yes: bool, port: str | None, as_json: bool) -> None:
    """Remove files from a board. `engram files` lists them.

    Stored samples and saved states are no files: `engram reset` erases them.
    """
    with api.connect(port, on_text=output.console_text) as board:
        if not yes and board.info()["model"] in names:
            click.confirm(
                "The open model comes from one of these files and does not open again without "
                "it. Remove it?",
                abort=True,
                err=True,
            )
        listing = api.remove(board, *names)
    if as_json:
        output.show_json(listing)
    else:
        output.show(
            f"[green]✓[/] removed {', '.join(names)}: {listing['free_bytes']:,} of "
            f"{listing['total_bytes']:,} B free"
        )

"""engram files"""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram files --port qemu_m4f")
@options.port
@options.json
@options.debug
def command(port: str | None, as_json: bool) -> None:
    """List the files of a board with their sizes, and the free space of its file system.

    A file that ends in .part is the beginning of a file whose transfer was interrupted: the same
    push goes on with it, and any other push removes it. `engram remove` deletes files.
    """
    with api.connect(port, on_text=output.console_text) as board:
        listing = api.files(board)
    if as_json:
        output.show_json(listing)
    else:
        output.show(_table(listing))


def _table(listing: dict[str, Any]) -> Group:
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="yellow")
    for file in listing["files"]:
        table.add_row(file["name"], f"{file['bytes']:,} B", "interrupted" if file["part"] else "")
    space = Text(f"{listing['free_bytes']:,} of {listing['total_bytes']:,} B free")
    return Group(table, space) if listing["files"] else Group(space)

"""engram reset"""

from __future__ import annotations

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram reset --yes --port qemu_m4f")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.port
@options.json
@options.debug
def command(yes: bool, port: str | None, as_json: bool) -> None:
    """Make a board forget everything it learned: stored samples and saved states are erased."""
    if not yes:
        click.confirm("Erase all that this board has learned?", abort=True)
    with api.connect(port, on_text=output.console_text) as board:
        result = api.reset(board)
    if as_json:
        output.show_json(result)
    else:
        output.show("[green]✓[/] the board has forgotten what it learned")

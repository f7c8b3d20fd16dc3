"""engram reboot"""

from __future__ import annotations

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram reboot --port qemu_m4f")
@options.port
@options.json
@options.debug
def command(port: str | None, as_json: bool) -> None:
    """Reset a board, as its reset button does; main.py runs again.

    Files, stored samples and saved states stay, and so do the model and its options. The next
    `engram learn` learns samples that were sent but not learned, and a stream of sessions goes on
    where it was. Parameters learned since the last save are lost.
    """
    api.reboot(port)
    if as_json:
        output.show_json({"restarted": True})
    else:
        output.show("[green]✓[/] the board restarts")

"""engram measure"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.commands.energy_rows import energy_rows


@click.command(epilog="Example: engram measure --meter csv:recording.csv,volts=3.3")
@click.argument("log", type=options.FILE, required=False)
@click.option(
    "--meter",
    required=True,
    type=options.METER,
    metavar="METER",
    help="The recording, as csv:FILE; docs/energy.md lists what a file may look like.",
)
@options.json
@options.debug
def command(log: Path | None, meter: str, as_json: bool) -> None:
    """Energy of a logged session, from what a bench meter recorded meanwhile.

    LOG is that of `engram learn --meter csv:FILE` (default: the newest); it knows when each phase
    was, and the sync pulses tie its clock to the meter's. The result is added to LOG.
    """
    told = api.measure(log, meter)
    if as_json:
        output.show_json(told)
        return
    output.show(output.facts(energy_rows({"energy": told}, None)))

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
    """Compute the energy of a logged session from the recording of a bench meter.

    LOG is the log of `engram learn --meter csv:FILE` (default: the newest). It has the times of
    the phases, and the sync pulses tie its clock to the meter's. The result is added to LOG.
    """
    energy = api.measure(log, meter)
    if as_json:
        output.show_json(energy)
        return
    output.show(output.facts(energy_rows({"energy": energy}, None)))

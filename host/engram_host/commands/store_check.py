"""engram store-check"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output, store_source

DAMAGE = 1  # exit code


@click.command(epilog="Example: engram store-check --image flash.bin")
@store_source.source
@options.json
@options.debug
@click.pass_context
def command(ctx: click.Context, image: Path | None, port: str | None, as_json: bool) -> None:
    """Check every sample on a board or in a flash image; exit code 1: a sample is damaged.

    A sample that a power cut tore while it was written counts as damaged too.
    """
    with store_source.opened(ctx, image, port) as source:
        result = api.store_check(**source)
    if as_json:
        output.show_json(result)
    else:
        output.show(
            f"{store_source.records(result)}; {result['deleted']:,} deleted\n"
            f"{result['units']} units of {result['erase_bytes']:,} bytes; erases of a unit: "
            f"{store_source.wear(result)}"
        )
        for unit, slot in result["damaged_slots"]:
            output.show(f"[red]damaged:[/] unit {unit}, slot {slot}")
        if not result["damaged"]:
            output.show("[green]✓[/] no damage")
    if result["damaged"]:
        ctx.exit(DAMAGE)

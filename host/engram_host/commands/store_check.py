"""engram store-check"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output

DAMAGE = 1  # exit code


@click.command(epilog="Example: engram store-check --image flash.bin")
@click.option("--image", type=options.FILE, required=True, help="A flash image of a board.")
@options.json
@options.debug
@click.pass_context
def command(ctx: click.Context, image: Path, as_json: bool) -> None:
    """Check every stored sample in a flash image; the exit code is 1 if one is damaged.

    A sample that a power cut tore while it was written counts as damaged too.
    """
    told = api.store_check(image)
    if as_json:
        output.show_json(told)
    else:
        output.show(
            f"{told['live']:,} stored samples of model {told['model_id']}, {told['bits']} bits, "
            f"{told['latent_bytes']} bytes each; {told['deleted']:,} deleted\n"
            f"{told['units']} units of {told['erase_bytes']:,} bytes, erased "
            f"{told['wear_min']:,} to {told['wear_max']:,} times"
        )
        for unit, slot in told["damaged_slots"]:
            output.show(f"[red]damaged:[/] unit {unit}, slot {slot}")
        if not told["damaged"]:
            output.show("[green]✓[/] no damage")
    if told["damaged"]:
        ctx.exit(DAMAGE)

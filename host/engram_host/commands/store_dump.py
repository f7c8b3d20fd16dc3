"""engram store-dump"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram store-dump --image flash.bin samples.jsonl")
@click.argument("out", type=options.FILE)
@click.option("--image", type=options.FILE, required=True, help="A flash image of a board.")
@options.json
@options.debug
def command(out: Path, image: Path, as_json: bool) -> None:
    """Write the stored samples of a flash image to OUT.

    OUT.jsonl gets a line a sample: unit, index in it, label, experience, sequence, and the packed
    latent in hexadecimal. OUT.npy gets the packed latents alone, uint8 (samples, bytes).
    """
    told = api.store_dump(image, out)
    if as_json:
        output.show_json(told)
    else:
        output.show(f"[green]✓[/] {told['samples']:,} samples in {out}")

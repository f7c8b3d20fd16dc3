"""engram store-dump"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output, store_source


@click.command(epilog="Example: engram store-dump samples.jsonl --port qemu_m4f")
@click.argument("out", type=options.FILE)
@store_source.source
@options.json
@options.debug
@click.pass_context
def command(
    ctx: click.Context, out: Path, image: Path | None, port: str | None, as_json: bool
) -> None:
    """Write the samples stored on a board or in a flash image to OUT.

    OUT.jsonl gets one line per sample: unit, index in the unit, label, session, sequence,
    packed latent in hexadecimal, and the targets where the store has them. OUT.npy gets the packed
    latents alone, uint8 (samples, bytes). OUT.bin gets the replay region as it is, an image for
    --image.
    """
    with store_source.opened(ctx, image, port) as source:
        result = api.store_dump(source["image"], out, port=source["port"])
    if as_json:
        output.show_json(result)
    else:
        output.show(f"[green]✓[/] {result['samples']:,} samples in {out}")

"""engram store-format"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from engram.errors import StoreError
from engram_host import api
from engram_host.commands import options, output, store_source
from engram_host.errors import InputError


@click.command(epilog="Example: engram store-format --yes --port qemu_m4f")
@store_source.source
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--keep-wear",
    is_flag=True,
    help="Keep the units' erase counts, and with them the model and the bits of the store.",
)
@options.json
@options.debug
@click.pass_context
def command(
    ctx: click.Context,
    image: Path | None,
    port: str | None,
    yes: bool,
    keep_wear: bool,
    as_json: bool,
) -> None:
    """Erase all samples and saved states of a board or of a flash image, whatever model's.

    The region is blank then: the next model that is opened makes its store there. The files of a
    board stay, models among them.
    """
    with store_source.opened(ctx, image, port) as source:
        if not yes:
            click.confirm(f"{_lost(source)} Erase that?", abort=True, err=True)
        api.store_format(**source, keep_wear=keep_wear)
    if as_json:
        output.show_json({"formatted": True, "kept_wear": keep_wear})
    else:
        content = "an empty store of the same model" if keep_wear else "blank"
        output.show(f"[green]✓[/] samples and saved states are erased; the region is {content}")


def _lost(source: dict[str, Any]) -> str:
    """The records and states that a format would delete, in sentences."""
    try:
        store = api.store_info(**source)
    except (InputError, StoreError) as e:
        return f"{e}."
    states = [
        f"generation {s['generation']} of model {s['model_id']}" for s in store["checkpoints"]
    ]
    return f"There are {store_source.records(store)}; saved states: {', '.join(states) or 'none'}."

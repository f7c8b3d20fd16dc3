"""engram store-info"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output, store_source


@click.command(epilog="Example: engram store-info --port qemu_m4f")
@store_source.source
@options.json
@options.debug
@click.pass_context
def command(ctx: click.Context, image: Path | None, port: str | None, as_json: bool) -> None:
    """Show the content of a board's replay region or flash image: samples, wear, saved states."""
    with store_source.opened(ctx, image, port) as source:
        store = api.store_info(**source)
    if as_json:
        output.show_json(store)
    else:
        output.show(_table(store))


def _table(store: dict[str, Any]) -> Table:
    alignment = f"aligned to {store['aligned_to']} bytes" if store["aligned_to"] > 1 else "packed"
    rows = [
        (
            "store",
            f"format {store['format_version']}, {store['units']} units of "
            f"{output.size(store['erase_bytes'])}, {alignment}",
        ),
        (
            "records",
            f"{store['slot_bytes']} bytes each, {store['slots_per_unit']} in a unit: a latent of "
            f"{store['latent_bytes']} bytes, {store['bits']} bits an element{_targets(store)}",
        ),
        ("made by", f"the frozen stage {store['model_id']}"),
        ("samples", f"{store['live']:,} of {store['capacity']:,}{_dead(store)}"),
        ("of class", _counts(store["labels"])),
        ("of session", _counts(store["sessions"])),
        ("damaged", f"[red]{store['damaged']:,}[/]" if store["damaged"] else "none"),
        ("units", _units(store)),
        ("erases of a unit", store_source.wear(store)),
        ("write amplification", _amplification(store)),
        ("RAM of the index", output.size(store["index_ram_bytes"])),
        ("saved states", "\n".join(map(_state, store["checkpoints"])) or "none"),
    ]
    return output.facts(rows)


def _targets(store: dict[str, Any]) -> str:
    return f", {store['targets']} float32 targets" if store["targets"] else ""


def _dead(store: dict[str, Any]) -> str:
    return f"; {store['dead']:,} slots hold what was deleted or torn" if store["dead"] else ""


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {n:,}" for name, n in counts.items()) or "–"


def _units(store: dict[str, Any]) -> str:
    text = f"{store['used_units']} used, {store['free_units']} free"
    return text + (f", [red]{store['bad_units']} given up[/]" if store["bad_units"] else "")


def _amplification(store: dict[str, Any]) -> str:
    if store["write_amplification"] is None:
        return "–"
    return (
        f"{store['write_amplification']:.2f} over {store['appended']:,} samples since the format"
    )


def _state(state: dict[str, Any]) -> str:
    damaged = "" if state["intact"] else ", [red]damaged[/]"
    return (
        f"generation {state['generation']} of model {state['model_id']}, "
        f"{output.size(state['bytes'])}{damaged}"
    )

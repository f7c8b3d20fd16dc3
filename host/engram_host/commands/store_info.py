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
        told = api.store_info(**source)
    if as_json:
        output.show_json(told)
    else:
        output.show(_table(told))


def _table(told: dict[str, Any]) -> Table:
    aligned = f"aligned to {told['aligned_to']} bytes" if told["aligned_to"] > 1 else "packed"
    rows = [
        (
            "store",
            f"format {told['format_version']}, {told['units']} units of "
            f"{output.size(told['erase_bytes'])}, {aligned}",
        ),
        (
            "records",
            f"{told['slot_bytes']} bytes each, {told['slots_per_unit']} in a unit: a latent of "
            f"{told['latent_bytes']} bytes, {told['bits']} bits an element{_targets(told)}",
        ),
        ("made by", f"the frozen stage {told['model_id']}"),
        ("samples", f"{told['live']:,} of {told['capacity']:,}{_dead(told)}"),
        ("of class", _counts(told["labels"])),
        ("of session", _counts(told["sessions"])),
        ("damaged", f"[red]{told['damaged']:,}[/]" if told["damaged"] else "none"),
        ("units", _units(told)),
        ("erases of a unit", store_source.wear(told)),
        ("write amplification", _amplification(told)),
        ("RAM of the index", output.size(told["index_ram_bytes"])),
        ("saved states", "\n".join(map(_state, told["checkpoints"])) or "none"),
    ]
    return output.facts(rows)


def _targets(told: dict[str, Any]) -> str:
    return f", {told['targets']} float32 targets" if told["targets"] else ""


def _dead(told: dict[str, Any]) -> str:
    return f"; {told['dead']:,} slots hold what was deleted or torn" if told["dead"] else ""


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {n:,}" for name, n in counts.items()) or "–"


def _units(told: dict[str, Any]) -> str:
    text = f"{told['used_units']} used, {told['free_units']} free"
    return text + (f", [red]{told['bad_units']} given up[/]" if told["bad_units"] else "")


def _amplification(told: dict[str, Any]) -> str:
    if told["write_amplification"] is None:
        return "–"
    return f"{told['write_amplification']:.2f} over {told['appended']:,} samples since the format"


def _state(state: dict[str, Any]) -> str:
    damaged = "" if state["intact"] else ", [red]damaged[/]"
    return (
        f"generation {state['generation']} of model {state['model_id']}, "
        f"{output.size(state['bytes'])}{damaged}"
    )

"""engram convert"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output


@click.command(
    epilog="Example: engram convert float.safetensors --data train.npz -o device.safetensors"
)
@click.argument("float_model", type=options.FILE)
@click.option(
    "--data",
    type=options.FILE,
    required=True,
    help="Calibration samples: an .npy of inputs, or an .npz with an array x. A few hundred.",
)
@click.option("--out", "-o", type=options.FILE, required=True, help="The model file to write.")
@click.option(
    "--percentile",
    default=100.0,
    show_default=True,
    help="How much of every activation's range is kept; below 100 outliers are clamped.",
)
@options.json
@options.debug
def command(float_model: Path, data: Path, out: Path, percentile: float, as_json: bool) -> None:
    """Make the model that a board runs: the frozen layers in int8, the trained ones in float32.

    FLOAT_MODEL is a safetensors file with its graph in the metadata. The calibration samples tell
    how large every activation gets.
    """
    told = api.convert(float_model, data, out, percentile=percentile)
    if as_json:
        output.show_json(told)
        return
    output.show(_table(told))
    output.show(f"[green]✓[/] {told['out']}, {output.size(told['bytes'])}")


def _table(told: dict[str, Any]) -> Table:
    rows = told["layers"]
    table = Table(box=None, header_style="bold")
    for column in rows[0] if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    return table

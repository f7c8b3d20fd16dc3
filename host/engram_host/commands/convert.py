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
    type=options.DATA,
    required=True,
    help="Calibration samples: an .npy of inputs, an .npz with an array x, a .csv, or a folder of "
    "images or .wav files. A few hundred.",
)
@click.option("--out", "-o", type=options.FILE, required=True, help="The model file to write.")
@click.option(
    "--percentile",
    default=100.0,
    show_default=True,
    help="How much of the range of the input and of each activation is kept; below 100 outliers "
    "are clamped.",
)
@click.option(
    "--min-agreement",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Refuse an int8 model that gives fewer of the samples the class that the float model "
    "gives them, or keeps less of the variance of values.",
)
@options.class_names
@click.option(
    "--front-end",
    metavar="NAME",
    help="mfcc: the model's inputs are made of sounds by engram_host/datasets/mfcc.py, a second "
    "as 49 x 10 coefficients. Then .wav files are taken as data. vibration:64x3:0.001: they are "
    "features of windows of 64 samples x 3 axes, with a sensor whose noise is 0.001. Default: the "
    "data as they are.",
)
@click.option(
    "--rehearse",
    type=options.DATA,
    metavar="DATA",
    help="Labelled samples of the classes that the model knows. The model file carries latents of "
    "some of them, which a board that has stored nothing yet replays.",
)
@click.option(
    "--rehearse-per-class",
    type=click.IntRange(1),
    metavar="N",
    help="Latents of each class in the model file.  [default: 20]",
)
@options.json
@options.debug
def command(
    float_model: Path,
    data: Path,
    out: Path,
    percentile: float,
    min_agreement: float,
    class_names: Path | None,
    front_end: str | None,
    rehearse: Path | None,
    rehearse_per_class: int | None,
    as_json: bool,
) -> None:
    """Make the model that a board runs: the frozen layers in int8, the trained ones in float32.

    FLOAT_MODEL is a safetensors file with its graph in the metadata. The calibration samples show
    how large the inputs and every activation get. Agreement is the share of these samples that
    the int8 model and the float model put into the same class; for a regression, the share of the
    outputs' variance that stays.
    """
    limit = {} if rehearse_per_class is None else {"rehearse_per_class": rehearse_per_class}
    if limit and rehearse is None:
        raise click.UsageError("--rehearse-per-class belongs to --rehearse: give its samples too")
    report = api.convert(
        float_model,
        data,
        out,
        percentile=percentile,
        min_agreement=min_agreement,
        class_names=class_names,
        front_end=front_end or "",
        rehearse=rehearse,
        **limit,
    )
    if as_json:
        output.show_json(report)
        return
    output.show(_table(report))
    for row in report["outputs"]:
        output.show(_agreement(row, report["samples"]))
    if report["stored"]:
        output.show(_stored(report["stored"], report["samples"]))
    if report["rehearsal"]:
        output.show(f"{report['rehearsal']} latents of the classes that it knows, for replay")
    output.show(f"[green]✓[/] {report['out']}, {output.size(report['bytes'])}")


def _agreement(row: dict[str, Any], samples: int) -> str:
    """How far the int8 model agrees with the float model on an output."""
    snr = "no noise" if row["snr_db"] is None else f"signal to noise {row['snr_db']:.1f} dB"
    if row["agreement"] is None:
        share = "constant"
    elif row["objective"] == "classify":
        share = f"{row['agreement']:.1%} of {samples} samples in the same class"
    else:
        share = f"{row['agreement']:.2%} of the variance over {samples} samples"
    return f"agreement of float and int8, output {row['node']}: {share}, {snr}"


def _stored(row: dict[str, Any], samples: int) -> str:
    """The cost of rounding latents for the store, in words."""
    text = (
        f"latents stored with {row['bits']} bits: {row['agreement']:.1%} of {samples} samples in "
        "the same class"
    )
    if row["enough"] == row["bits"]:
        return text
    return f"[yellow]![/] {text}; learn with --bits {row['enough']}"


def _table(report: dict[str, Any]) -> Table:
    rows = report["layers"]
    table = Table(box=None, header_style="bold")
    for column in rows[0] if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    return table

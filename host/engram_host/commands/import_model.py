"""engram import"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output

_FITS = {"file": "[green]yes[/]", "flash": "[green]in flash[/]"}
_LAST = 5  # cuts that are shown where none fits
_ROLES = {"frozen": "[dim]frozen[/]", "learns": "[green]learns[/]", "goes": "[dim]goes[/]"}


@click.command(
    epilog="Example: engram import kws.tflite --cut flatten_10 --data clips.npz -o kws.safetensors"
)
@click.argument("file", type=options.FILE)
@click.option(
    "--cut",
    metavar="LAYER",
    help="The layer behind which learning begins: its name or number in the table, or a part of "
    "its name in FILE. Its values are what the board stores and replays. Without it the places "
    "to cut are shown.",
)
@click.option(
    "--classes",
    type=click.IntRange(2, 254),
    metavar="N",
    help="Put a new classifier of N classes in the place of the last layer; it has learned "
    "nothing yet.",
)
@click.option(
    "--output",
    "kept",
    multiple=True,
    metavar="NAME",
    help="An output of FILE that is kept, where it has several: its name, or that of its layer. "
    "Give it once for each; the one that tells classes apart comes first, where that is not "
    "clear. Default: all.",
)
@click.option(
    "--data",
    type=options.DATA,
    help="Samples as the board will see them, with labels if there are any. The result is "
    "compared with the original on them; a float32 file is calibrated with them, a few hundred.",
)
@click.option(
    "--input",
    "input_dtype",
    type=click.Choice(["uint8", "float32"]),
    help="The numbers of a sample. Default: uint8 where the model takes bytes, else "
    "float32.",
)
@click.option(
    "--board",
    default="arduino_nano_33_ble",
    show_default=True,
    metavar="NAME",
    help="The board that the costs of the cuts are for.",
)
@click.option("--out", "-o", type=options.FILE, help="The model file to write.")
@click.option(
    "--min-agreement",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Refuse a result that gives fewer of the samples the class that the original gives them.",
)
@click.option(
    "--accept",
    is_flag=True,
    help="Write a result that is refused otherwise: for low agreement, noise, or a sample unlike "
    "the others that has taken the scale of a layer.",
)
@click.option(
    "--class-names",
    type=options.FILE,
    metavar="FILE",
    help="Names of the classes: a text file with a line per class, in the order of labels.",
)
@click.option("--all", "every", is_flag=True, help="Show every cut, also those that fit nowhere.")
@options.json
@options.debug
def command(
    file: Path,
    cut: str | None,
    classes: int | None,
    kept: tuple[str, ...],
    data: Path | None,
    input_dtype: str | None,
    board: str,
    out: Path | None,
    min_agreement: float,
    accept: bool,
    class_names: Path | None,
    every: bool,
    as_json: bool,
) -> None:
    """Make the model that a board runs of a trained one: FILE, a .tflite of TensorFlow or Keras,
    an .onnx, or a .pt2 of PyTorch (torch.export.save).

    Without --cut it shows the layers, the places where the model can be cut, and the cost of each
    on a board. The layers below the cut no longer learn: those of an int8 file keep their
    integers, those of a float32 file become int8, calibrated with --data. The layers above it
    learn, in float32.
    """
    if (cut is None) != (out is None):
        raise click.UsageError("--cut LAYER and -o FILE belong together: give both, or neither")
    report = api.import_model(
        file,
        out,
        cut=cut,
        classes=classes,
        output=kept,
        data=data,
        input_dtype=input_dtype,
        board=board,
        min_agreement=min_agreement,
        accept=accept,
        class_names=class_names,
    )
    if as_json:
        output.show_json(report)
        return
    output.show(_input(file, report))
    output.show(_layers(report))
    for line in _ends(report):
        output.show(line)
    if report["cut"] is None:
        rows = report["costs"] if every else _worth(report["costs"])
        output.show(_cuts(report, rows))
        for line in (*_hidden(report, rows), *_refused(report)):
            output.show(line)
        output.show(
            "latent: per stored sample; in place: RAM where the model lies in flash (engram push "
            "model --place flash); sample, step: instructions per sample up to the cut, and per "
            "training step of 16."
        )
        output.show(_next(file, report))
        return
    for line in _comparison(report["made"]):
        output.show(line)
    output.show(f"[green]✓[/] {report['out']}, {output.size(report['made']['bytes'])}")


def _ends(report: dict[str, Any]) -> list[str]:
    """A line per output, where they are several."""
    words = {"classify": "tells classes apart", "regress": "numbers, learned from targets"}
    if len(report["outputs"]) == 1:
        return []
    return [
        f"output {escape(row['name'])}: {row['layer']}, {words[row['objective']]}"
        for row in report["outputs"]
    ]


def _layers(report: dict[str, Any]) -> Table:
    table = Table(box=None, header_style="bold")
    for column in ("layer", "activation", "out"):
        table.add_column(column, no_wrap=True)
    table.add_column("weights", justify="right")
    noise = (report["made"] or {}).get("snr_of_layers", {})
    if noise:
        table.add_column("SNR dB", justify="right")
    table.add_column("")
    for row in report["layers"]:
        role = row["reason"] and f"[red]not supported:[/] {escape(row['reason'])}"
        table.add_row(
            row["name"],
            row["activation"],
            " x ".join(map(str, row["out"])),
            f"{row['values']:,}" if row["values"] else "",
            *([_decibel(noise, row["name"])] if noise else []),
            role or _ROLES.get(row["role"], ""),
        )
    return table


def _decibel(noise: dict[str, float | None], name: str) -> str:
    """The noise of a frozen layer beside the float32 original; "" of others."""
    if name not in noise:
        return ""
    snr = noise[name]
    return "no noise" if snr is None else f"{snr:.1f}"


def _input(file: Path, report: dict[str, Any]) -> str:
    """A line about the file, and the samples that it takes."""
    shape = " x ".join(map(str, report["input"]["shape"]))
    numbers = "int8" if report["integer"] else "float32"
    return (
        f"[bold]{escape(file.name)}[/], {numbers}; a sample is {shape} of "
        f"{report['input']['dtype']}"
    )


def _fits(row: dict[str, Any]) -> bool:
    return not row["lacks"]


def _worth(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cuts from the one before the first that fits on; where none fits, the last ones."""
    first = next((i for i, row in enumerate(rows) if _fits(row)), len(rows) - _LAST + 1)
    return rows[max(0, first - 1) :]


def _hidden(report: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Lines about what the table leaves out, and that nothing fits."""
    lines = []
    left = len(report["costs"]) - len(rows)
    if left:
        lines.append(f"[dim]{left} more below them, which fit nowhere: --all[/]")
    if report["costs"] and not any(map(_fits, report["costs"])):
        lines.append(
            f"[yellow]None fits {report['board']}:[/] give another --board (engram boards)"
        )
    return lines


def _next(file: Path, report: dict[str, Any]) -> str:
    """The line to type next, with the cut whose steps cost least."""
    good = [row["layer"] for row in report["costs"] if _fits(row)]
    if not good:
        return "Give one of them as --cut, and -o FILE."
    data = "" if report["integer"] else "--data SAMPLES "
    line = f"engram import {file} --cut {good[-1]} {data}-o {file.stem}.safetensors"
    return f"Give one of them as --cut, and -o FILE. For example:\n[bold]{escape(line)}[/]"


def _cuts(report: dict[str, Any], rows: list[dict[str, Any]]) -> Table:
    table = Table(
        box=None,
        header_style="bold",
        title=f"Places to cut, on {report['board']} (model)",
        title_justify="left",
    )
    table.add_column("--cut", no_wrap=True)
    for column in ("latent\nbytes", "learns\nvalues", "RAM\nkB", "in place\nkB", "file\nkB"):
        table.add_column(column, justify="right")
    for column in ("sample\n10^6", "step\n10^6"):
        table.add_column(column, justify="right")
    table.add_column("fits")
    for row in rows:
        table.add_row(
            row["layer"],
            f"{row['latent_bytes']:,}",
            f"{row['parameters']:,}",
            f"{row['ram_bytes'] / 1000:.0f}",
            "–" if row["in_place_bytes"] is None else f"{row['in_place_bytes'] / 1000:.0f}",
            f"{row['flash_bytes'] / 1000:.0f}",
            _millions(row["observe"]),
            _millions(row["step"]),
            f"[yellow]no: {row['lacks']}[/]" if row["lacks"] else _FITS[row["place"]],
        )
    return table


def _refused(report: dict[str, Any]) -> list[str]:
    """A line per places, in a row, where the model cannot be cut for one reason."""

    def why(row: dict[str, Any]) -> str:
        reason: str = row["reason"]
        return reason.partition(" reads ")[2] or reason

    lines = []
    for value, group in groupby(report["cuts"], why):
        rows = list(group)
        reason = rows[0]["reason"]
        if len(rows) > 1 and value != reason:  # layers of one branch, read beside by several
            reason = f"a layer above reads {value}"
        if reason:
            names = ", ".join(row["layer"] for row in rows)
            lines.append(f"[dim]not behind {names}: {escape(reason)}[/]")
    return lines


def _millions(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:.2f}"


def _comparison(made: dict[str, Any]) -> list[str]:
    """Lines about a device model beside the original."""
    lines = []
    for row in made["outputs"]:
        if row["agreement"] is None:
            continue
        which = f" ({escape(row['name'])})" if len(made["outputs"]) > 1 else ""
        count = f"{made['samples']} samples"
        what = f"of {count} in the same class" if row["classes"] else f"of the variance of {count}"
        snr = row["snr_db"]
        noise = "no noise" if snr is None else f"signal to noise {snr:.1f} dB"
        lines.append(
            f"agreement with the original{which}: {row['agreement']:.1%} {what}, {noise}"
        )
    if made["accuracy"] is not None:
        lines.append(f"accuracy: {made['accuracy']:.1%} of {made['samples']} samples")
    lines += [f"[yellow]accepted:[/] {escape(problem)}" for problem in made["problems"]]
    return lines

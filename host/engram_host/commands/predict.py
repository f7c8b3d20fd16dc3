"""engram predict"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.progress import Bars


@click.command(epilog="Example: engram predict new.npy --port qemu_m4f")
@click.argument("data", type=options.DATA)
@options.class_names
@options.model
@options.port
@options.json
@options.debug
def command(
    data: Path,
    class_names: Path | None,
    model: str | None,
    port: str | None,
    as_json: bool,
) -> None:
    """Print the model's answer, a line per input: label (and name) and probability of a class,
    or the values of a regression; several outputs follow one another.

    DATA is an .npy of inputs, an .npz with an array x, a .csv, an image, a .wav, or a folder of
    these.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        answers = api.predict(board, data, model=model)
        names = api.class_names(board) if class_names is None else api.read_names(class_names)
    if as_json:
        output.show_json([_plain(answer, names) for answer in answers])
        return
    for answer in answers:
        print("\t".join(_columns(answer, names)))


def _plain(answer: api.Answer, names: list[str]) -> dict[str, Any]:
    """An answer as JSON has it."""
    if isinstance(answer, dict):
        return {output: _plain(part, names) for output, part in answer.items()}
    if isinstance(answer, list):
        return {"values": answer}
    label, probability = answer
    name = {"name": names[label]} if label < len(names) else {}
    return {"label": label, **name, "probability": probability}


def _columns(answer: api.Answer, names: list[str]) -> list[str]:
    """An answer as a line has it."""
    if isinstance(answer, dict):
        return [column for part in answer.values() for column in _columns(part, names)]
    if isinstance(answer, list):
        return [f"{value:.6g}" for value in answer]
    label, probability = answer
    name = [names[label]] if label < len(names) else []
    return [str(label), *name, f"{probability:.4f}"]

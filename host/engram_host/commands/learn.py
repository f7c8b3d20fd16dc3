"""engram learn"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.boards.clock import frequency_words, milliseconds
from engram_host.commands import options, output
from engram_host.commands.energy_rows import energy_rows
from engram_host.commands.stream_tables import metrics_table
from engram_host.errors import InputError
from engram_host.progress import Bars

_EXAMPLES = """Example: engram learn sevens.npz --port qemu_m4f

Ten recordings of your own voice, which count more than what was before:
engram learn mine.npz --for user

Photographs, a folder per class: engram learn photos/ --port qemu_m4f

One class after the other, with 200 kB of 4-bit replays: engram learn all.npz
--sessions 0-4,5,6,7,8,9 --known-first --test test.npz --bits 4 --budget 200kB

One room after the other: engram learn rooms.npz --session-field room --test rooms_test.npz --fresh

Another strategy: engram learn sevens.npz --strategy ewc --set lambda=100 --depth 1

A regression, with y of floats: engram learn angles.npz --optimiser adam --lr 0.01 --scope head
"""
_ONLY_STREAMS = ("test", "per_class", "test_per_class", "known_first", "fresh", "abandon")


@click.command(epilog=_EXAMPLES)
@click.argument("data", type=options.DATA)
@options.labels
@click.option(
    "--epochs",
    type=click.IntRange(1),
    metavar="N",
    help="Passes over the new samples. Default: 800 steps, or one pass where that is more; "
    "strategies that need one pass take one.",
)
@click.option(
    "--steps", type=click.IntRange(1), metavar="N", help="Learn for N steps instead."
)
@click.option(
    "--unlabelled",
    is_flag=True,
    help="Send the inputs alone: the model learns without labels (`engram make vae`).",
)
@options.log
@click.option(
    "--sessions",
    metavar="GROUPS",
    help="Cut DATA into sessions: groups of classes, as 0-4,5,6+7 (or of values of "
    "--session-field).",
)
@click.option(
    "--session-field",
    metavar="NAME",
    help="An integer array in DATA by whose values it is cut into sessions: a room, a speaker.",
)
@click.option(
    "--test",
    type=options.DATA,
    metavar="FILE",
    help="Labelled samples to be tested on before the first session and after each.",
)
@click.option(
    "--per-class",
    type=click.IntRange(1),
    metavar="N",
    help="At most N samples of each class per session, drawn at random.",
)
@click.option("--test-per-class", type=click.IntRange(1), metavar="N", help="The same for --test.")
@click.option(
    "--known-first",
    is_flag=True,
    help="The model knows what the first session brings: that is stored for replay, not learned.",
)
@click.option("--fresh", is_flag=True, help="First forget what the board has learned.")
@click.option(
    "--abandon",
    is_flag=True,
    help="Leave an interrupted stream as it is, and start this one.",
)
@options.panel(
    "A stream of sessions", "--sessions", "--session-field", *options.flags(_ONLY_STREAMS)
)
@click.option(
    "--class-names",
    type=options.FILE,
    metavar="FILE",
    help="Names of the classes for table and log: a text file with a line per class. Default: "
    "those that the model has.",
)
@options.model
@options.learner
@options.meter
@options.port
@options.json
@options.debug
def command(
    data: Path,
    labels: Path | None,
    epochs: int | None,
    steps: int | None,
    log: Path | None,
    sessions: str | None,
    session_field: str | None,
    unlabelled: bool,
    model: str | None,
    port: str | None,
    as_json: bool,
    **rest: Any,
) -> None:
    """Teach the board: send labelled samples, learn them there, save the learned state.

    DATA is an .npz with arrays x and y, or an .npy of inputs with --labels. x: uint8 or float32,
    as the model takes them. y: a label (integer) per sample or, for a regression, target values
    (floats); a model that does both takes labels as y and targets as `targets`. The log gets one
    line per step.

    DATA may also be a folder with a sub-folder of images or .wav files per class, or a .csv with
    a row per sample: numbers, or a column `file`; the label is the column `label` or the last
    column. Classes have names or numbers in both. Sounds are cut into windows as long as the
    model's input, or go through the front end that the model names.

    With --sessions or --session-field DATA is a stream of sessions, learned one after the other.
    The accuracy matrix, forgetting and transfer are measured on the board.

    Ctrl-C stops at the next step; the board stays usable and keeps the samples that were sent.
    """
    stream = {name: rest.pop(name) for name in _ONLY_STREAMS}
    rest = options.named(rest)
    args = {"labels": labels, "epochs": epochs, "steps": steps, "model": model, "log": log, **rest}
    in_sessions = sessions is not None or session_field is not None
    names = [name for name, value in stream.items() if value]
    if unlabelled and in_sessions:
        raise click.UsageError("--unlabelled learns one session; leave --sessions away")
    if names and not in_sessions:
        raise click.UsageError(
            f"{options.flags(names)[0]} belongs to a stream of sessions: give --sessions or "
            "--session-field too"
        )
    if sessions is not None:
        _check_sessions(sessions)
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        if in_sessions:
            division = {"sessions": sessions, "field": session_field, **stream}
            run = api.learn_stream(board, data, say=output.errors().print, **division, **args)
            _show({**run.summary, "log": run.log}, metrics_table(run), as_json)
        else:
            result = api.learn(board, data, unlabelled=unlabelled, **args)
            _show({**result.summary, "log": result.log}, _table(result), as_json)


def _check_sessions(sessions: str) -> None:
    try:
        api.stream_groups(sessions)
    except InputError as e:
        raise click.BadParameter(str(e), param_hint="--sessions") from e


def _show(summary: dict[str, Any], table: Any, as_json: bool) -> None:
    if as_json:
        output.show_json(summary)
    else:
        output.show(table)


def _time(summary: dict[str, Any]) -> str:
    """A step's time where it is computed from cycles."""
    at = frequency_words(summary["board"], summary["unit"])
    units = summary["total"] + summary["link"]
    ms = milliseconds(units / summary["steps"], summary["board"], summary["unit"])
    return f", {ms / 1000:.3g} s{at}" if at and ms is not None else ""


def _settings(result: api.Learned) -> str:
    """Learning rate and batches of a session in words."""
    summary, step = result.summary, result.steps[0]
    last = summary["lr"] * (1 - summary["lr_decay"])
    rate = f"{summary['lr']:.3g}" + (f" falling to {last:.3g}" if summary["lr_decay"] else "")
    return f"learning rate {rate}, {step['new']} new + {step['replayed']} stored samples per step"


def _busy(busy: dict[str, int]) -> str:
    total = max(1, sum(busy.values()))
    return ", ".join(f"{name} {part / total:.0%}" for name, part in busy.items())


def _table(result: api.Learned) -> Table:
    summary = result.summary
    table = output.facts()
    steps, unit = summary["steps"], f"{summary['unit']} ({summary['source']})"
    amount = f"{summary['samples']} samples in {steps} steps"
    table.add_row("learned", f"{amount}, {summary['strategy']}")
    if "classes" in summary:
        table.add_row("classes", output.class_counts(summary["classes"], summary["class_names"]))
    if summary["stored"] < summary["samples"]:
        table.add_row("stored", f"{summary['stored']} of them: the policy keeps a fair sample")
    table.add_row("settings", _settings(result))
    table.add_row("loss", f"{summary['first_loss']:.3f} → {summary['last_loss']:.3f}")
    total = max(1, summary["total"] + summary["link"])
    table.add_row("a step", f"{total / steps:,.0f} {unit}{_time(summary)}")
    parts = {**summary["phases"], "link": summary["link"]}
    shares = (f"{name} {part / total:.0%}" for name, part in parts.items())
    table.add_row("of it", ", ".join(shares))
    table.add_row("the session", f"{summary['busy_units']:,} {unit}: {_busy(summary['busy'])}")
    table.add_row("flash", f"{output.size(summary['flash_bytes'])} programmed")
    for name, text in energy_rows(summary, result.log):
        table.add_row(name, text)
    table.add_row("log", str(result.log))
    return table

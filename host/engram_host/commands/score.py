"""engram score"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console
from rich.text import Text

from engram_host import api
from engram_host.commands import options, output
from engram_host.commands.alarm_plot import AlarmPlot, adapted_words
from engram_host.progress import Bars

ENGINES = ("clusters", "neighbours", "classes", "loss")


def _rate(ctx: click.Context, param: click.Parameter, value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


@click.command(epilog="""Example: engram score day.npz --port qemu_m4f

At most one false alarm a day, of a sample every ten seconds: engram score day.npz
--false-alarms 1/day --every 10

Learn what is new and not a fault: engram score week.npz --adapt
""")
@click.argument("data", type=options.DATA)
@options.labels
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="clusters",
    show_default=True,
    help="Clusters of the stored samples; the nearest of them, which takes longest; a cluster per "
    "label; or the loss of a model that learns without labels.",
)
@click.option(
    "--window",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="The mean score of N samples is compared with the threshold.",
)
@click.option(
    "--false-alarms",
    default="0.001",
    show_default=True,
    callback=_rate,
    metavar="RATE",
    help="Normal samples with a mean above the threshold: a share of them, or 1/day and the like "
    "with --every.",
)
@click.option("--every", type=float, metavar="SECONDS", help="From one sample to the next.")
@click.option(
    "--normal",
    type=int,
    multiple=True,
    metavar="LABEL",
    help="Label of stored samples that are normal, may be given again. Default: all are.",
)
@click.option("--clusters", type=click.IntRange(1), metavar="N", help="At most so many clusters.")
@click.option(
    "--neighbours", type=click.IntRange(1), metavar="N", help="So many of the nearest samples."
)
@click.option("--seed", type=int, metavar="N", help="Of the choice of clusters.")
@click.option(
    "--adapt",
    is_flag=True,
    help="Learn what is new where it comes and goes between what is known, save, and set a new "
    "threshold; for a model that learns without labels.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="With --adapt: learn N steps at a time, until the loss has settled.  [default: 100]",
)
@click.option("--lines", is_flag=True, help="Print a line per sample: number, score, mean, state.")
@click.option("--log", type=options.FILE, metavar="FILE", help="Log of all scores, as JSON Lines.")
@options.class_names
@options.model
@options.port
@options.json
@options.debug
def command(
    data: Path,
    port: str | None,
    as_json: bool,
    lines: bool,
    normal: tuple[int, ...],
    adapt: bool,
    steps: int | None,
    **rest: Any,
) -> None:
    """Watch samples for anomalies: scores, the mean over a window, a threshold and alarms.

    The board compares each sample of DATA with the samples that it has stored (`engram learn`).
    The threshold comes from these, each scored by an engine that was not fitted to it.

    DATA as for `engram predict`, in the order in which the samples came. With labels, of which 0
    is normal, the area under the ROC curve is printed too.

    A board that adapts cannot tell a fault from a new way of running by its looks, and decides by
    time: samples that look new wait, and are learned where normal ones were before and after them.
    What waits when DATA ends is forgotten.
    """
    if steps is not None and not adapt:
        raise click.UsageError("--steps belongs to --adapt: give both, or neither")
    plot: AlarmPlot | None = None
    count = 0

    def on_watch(facts: dict[str, Any]) -> None:
        nonlocal plot
        if not (as_json or lines):
            plot = AlarmPlot(Console(), facts)

    def on_reading(reading: Any) -> None:
        nonlocal count
        if plot is not None:
            plot.add(reading)
        elif lines:
            score, mean, state = reading
            told = "-" if score is None else f"{score:.6g}"
            print(f"{count}\t{told}\t{mean:.6g}\t{state}", flush=True)
        count += 1

    def on_adapted(told: dict[str, Any], facts: dict[str, Any]) -> None:
        if plot is not None:
            plot.adapted(told, facts)
        elif lines:
            output.errors().print(f"{count}\t{adapted_words(told)}", highlight=False)

    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        result = api.score(
            board,
            data,
            normal=normal or None,
            adapt=adapt,
            steps=steps,
            on_watch=on_watch,
            on_reading=on_reading,
            on_adapted=on_adapted,
            **rest,
        )
    if as_json:
        output.show_json({key: result[key] for key in result if key not in _LISTS})
    elif plot is not None:
        plot.end()
        output.show(_table(result))


_LISTS = ("scores", "means", "states")


def _table(result: dict[str, Any]) -> Any:
    table = output.facts()
    table.add_row("samples", f"{result['n']:,}")
    during = f", {result['alarmed']:,} samples long" if result["alarms"] else ""
    table.add_row("alarms", Text(f"{result['alarms']}{during}"))
    if "adapted" in result:
        table.add_row("learned", Text(_learned(result)))
    if result["unknown"]:
        table.add_row("without a score", f"{result['unknown']}: the model may be ruined")
    if result.get("auc") is not None:
        table.add_row("AUC", f"{result['auc']:.3f} of scores, {result['mean_auc']:.3f} of means")
    for key, name in (("alarmed_normal", "normal"), ("alarmed_others", "others")):
        if result.get(key) is not None:
            table.add_row(name, f"{result[key]:.1%} of samples in an alarm")
    return table


def _learned(result: dict[str, Any]) -> str:
    """Words on what a board that adapts has taken in."""
    learned = sum(told["blocks"] for told in result["adapted"])
    words = f"{learned} of {result['adopted']} new blocks of 8 samples that were taken in"
    if result["taken"]:
        words += f"; the other {result['taken']} are stored"
    words += f"; {result['refused']} refused"
    if result["waiting"]:
        words += f", {result['waiting']} waited at the end and are forgotten"
    return words

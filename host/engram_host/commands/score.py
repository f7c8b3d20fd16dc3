"""engram score"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console
from rich.text import Text

from engram_host import api
from engram_host.commands import options, output
from engram_host.commands.alarm_plot import AlarmPlot
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
    **rest: Any,
) -> None:
    """Watch samples for anomalies: scores, the mean over a window, a threshold and alarms.

    The board compares each sample of DATA with the samples that it has stored (`engram learn`).
    The threshold comes from these, each scored by an engine that was not fitted to it.

    DATA as for `engram predict`, in the order in which the samples came. With labels, of which 0
    is normal, the area under the ROC curve is printed too.
    """
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

    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        result = api.score(
            board, data, normal=normal or None, on_watch=on_watch, on_reading=on_reading, **rest
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
    if result["unknown"]:
        table.add_row("without a score", f"{result['unknown']}: the model may be ruined")
    if result.get("auc") is not None:
        table.add_row("AUC", f"{result['auc']:.3f} of scores, {result['mean_auc']:.3f} of means")
    for key, name in (("alarmed_normal", "normal"), ("alarmed_others", "others")):
        if result.get(key) is not None:
            table.add_row(name, f"{result[key]:.1%} of samples in an alarm")
    return table

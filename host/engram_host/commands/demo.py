"""engram demo"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from engram_host.commands import options, output
from engram_host.progress import Bars

_PORT = "A virtual board or serial port."


def _say(line: str) -> None:
    output.errors().print(f"[bold]{escape(line)}[/]", highlight=False)


@click.group(invoke_without_command=True, epilog="Example: engram demo --port qemu_m4f")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Where the report goes.",
)
@click.option("--seeds", is_flag=True, help="Repeat with three seeds: mean and spread.")
@click.option("--port", "-p", default="qemu_m4f", show_default=True, help=_PORT)
@options.number_format
@options.meter
@options.json
@options.debug
@click.pass_context
def command(
    ctx: click.Context,
    out: Path,
    seeds: bool,
    port: str,
    format: str | None,
    rounding: str | None,
    meter: str | None,
    as_json: bool,
) -> None:
    """A board learns handwritten digits, class after class, and does not forget.

    The network knows the digits 0 to 4. Then 5, 6, 7, 8 and 9 arrive, one per session. The board
    learns each with replay of stored samples and, for contrast, without. At the end the demo
    prints a table and writes a report with pictures.

    `engram demo fan` shows another: a machine that is watched without labels.
    """
    if ctx.invoked_subcommand is not None:
        return
    from engram_host.demo import demo  # matplotlib with it: not for --help

    result: dict[str, Any] = demo(
        port,
        out=out,
        seeds=seeds,
        meter=meter,
        format=format,
        rounding=rounding,
        reporter=Bars(output.errors()),
        say=_say,
    )
    if as_json:
        output.show_json(result["summary"])
        return
    from engram_host.report.terminal import summary_table

    output.show(summary_table(result["summary"]))
    output.show(f"[green]✓[/] {result['paths']['report']}")


@command.command(epilog="Example: engram demo fan --port qemu_m4f")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/fan"),
    show_default=True,
    help="Where the report goes.",
)
@click.option(
    "--seed", default=1, show_default=True, help="Of the fan, the weights and the clusters."
)
@click.option("--port", "-p", default="qemu_m4f", show_default=True, help=_PORT)
@options.json
@options.debug
@click.pass_context
def fan(ctx: click.Context, out: Path, seed: int, port: str, as_json: bool) -> None:
    """A board watches a simulated fan, and learns a new speed without labels.

    It gets raw windows of vibration of a balanced fan and learns them by an auto-encoder that was
    never trained. Then it watches: imbalance raises the alarm, a repair ends it, a new speed that
    comes and goes is learned, and imbalance still raises the alarm. The exit code is 1 where it
    did not.
    """
    from engram_host.demo.fan import fan_demo  # matplotlib with it: not for --help

    told = fan_demo(port, out=out, seed=seed, reporter=Bars(output.errors()), say=_say)
    result, page = told["result"], told["paths"]["report"]
    if as_json:
        output.show_json(told["summary"])
    else:
        output.show(_phases(result))
        output.show(f"{'[green]✓[/]' if result['kept'] else '[red]✗[/]'} {page}")
    if not result["kept"]:
        broken = [row["name"] for row in result["phases"] if not row["kept"]]
        if result["faults_learned"]:
            broken.append(f"{result['faults_learned']} blocks of a fault were learned")
        output.errors().print(f"[red]not as the demo promises:[/] {', '.join(broken)}")
        ctx.exit(1)


def _phases(result: dict[str, Any]) -> Table:
    table = Table(title="windows in alarm", title_style="bold", title_justify="left")
    for name in ("phase", "windows", "expected", "in alarm", ""):
        right = name in ("windows", "in alarm")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "expected")
    for row in result["phases"]:
        mark = Text("✓", "green") if row["kept"] else Text("✗", "red")
        share = f"{row['share']:.1%}"
        table.add_row(row["name"], f"{row['windows']:,}", row["expected"], share, mark)
        if row["expects"] == "learned":
            for told in result["adapted"]:
                words = f"  {told['blocks']} blocks learned in {told['steps']} steps"
                table.add_row(Text(words, "cyan"))
    return table

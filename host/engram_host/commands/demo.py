"""engram demo"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click
from rich.markup import escape

from engram_host.commands import options, output
from engram_host.progress import Bars


@click.command(epilog="Example: engram demo --port qemu_m4f")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Where the report goes.",
)
@click.option("--seeds", is_flag=True, help="Repeat with three seeds: mean and spread.")
@click.option(
    "--port", "-p", default="qemu_m4f", show_default=True, help="A virtual board or serial port."
)
@options.number_format
@options.meter
@options.json
@options.debug
def command(
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
    """
    from engram_host.demo import demo  # matplotlib with it: not for --help

    result: dict[str, Any] = demo(
        port,
        out=out,
        seeds=seeds,
        meter=meter,
        format=format,
        rounding=rounding,
        reporter=Bars(output.errors()),
        say=lambda line: output.errors().print(f"[bold]{escape(line)}[/]", highlight=False),
    )
    if as_json:
        output.show_json(result["summary"])
        return
    from engram_host.report.terminal import summary_table

    output.show(summary_table(result["summary"]))
    output.show(f"[green]✓[/] {result['paths']['report']}")

"""engram report"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram report out/demo/result.json --out out/demo")
@click.argument("result", type=options.FILE, default=Path("out/demo/result.json"))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to write; default: beside RESULT.",
)
@options.json
@options.debug
def command(result: Path, out: Path | None, as_json: bool) -> None:
    """Write the report of a run again: report.html, summary.json and the pictures.

    RESULT is the result.json that `engram demo` writes.
    """
    paths = api.report(result, out or result.parent)
    if as_json:
        output.show_json(paths)
    else:
        output.show(f"[green]✓[/] {paths['report']}")

"""engram report"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram report out/log/*.jsonl --out out/report")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=options.FILE)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to write; default: beside a result.json, out/report for logs.",
)
@options.json
@options.debug
def command(sources: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Write a report: a page (report.html) and its pictures.

    SOURCE is the result.json that `engram demo` writes, or logs that `engram learn` writes, in the
    order of the sessions.
    """
    beside = Path("out/report") if sources[0].suffix == ".jsonl" else sources[0].parent
    paths = api.report(sources, out or beside)
    if as_json:
        output.show_json(paths)
    else:
        output.show(f"[green]✓[/] {paths['report']}")

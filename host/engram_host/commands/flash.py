"""engram flash"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram flash rpi_pico --dry-run")
@click.argument("board")
@click.option("--firmware", type=options.FILE, help="A file; default: from `engram build`.")
@click.option(
    "--way",
    type=click.Choice(list(api.FLASH_WAYS)),
    help="The way to flash; default: the first in the board's board.toml.",
)
@click.option("--volume", type=click.Path(file_okay=False, path_type=Path), help="The UF2 drive.")
@click.option("--port", "-p", metavar="PORT", help="The board's serial port, if it is not clear.")
@click.option("--probe", metavar="ID", help="The debug probe, where there are several (pyocd).")
@click.option("--dry-run", is_flag=True, help="Check the file and show what would be done.")
@options.json
@options.debug
def command(board: str, as_json: bool, dry_run: bool, **chosen: Any) -> None:
    """Put a firmware onto a real board, and check that it is there.

    A firmware for another board is refused before anything is touched. The content that the tool
    can read back is compared; then the board is asked which firmware runs.
    """
    with output.errors().status(f"flashing {board}") as status:
        told = api.flash(board, dry_run=dry_run, say=lambda line: status.update(line), **chosen)
    if as_json:
        output.show_json(_plain(told))
    elif dry_run:
        output.show_lines({}, [*_before(board, told), *told.steps, _AFTER], False)
    else:
        for line in _result(board, told):
            output.show(line)


_AFTER = "# ask the board on the serial port that comes what it runs"


def _before(board: str, told: api.Outcome) -> list[str]:
    """Comment lines for a shell: the firmware file, and the first thing that the user does."""
    what = f"{_what(told)}, {output.size(told.bytes)}"
    lines = [f"# {told.file}: {what}, is for {board}; by {told.way}, nothing is done now"]
    return lines + ([f"# {told.enter}"] if told.enter else [])


def _what(told: api.Outcome) -> str:
    return f"Engram {told.engram[1]}" if told.engram else "firmware without Engram's mark"


def _plain(told: api.Outcome) -> dict[str, Any]:
    names = "way file bytes engram enter steps done verified why_not said".split()
    return {name: getattr(told, name) for name in names}


def _result(board: str, told: api.Outcome) -> list[str]:
    """For people: what is certain, and what is not."""
    lines = [f"[green]✓[/] {board}: {_what(told)}, {output.size(told.bytes)} by {told.way}"]
    if told.verified:
        lines.append("[green]✓[/] compared with what is in the board")
    else:
        lines.append(f"[yellow]not compared[/]: {told.why_not}")
    if told.said is None:
        lines.append(
            "[yellow]not asked[/]: no serial port appeared; `engram boards` shows it later"
        )
    else:
        said = told.said
        runs = f"{said['system']} {said['version']}, Engram {said.get('engram', 'none')}"
        lines.append(f"[green]✓[/] {said['port']} says: {runs}")
    return lines

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
@click.option("--yes", is_flag=True, help="Do not ask where files may be lost.")
@click.option("--dry-run", is_flag=True, help="Check the file and show what would be done.")
@options.json
@options.debug
def command(board: str, as_json: bool, dry_run: bool, yes: bool, **settings: Any) -> None:
    """Put a firmware onto a real board, and check that it is there.

    A firmware for another board is refused before anything is touched. Where the firmware divides
    the flash in another way than MicroPython alone, and files may be lost, it asks. The content
    that the tool can read back is compared; then the board is asked which firmware runs.
    """
    if not dry_run and not yes:
        lost = api.flash(board, dry_run=True, **settings).lost
        if lost:
            click.confirm(f"{lost}\nFlash it?", abort=True, err=True)
    with output.errors().status(f"flashing {board}") as status:
        outcome = api.flash(
            board, dry_run=dry_run, say=lambda line: status.update(line), **settings
        )
    if as_json:
        output.show_json(_plain(outcome))
    elif dry_run:
        output.show_lines({}, [*_before(board, outcome), *outcome.steps, _AFTER], False)
    else:
        for line in _result(board, outcome):
            output.show(line)


_AFTER = "# ask the board on the serial port that comes what it runs"


def _before(board: str, outcome: api.Outcome) -> list[str]:
    """Comment lines for a shell: the firmware file, and the first thing that the user does."""
    what = f"{_what(outcome)}, {output.size(outcome.bytes)}"
    lines = [f"# {outcome.file}: {what}, is for {board}; by {outcome.way}, nothing is done now"]
    lines += [f"# {outcome.lost}"] if outcome.lost else []
    return lines + ([f"# {outcome.enter}"] if outcome.enter else [])


def _what(outcome: api.Outcome) -> str:
    return f"Engram {outcome.engram[1]}" if outcome.engram else "firmware without Engram's mark"


def _plain(outcome: api.Outcome) -> dict[str, Any]:
    names = "way file bytes engram enter steps done verified why_not said lost".split()
    return {name: getattr(outcome, name) for name in names}


def _result(board: str, outcome: api.Outcome) -> list[str]:
    """For people: what is certain, and what is not."""
    lines = [
        f"[green]✓[/] {board}: {_what(outcome)}, {output.size(outcome.bytes)} by {outcome.way}"
    ]
    if outcome.verified:
        lines.append("[green]✓[/] compared with what is in the board")
    else:
        lines.append(f"[yellow]not compared[/]: {outcome.why_not}")
    if outcome.said is None:
        lines.append(
            "[yellow]not asked[/]: no serial port appeared; `engram boards` shows it later"
        )
    else:
        facts = outcome.said
        versions = f"{facts['system']} {facts['version']}, Engram {facts.get('engram', 'none')}"
        lines.append(f"[green]✓[/] {facts['port']} says: {versions}")
    return lines

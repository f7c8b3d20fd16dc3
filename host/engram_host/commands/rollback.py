"""engram rollback"""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output

_LOST = {
    "previous": "The last saved state is erased. Go back to the one before?",
    "factory": "All saved states are erased. Go back to the parameters in the model file?",
}


@click.command(epilog="Example: engram rollback --to previous --yes --port qemu_m4f")
@click.option(
    "--to",
    type=click.Choice(["last", "previous", "factory"]),
    default="last",
    show_default=True,
    help="The last saved state, the one before it, or the parameters in the model file.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.model
@options.port
@options.json
@options.debug
def command(to: str, yes: bool, model: str | None, port: str | None, as_json: bool) -> None:
    """Go back to a saved state of a board: undo a session that made the model worse.

    A board keeps the last two states. A rollback loses the parameters after the chosen state, and
    a power cut leaves one or the other. Stored samples stay: the samples of the session undone
    last count as new again, for the next `engram learn`. `engram reset` forgets everything.
    """
    if to in _LOST and not yes:
        click.confirm(_LOST[to], abort=True, err=True)
    with api.connect(port, on_text=output.console_text) as board:
        result = api.rollback(board, to, model=model)
    if as_json:
        output.show_json(result)
        return
    output.show(
        f"[green]✓[/] {result['model']} is at {_state(result['generation'])}: {result['session']} "
        f"sessions, {result['steps']:,} steps, {result['known']} classes"
    )
    output.show(_changes(result))


def _state(generation: int | None) -> str:
    return f"generation {generation}" if generation else "the model file"


def _changes(result: dict[str, Any]) -> Table:
    difference = result["undone"]
    rows = [
        ("before", _state(result["before"]["generation"])),
        ("undone", f"{difference['session']} sessions, {difference['steps']:,} steps"),
    ]
    if result["new"]:
        words = "stored samples count as new again: the next `engram learn` learns them too"
        rows.append(("new", f"{result['new']:,} {words}"))
    if None not in result["accuracy"]:
        rows.append(("accuracy", "{:.1%} → {:.1%} on the tests taken".format(*result["accuracy"])))
    return output.facts(rows)

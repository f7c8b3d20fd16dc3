"""engram info"""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram info --port qemu_m4f")
@options.port
@options.json
@options.debug
def command(port: str | None, as_json: bool) -> None:
    """Show the facts of a board: runtime, memory, files, the open model, stored samples."""
    with api.connect(port, on_text=output.console_text) as board:
        told = api.info(board)
    if as_json:
        output.show_json(told)
    else:
        output.show(_table(told))


def _table(told: dict[str, Any]) -> Table:
    heap, fs = told["heap"], told["fs"]
    rows = [
        ("board", told["board"]),
        ("runtime", f"{told['runtime']}, engram {told['engram']}"),
        ("figures", f"{told['counter']['unit']} ({told['counter']['kind']})"),
        (
            "heap",
            f"{output.size(heap['used_bytes'])} used, {output.size(heap['free_bytes'])} free",
        ),
        (
            "files",
            f"{output.size(fs['free_bytes'])} of {output.size(fs['total_bytes'])} free"
            + "".join(f"\n{name}  {output.size(n)}" for name, n in told["files"].items()),
        ),
        ("model", _model(told)),
    ]
    if told["flash"]:
        store, saved = told["flash"]["store"], told["flash"]["checkpoints"]
        rows += [
            ("stored samples", f"{store['live']:,} of {store['capacity']:,}"),
            (
                "saved state",
                f"generation {saved['generation']}" if saved["generation"] else "none",
            ),
        ]
    return output.facts(rows)


def _model(told: dict[str, Any]) -> str:
    learner = told["learner"]
    if learner is None:
        return "none is open; `engram push model FILE` puts one there"
    return (
        f"{learner['model']} ({told['model']}), {output.outputs(learner)}, "
        f"{learner['parameters']:,} trained parameters\n"
        f"strategy {learner['strategy']}, at most {learner['budget']:,} latents of "
        f"{learner['bits']} bits stay in flash\n"
        f"{output.size(learner['ram_planned_bytes'])} of RAM planned, "
        f"{output.size(learner['ram_measured_bytes'])} measured"
    )

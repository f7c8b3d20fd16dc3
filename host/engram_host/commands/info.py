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
        facts = api.info(board)
    if as_json:
        output.show_json(facts)
    else:
        output.show(_table(facts))


def _table(facts: dict[str, Any]) -> Table:
    heap, fs = facts["heap"], facts["fs"]
    rows = [
        ("board", facts["board"]),
        ("runtime", f"{facts['runtime']}, engram {facts['engram']}"),
        ("figures", f"{facts['counter']['unit']} ({facts['counter']['kind']})"),
        (
            "heap",
            f"{output.size(heap['used_bytes'])} used, {output.size(heap['free_bytes'])} free",
        ),
        (
            "files",
            f"{output.size(fs['free_bytes'])} of {output.size(fs['total_bytes'])} free"
            + "".join(f"\n{name}  {output.size(n)}" for name, n in facts["files"].items()),
        ),
        ("model", _model(facts)),
    ]
    if facts["flash"]:
        store, states = facts["flash"]["store"], facts["flash"]["checkpoints"]
        rows += [
            ("stored samples", f"{store['live']:,} of {store['capacity']:,}"),
            (
                "saved state",
                f"generation {states['generation']}"
                + (", of which a fallen bit is put right" if states["corrected"] else "")
                if states["generation"]
                else "none",
            ),
        ]
    return output.facts(rows)


def _model(facts: dict[str, Any]) -> str:
    learner = facts["learner"]
    if learner is None:
        return "none is open; `engram push model FILE` puts one there"
    return (
        f"{learner['model']} ({facts['model']}), {output.outputs(learner)}, "
        f"{learner['parameters']:,} trained parameters\n"
        f"strategy {learner['strategy']}, at most {learner['budget']:,} latents of "
        f"{learner['bits']} bits stay in flash\n"
        f"{output.size(learner['ram_planned_bytes'])} of RAM planned, "
        f"{output.size(learner['ram_measured_bytes'])} measured"
    )

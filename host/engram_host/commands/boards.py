"""engram boards"""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram boards")
@click.option("--no-ask", is_flag=True, help="Leave the ports closed: do not ask what is there.")
@options.json
@options.debug
def command(no_ask: bool, as_json: bool) -> None:
    """List the boards Engram knows, and what is on the serial ports there are.

    A board is asked at its prompt, or its agent is; a program that runs is not interrupted. Each
    port has ten seconds, all are asked at once.
    """
    with output.errors().status("asking the boards"):
        rows, ports = api.boards(), api.serial_ports(ask=not no_ask)
    if as_json:
        output.show_json({"boards": rows, "ports": ports})
        return
    output.show(_boards(rows))
    if ports:
        output.show(_ports(ports))


def _boards(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold")
    for column in ("board", "chip", "RAM", "flash", "state", "what it is"):
        table.add_column(column)
    for row in rows:
        ram, flash = output.size(row["ram_bytes"]), output.size(row["flash_bytes"])
        table.add_row(row["name"], row["chip"], ram, flash, _state(row), row["title"])
    return table


def _state(row: dict[str, Any]) -> str:
    if "built" not in row:
        return f"[dim]{row['status']}[/]"
    if row["running"]:
        return "[green]running[/]"
    return "built" if row["built"] else "[yellow]not built[/]"


def _ports(ports: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold")
    columns = ("port", "what is connected", "state", "board", "firmware", "Engram", "free RAM")
    for column in columns:
        table.add_column(column)
    for row in ports:
        table.add_row(row["port"], row["description"], *_found(row))
    return table


def _found(row: dict[str, Any]) -> tuple[str, ...]:
    """State, board, firmware, Engram, free RAM; why nothing is known of them."""
    state = row.get("state", "not asked")
    if "system" not in row:
        why = f"{state}: {row['why']}" if "why" in row else state
        return f"[dim]{why}[/]", "–", "–", "–", "–"
    board = row.get("board") or row.get("firmware_board") or row.get("machine") or "–"
    firmware = f"{row['system']} {row['version']}"
    return state, board, firmware, row.get("engram", "–"), output.size(row["free_bytes"])

"""engram boards"""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram boards")
@click.option("--no-ask", is_flag=True, help="Leave the ports closed: ask no board there.")
@options.json
@options.debug
def command(no_ask: bool, as_json: bool) -> None:
    """List the boards that Engram knows, and the boards on the serial ports.

    Engram asks a board at its prompt, or asks the agent there; it does not interrupt a running
    program. All ports are asked at once, for ten seconds at most.
    """
    with output.errors().status("asking the boards"):
        rows, ports = api.boards(), api.serial_ports(ask=not no_ask)
    if as_json:
        output.show_json({"boards": rows, "ports": ports})
        return
    output.show(_virtual_boards([row for row in rows if "running" in row]))
    real = [row for row in rows if "running" not in row]
    output.show("")
    output.show(_real_boards(real))
    for status, names in _by_status(real).items():
        output.show(f"[dim]{status} ({', '.join(names)})[/]")
    if ports:
        output.show("")
        output.show(_ports(ports))


def _virtual_boards(rows: list[dict[str, Any]]) -> Table:
    table = _table("virtual board", "state", "RAM", "flash")
    table.add_column("what it is")
    for row in rows:
        state = "[green]running[/]" if row["running"] else _built(row)
        table.add_row(row["name"], state, *_sizes(row), row["title"])
    return table


def _real_boards(rows: list[dict[str, Any]]) -> Table:
    table = _table("real board", "firmware", "RAM", "flash")
    table.add_column("chip")
    table.add_column("flashed by")
    for row in rows:
        ways = ", ".join(row["ways"]) or "–"
        table.add_row(row["name"], _built(row), *_sizes(row), row["chip"], ways)
    return table


def _table(*columns: str) -> Table:
    """The columns are shown whole: a board's name is there to be typed."""
    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _built(row: dict[str, Any]) -> str:
    if "built" not in row:
        return "–"
    return "built" if row["built"] else "[yellow]not built[/]"


def _sizes(row: dict[str, Any]) -> tuple[str, str]:
    return output.size(row["ram_bytes"]), output.size(row["flash_bytes"])


def _by_status(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """{status: names of the boards}"""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["status"], []).append(row["name"])
    return names


def _ports(ports: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("port", overflow="fold")
    for column in ("state", "board", "firmware", "Engram", "free RAM"):
        table.add_column(column)
    for row in ports:
        table.add_row(f"{row['port']}\n[dim]{row['description']}[/]", *_found(row))
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

"""engram boards"""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram boards")
@options.json
@options.debug
def command(as_json: bool) -> None:
    """List the boards Engram knows, and the serial ports there are."""
    rows, ports = api.boards(), api.serial_ports()
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


def _ports(ports: list[dict[str, str]]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("serial port")
    table.add_column("what is there")
    for port in ports:
        table.add_row(port["port"], port["description"])
    return table

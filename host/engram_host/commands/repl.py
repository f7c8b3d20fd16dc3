"""engram repl"""

from __future__ import annotations

import sys

import rich_click as click

from engram_host.commands import options
from engram_host.line import console
from engram_host.line.ports import open_transport


@click.command(epilog="Example: engram repl --port qemu_m4f")
@options.port
@options.debug
@click.pass_context
def command(ctx: click.Context, port: str | None) -> None:
    """Talk to the board's own Python. Ctrl-] leaves; the board goes on.

    Lines can also be piped in (engram repl < lines.py): they run one after the other, and the
    exit code is 1 if one of them raised an error.
    """
    transport = open_transport(port)
    try:
        ctx.exit(console.run(transport, sys.stdin, sys.stdout))
    finally:
        transport.close()

"""The command line: a table of verbs, and one place where errors become messages and exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C).
"""

from __future__ import annotations

import importlib
import sys
import traceback
import warnings
from typing import Any

import rich_click as click
from click.exceptions import Abort, ClickException, Exit
from rich.markup import escape

from engram import __version__
from engram.errors import EngramError
from engram_host.commands.output import errors
from engram_host.errors import EngramWarning, Stopped

# Verb -> module of engram_host.commands; the module has a click command named `command`.
VERBS = {
    "demo": "demo",
    "boards": "boards",
    "build": "build",
    "flash": "flash",
    "start": "start",
    "stop": "stop",
    "info": "info",
    "convert": "convert",
    "import": "import_model",
    "make": "make",
    "plan": "plan",
    "install": "install",
    "push": "push",
    "files": "files",
    "remove": "remove",
    "rehearse": "rehearse",
    "learn": "learn",
    "eval": "evaluate",
    "predict": "predict",
    "score": "score",
    "measure": "measure",
    "log": "log",
    "report": "report",
    "repl": "repl",
    "reboot": "reboot",
    "reset": "reset",
    "rollback": "rollback",
    "store-info": "store_info",
    "store-check": "store_check",
    "store-dump": "store_dump",
    "store-format": "store_format",
}

FAILED, INTERRUPTED = 1, 130


class Verbs(click.RichGroup):
    """Loads a verb when it is asked for; turns errors into messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = importlib.import_module(f"engram_host.commands.{VERBS[name]}")
        command: click.Command = module.command
        command.name = name
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("always", EngramWarning)
            warnings.showwarning = _show_warning
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # else a reader that has gone is met when the interpreter ends
            return result
        except KeyboardInterrupt as stop:
            reason = str(stop) if isinstance(stop, Stopped) else "interrupted"
            errors().print(f"[yellow]{escape(reason)}[/]", highlight=False)
            ctx.exit(INTERRUPTED)
        except (ClickException, Exit, Abort, BrokenPipeError):
            raise  # wrong usage, `| head` and the like: click's own
        except Exception as e:
            if ctx.find_root().meta.get("debug"):
                errors().print(traceback.format_exc(), markup=False, highlight=False)
            errors().print(
                f"[bold red]Error:[/] {escape(_told(e))}", highlight=False, soft_wrap=True
            )
            ctx.exit(FAILED)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    errors().print(
        f"[bold yellow]Warning:[/] {escape(str(message))}", highlight=False, soft_wrap=True
    )


def _told(e: Exception) -> str:
    """An error in words; one that nobody foresaw says so."""
    if isinstance(e, (EngramError, OSError, ImportError)):
        return str(e)
    return (
        f"{type(e).__name__}: {e}; this is a fault of Engram, or firmware and host are of "
        "different "
        "versions (`engram build` again): --debug shows where it happened"
    )


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="engram")
def main() -> None:
    """Models that keep learning on a microcontroller.

    A board runs MicroPython with the engram library; this command feeds it, watches it and
    measures it. Without a board, a virtual one does: `engram demo` shows everything at once.

    Start with: engram boards, then engram VERB --help
    """

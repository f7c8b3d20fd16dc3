"""Options that several verbs have, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from engram_host.ports import ENVIRONMENT

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)


def _remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.find_root().meta["debug"] = value


def debug(function: F) -> F:
    """--debug, kept for the place that shows errors."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_remember,
        help="Show where an error came from.",
    )(function)


def json(function: F) -> F:
    """--json"""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON on stdout."
    )(function)


def port(function: F) -> F:
    """--port"""
    return click.option(
        "--port",
        "-p",
        envvar=ENVIRONMENT,
        metavar="PORT",
        help="A virtual board's name (qemu_m4f, unix; started if need be), a serial port, or "
        "any URL that pyserial opens (/dev/ttyACM0, socket://host:port).",
    )(function)


def model(function: F) -> F:
    """--model"""
    return click.option(
        "--model", metavar="NAME", help="A model file on the board; default: the one that is open."
    )(function)


def labels(function: F) -> F:
    """--labels"""
    return click.option(
        "--labels", type=FILE, metavar="FILE.npy", help="Labels, where DATA is an .npy of inputs."
    )(function)


# Learner's own options: name, type, help. Not given: as the board has them.
_LEARNER: tuple[tuple[str, Any, str], ...] = (
    ("batch", int, "Samples in a mini-batch."),
    ("lr", float, "Learning rate of SGD."),
    ("momentum", float, "Momentum of SGD."),
    ("weight-decay", float, "Weight decay of SGD."),
    ("seed", int, "Of the random picks."),
    ("policy", click.Choice(["balanced", "reservoir"]), "Which samples stay in flash."),
    ("budget", int, "How many samples stay in flash when a session ends."),
)


def learner(function: F) -> F:
    """--batch, --lr and so on: options of the learner."""
    for name, kind, told in reversed(_LEARNER):
        function = click.option(f"--{name}", type=kind, help=told)(function)
    return function

"""Where the store-... verbs look: a flash image, or a board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rich_click as click
from click.core import ParameterSource

from engram_host import api
from engram_host.commands import options, output
from engram_host.progress import Bars


def source(function: Callable[..., Any]) -> Callable[..., Any]:
    """--image and --port."""
    function = options.port(function)
    return click.option(
        "--image",
        type=options.FILE,
        metavar="FILE",
        help="A flash image (`engram stop BOARD --save FILE`) instead of a board.",
    )(function)


@contextmanager
def opened(ctx: click.Context, image: Path | None, port: str | None) -> Iterator[dict[str, Any]]:
    """Arguments image and port of an api function; the board is connected meanwhile.

    Raises UsageError where both were given on the command line.
    """
    if image is None:
        with api.connect(port, Bars(output.errors()), on_text=output.console_text) as board:
            yield {"image": None, "port": board}
        return
    if ctx.get_parameter_source("port") == ParameterSource.COMMANDLINE:
        raise click.UsageError("expected --image or --port, got both")
    yield {"image": image, "port": None}


def records(store: dict[str, Any]) -> str:
    """The samples of store_info() or store_check(), in a line."""
    return (
        f"{store['live']:,} stored samples of model {store['model_id']}, {store['bits']} bits, "
        f"{store['latent_bytes']:,} bytes each"
    )


def wear(store: dict[str, Any]) -> str:
    """How often a unit was erased over its life."""
    least, most = store["wear_min"], store["wear_max"]
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"

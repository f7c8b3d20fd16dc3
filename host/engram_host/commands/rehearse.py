"""engram rehearse"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.progress import Bars

_EXAMPLES = """Example: engram rehearse base.npz --port qemu_m4f, then engram learn sevens.npz

A model file can carry such samples itself: engram convert --help, option --rehearse
"""


@click.command(epilog=_EXAMPLES)
@click.argument("data", type=options.DATA)
@options.labels
@options.log
@options.model
@options.learner
@options.port
@options.json
@options.debug
def command(
    data: Path,
    labels: Path | None,
    log: Path | None,
    model: str | None,
    port: str | None,
    as_json: bool,
    **learner: Any,
) -> None:
    """Store samples of the classes that the model knows, so that learning keeps them.

    DATA is as for `engram learn`, of classes that the model knows. The board stores the latents
    and replays them in later sessions; it trains nothing now. A board without stored samples of
    the known classes forgets these when it learns another class.
    """
    with api.connect(port, Bars(output.errors()), output.console_text) as board:
        settings = options.named(learner)
        result = api.rehearse(board, data, labels=labels, model=model, log=log, **settings)
    if as_json:
        output.show_json({**result.summary, "log": result.log})
        return
    count = result.summary["stored"]
    output.show(f"[green]✓[/] {count} samples stored: the next `engram learn` replays them")

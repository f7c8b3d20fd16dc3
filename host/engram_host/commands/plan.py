"""engram plan"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import rich_click as click

from engram_host import api
from engram_host.commands import options, output


@click.command(epilog="Example: engram plan digits.safetensors --board arduino_nano_33_ble")
@click.argument("model", type=options.FILE)
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="A board to plan for, by name; with _stock for the same board with MicroPython alone and "
    "`engram install`. Default: the board at --port, else all boards.",
)
@click.option("--batch", default=16, show_default=True, help="Samples in a mini-batch.")
@click.option(
    "--replay-slots", default=0, help="Samples to be kept in flash; default: as many as it holds."
)
@options.planned
@options.port
@options.json
@options.debug
def command(
    model: Path,
    boards: tuple[str, ...],
    batch: int,
    replay_slots: int,
    port: str | None,
    as_json: bool,
    **learner: Any,
) -> None:
    """Compute the memory, time and energy of a model on a board, before anything is sent.

    The plan has RAM, flash and multiply-accumulates of every layer, the peak of RAM, and time and
    energy on named chips; all figures are computed (model). The need is compared with the memory
    of a board: the board at --port is asked, boards by name were measured. Where the model does
    not fit, the plan says why and which options fit.
    """
    settings = {name: value for name, value in learner.items() if value is not None}
    if isinstance(settings.get("classes"), list):  # a file of names
        settings["classes"] = len(settings["classes"])
    source = None if boards else port
    report = api.plan(
        model, boards=boards, port=source, batch=batch, replay_slots=replay_slots, **settings
    )
    if as_json:
        output.show_json(report)
        return
    from engram_host.planning.report import PlanReport, plan_table

    output.show(plan_table(cast(PlanReport, cast(Any, report))))

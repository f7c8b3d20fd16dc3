"""engram plan"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.commands.plan_search import SEARCH, search_options, searched

_EXAMPLES = """Example: engram plan digits.safetensors --board arduino_nano_33_ble

The options that are worth it: engram plan digits.safetensors --board qemu_m4f --data all.npz
--ram 96k --flash 256KiB --time 60s
"""


@click.command(epilog=_EXAMPLES)
@click.argument("model", type=options.FILE)
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="A board to plan for, by name; with _stock for the same board with MicroPython alone and "
    "`engram install`. Default: the board at --port, else all boards.",
)
@click.option("--batch", type=click.IntRange(1), help="Samples in a mini-batch. Default: 16.")
@click.option(
    "--replay-slots", default=0, help="Samples to be kept in flash; default: as many as it holds."
)
@search_options
@options.planned
@options.place
@options.port
@options.json
@options.debug
def command(
    model: Path,
    boards: tuple[str, ...],
    batch: int | None,
    replay_slots: int,
    port: str | None,
    place: str,
    as_json: bool,
    **learner: Any,
) -> None:
    """Compute the memory, time and energy of a model on a board, before anything is sent.

    The plan has RAM, flash and multiply-accumulates of every layer, the peak of RAM, and time and
    energy on named chips; all figures are computed (model). The need is compared with the memory
    of a board: the board at --port is asked, boards by name were measured. Where the model does
    not fit, the plan says why and which options fit.

    With --data the plan searches: which scope, bits, budget, batch and steps are worth the RAM,
    the flash and the time of a session (docs/search.md). Options that are given stay as they are.
    The points beyond --ram, --flash or --time are refused before anything is trained; the others
    are learned on this computer in short runs. It shows the Pareto front, with a command for each
    point.
    """
    search = {name: learner.pop(name) for name in SEARCH}
    settings = {name: value for name, value in learner.items() if value is not None}
    if isinstance(settings.get("classes"), list):  # a file of names
        settings["classes"] = len(settings["classes"])
    source = None if boards else port
    if search["data"] is not None:
        given = {"batch": batch, "budget": replay_slots or None, **settings}
        searched(model, boards, source, search, given, as_json)
        return
    limits = [name for name in ("ram", "flash", "time") if search[name] is not None]
    if limits:
        raise click.UsageError(
            f"--{limits[0]} is a limit of a search: give --data too, labelled samples to learn"
        )
    settings["place"] = place
    report = api.plan(
        model, boards=boards, port=source, batch=batch or 16, replay_slots=replay_slots, **settings
    )
    if as_json:
        output.show_json(report)
        return
    from engram_host.planning.report import PlanReport, plan_table

    output.show(plan_table(cast(PlanReport, cast(Any, report))))

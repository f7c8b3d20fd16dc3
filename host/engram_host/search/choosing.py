"""The layers to learn, from files to a report: `engram plan --choose`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engram.continual.defaults import BITS

from ..samples import Samples
from .contributions import analysed, layers, rows
from .search import Wish, push_command, row_of, run_of, setup
from .study import Choice

# All but the scope, where a user gives no other.
_POINT = {"format": "f32", "bits": BITS, "budget": 200, "batch": 16, "steps": 200}


def chosen(
    wish: Wish,
    samples: Samples,
    test: Samples | None,
    on_run: Callable[[str, float], None] = lambda scope, value: None,
) -> dict[str, Any]:
    """The report of a contribution analysis: the gain of each layer, and the best sets of layers
    within the limits, each with its command.

    Raises InputError, and what a learner of such options raises.
    """
    wish, spec, data, costs, trials, rest = setup(wish, samples, test)
    point = {name: wish.options.get(name, value) for name, value in _POINT.items()}
    analysis = analysed(layers(spec), costs, run_of(trials, costs), point, on_run)
    report = rows(analysis)
    for row, one in zip(report["chosen"], analysis.choices):
        choice = Choice({**point, "scope": one.scope}, one.accuracy, one.way)
        row["command"] = row_of(wish, choice, rest)["command"]
    return {
        "model": spec.name,
        "board": wish.board["name"],
        "limits": wish.limits._asdict(),
        "point": point,
        "before": trials.before(),
        **report,
        "push": push_command(wish),
        "sources": {"accuracy": "host", "ram": "model", "flash": "model", "time": "model"},
    }

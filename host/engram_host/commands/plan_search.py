"""engram plan --data: the search, its options and its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engram_host import api
from engram_host.commands import options, output
from engram_host.device import learner_options
from engram_host.progress import Bars

F = TypeVar("F", bound=Callable[..., Any])

SIZE = options.Checked("size", learner_options.size)
TIME = options.Checked("time", learner_options.seconds)

_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--data",
        {
            "type": options.DATA,
            "metavar": "DATA",
            "help": "Labelled samples, as `engram learn` takes them: search the options with "
            "which a board learns them well.",
        },
    ),
    (
        "--choose",
        {
            "is_flag": True,
            "help": "Find the layers that are worth learning: each is learned on its own beside "
            "all biases, and the set that gains the most within the limits is named.",
        },
    ),
    (
        "--steps",
        {
            "type": click.IntRange(1),
            "metavar": "N",
            "help": "Steps of a session. Default: searched; 200 with --choose.",
        },
    ),
    (
        "--ram",
        {
            "type": SIZE,
            "metavar": "SIZE",
            "help": "Most RAM of a learner, while it is opened: 64k, 64KiB.",
        },
    ),
    (
        "--flash",
        {
            "type": SIZE,
            "metavar": "SIZE",
            "help": "Most flash for stored latents and saved states.",
        },
    ),
    (
        "--time",
        {
            "type": TIME,
            "metavar": "TIME",
            "help": "Most time of a session on the board: 2s, 500ms, 5min.",
        },
    ),
    (
        "--test",
        {
            "type": options.DATA,
            "metavar": "FILE",
            "help": "Labelled samples to be tested on. Default: a quarter of DATA.",
        },
    ),
    ("--sessions", {"metavar": "GROUPS", "help": "Cut DATA into sessions, as `engram learn`."}),
    (
        "--known-first",
        {"is_flag": True, "help": "The model knows what the first session brings."},
    ),
    ("--known", dict(options.LEARNER_OPTIONS)["known"]),
    (
        "--trials",
        {
            "type": click.IntRange(1),
            "default": 100,
            "show_default": True,
            "help": "Most runs; where all points within the limits are no more, all are tried.",
        },
    ),
    (
        "--minutes",
        {
            "type": click.FloatRange(0, min_open=True),
            "metavar": "N",
            "help": "Most time of the search itself.",
        },
    ),
    (
        "--seed",
        {"type": int, "default": 1, "show_default": True, "help": "Seed of search and runs."},
    ),
    (
        "--study",
        {
            "type": options.FILE,
            "metavar": "FILE",
            "help": "A journal of what was tried: a search goes on where it ended, and several "
            "machines that have the file share one search.",
        },
    ),
    (
        "--out",
        {
            "type": click.Path(file_okay=False, path_type=Path),
            "default": Path("out/plan"),
            "show_default": True,
            "help": "Folder for front.json, front.png and front.svg.",
        },
    ),
)
SEARCH = ("labels", *(name[2:].replace("-", "_") for name, _ in _OPTIONS))


def search_options(function: F) -> F:
    """--data, the limits and what else a search takes."""
    for name, settings in reversed(_OPTIONS):
        function = click.option(name, **settings)(function)
    function = options.labels(function)
    return options.panel("A search", "--labels", *(name for name, _ in _OPTIONS))(function)


def searched(
    model: Path,
    boards: Sequence[str],
    port: str | None,
    search: dict[str, Any],
    given: Mapping[str, Any],
    as_json: bool,
) -> None:
    """Searches and shows the result. given: options of the learner, None where not given."""
    if len(boards) > 1:
        raise click.UsageError(f"expected one --board to search for, got {len(boards)}")
    for name, function in (
        ("ram", learner_options.size),
        ("flash", learner_options.size),
        ("time", learner_options.seconds),
    ):
        if search[name] is not None:
            search[name] = function(search[name])
    given = {**given, "steps": search.pop("steps")}
    learner = {name: value for name, value in given.items() if value is not None}
    report = api.plan_search(
        model,
        **search,
        board=boards[0] if boards else None,
        port=port,
        reporter=Bars(output.errors()),
        **learner,
    )
    if as_json:
        output.show_json(report)
        return
    if search["choose"]:
        output.show(choice_table(report))
        print("\n".join([report["push"], *(row["command"] for row in report["chosen"])]))
        return
    output.show(front_table(report))
    print("\n".join(commands(report)))


def front_table(report: Mapping[str, Any]) -> RenderableType:
    """The Pareto front for a terminal: its points that span the most."""
    if not report["front"]:
        return Group(_nothing(report), *map(Text, _left_out(report)))
    shown = [report["front"][at] for at in report["shown"]]
    names = [name for name, values in report["choices"].items() if len(values) > 1]
    alike = [name for name in names if len({row[name] for row in shown}) == 1]
    names = [name for name in names if name not in alike]
    if any(row["micro"] != row["batch"] or row["recompute"] for row in shown):
        names.append("micro")
    table = Table(title=_title(report), title_style="bold", box=None, padding=(0, 1, 0, 0))
    table.add_column("", justify="right", style="bold", no_wrap=True)
    for name in ("accuracy", "RAM kB", "flash KiB", "time s", *names):
        table.add_column(name, justify="right", no_wrap=True)
    for number, row in enumerate(shown, 1):
        micro = f"{row['micro']} recomputed" if row["recompute"] else row["micro"]
        table.add_row(
            str(number),
            f"{row['accuracy']:.1%}",
            f"{row['ram'] / 1000:.1f}",
            f"{row['flash'] / 1024:.0f}",
            "–" if row["time"] is None else f"{row['time']:.3g}",
            *(str({**row, "micro": micro}[name]) for name in names),
        )
    notes = list(_notes(report))
    if alike:
        words = ", ".join(f"{name} {shown[0][name]}" for name in alike)
        notes.insert(0, f"all of these: {words}")
    return Group(table, *(Text(note, style="dim") for note in notes))


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    """The notes under the front."""
    yield (
        f"accuracy: short runs on this computer (host), {report['before']:.1%} before learning; "
        f"RAM, flash, time of a session: computed for {report['board']} (model)"
    )
    yield _counts(report)
    if len(report["shown"]) < len(report["front"]):
        yield (
            f"{len(report['shown'])} of the front's {len(report['front'])} points, which span the "
            "most; all of them in front.json"
        )
    if report["not_counted"]:
        kernels = ", ".join(report["not_counted"])
        yield f"no measured cost of {kernels}: the mean of the core stands for it"
    yield from _left_out(report)
    if report.get("files"):
        yield f"wrote {', '.join(report['files'])}"


def _left_out(report: Mapping[str, Any]) -> list[str]:
    return [f"not searched: {reason}" for reason in report["left_out"]]


def choice_table(report: Mapping[str, Any]) -> RenderableType:
    """The contributions of layers, and the best sets of them."""
    layers = Table(title=_title(report, "contributions"), title_style="bold", box=None)
    for name in ("layer", "accuracy", "gain", "RAM", "session"):
        layers.add_column(name, justify="left" if name == "layer" else "right")
    layers.add_row("the biases alone", f"{report['biases']:.1%}")
    for row in report["contributions"]:
        layers.add_row(
            row["layer"] + row["part"],
            f"{row['accuracy']:.1%}",
            f"{row['gain']:+.1%}",
            *_way(row["way"]),
        )
    best = Table(title="the best sets within the limits", title_style="bold", box=None)
    for name in ("scope", "gains", "accuracy", "RAM", "session", "micro"):
        best.add_column(name, justify="left" if name == "scope" else "right")
    for row in report["chosen"]:
        cells = f"{row['sum']:+.1%}", f"{row['accuracy']:.1%}", *_way(row), str(row["micro"])
        best.add_row(row["scope"], *cells)
    point = ", ".join(f"{name} {value}" for name, value in report["point"].items())
    note = f"{point}; {report['before']:.1%} before learning. Accuracy: host; RAM, time: model"
    return Group(layers, Text(), best, Text(note, style="dim"))


def _way(way: Mapping[str, Any] | None) -> tuple[str, str]:
    if way is None:
        return "too much", "–"
    return output.size(way["ram"]), "–" if way["time"] is None else f"{way['time']:.3g} s"


def _title(report: Mapping[str, Any], what: str = "Pareto front") -> str:
    limits, words = report["limits"], []
    for name in ("ram", "flash"):
        if limits[name] is not None:
            words.append(f"{name.upper() if name == 'ram' else name} {output.size(limits[name])}")
    if limits["time"] is not None:
        words.append(f"{limits['time']:g} s a session")
    within = f" within {', '.join(words)}" if words else ""
    return f"{report['model']} on {report['board']}{within}: {what}"


def _counts(report: Mapping[str, Any]) -> str:
    fitting = "some" if report["fitting"] is None else f"{report['fitting']:,}"
    how = "all of these were tried" if report["grid"] else f"{len(report['tried']):,} tried"
    return (
        f"{fitting} of {report['points']:,} points stay within the limits, {how}; "
        f"{report['trained']:,} runs now"
    )


def _nothing(report: Mapping[str, Any]) -> RenderableType:
    if report["nearest"] is None:
        return Text(
            f"none of {len(report['tried'])} points that were tried is better than the model "
            f"without learning, {report['before']:.1%}; give more --trials or wider limits",
            style="bold red",
        )
    nearest = dict(report["nearest"])
    reason = nearest.pop("refusal")
    words = ", ".join(f"{name} {value}" for name, value in nearest.items())
    return Group(
        Text(f"none of {report['points']:,} points stays within the limits", style="bold red"),
        Text(f"the nearest has {reason}: {words}"),
    )


def commands(report: Mapping[str, Any]) -> list[str]:
    """The lines to type, for each point of the table."""
    if not report["front"]:
        return []
    lines = [report["front"][at]["command"] for at in report["shown"]]
    return [report["push"], *(f"{number}: {line}" for number, line in enumerate(lines, 1))]

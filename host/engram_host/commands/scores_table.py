"""Tables of `engram eval`: scores per class, and the confusions between classes."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engram_host import api
from engram_host.commands import output

_MATRIX = 16  # classes: more do not fit a line
_PAIRS = 10  # the most frequent confusions of more


def scores_table(result: dict[str, Any]) -> RenderableType:
    """The scores of each class that samples are of, and its confusions."""
    names = result["class_names"]
    parts: list[RenderableType] = [_scores(result, names), _macro(result)]
    seen = [c for c, row in enumerate(result["confusion"]) if sum(row) or _said(result, c)]
    if 1 < len(seen) <= _MATRIX:
        head = " confusion: a row per true class, a column per class that the model gave"
        parts += [Text(), Text(head, "bold"), _matrix(result, names, seen)]
    elif len(seen) > _MATRIX:
        head = f" the {_PAIRS} most frequent confusions (--json has all)"
        parts += [Text(), Text(head, "bold"), _pairs(result, names)]
    return Group(*parts)


def _said(result: dict[str, Any], label: int) -> int:
    """Samples that were put into a class."""
    return sum(row[label] for row in result["confusion"])


def _scores(result: dict[str, Any], names: list[str]) -> Table:
    table = Table(box=None, header_style="bold", show_footer=True)
    table.add_column("class", "all", no_wrap=True)
    table.add_column("recall", f"{result['accuracy']:.1%}", justify="right")
    table.add_column("samples", str(result["n"]), justify="right")
    table.add_column("precision", justify="right")
    table.add_column("F1", justify="right")
    rows = zip(result["total"], result["recall"], result["precision"], result["f1"])
    for label, (total, recall, precision, f1) in enumerate(rows):
        if total:
            cells = (_share(recall), str(total), _share(precision), _share(f1))
            table.add_row(output.class_name(label, names), *cells)
    return table


def _macro(result: dict[str, Any]) -> Text:
    recall, f1 = _share(result["macro_recall"]), _share(result["macro_f1"])
    return Text(f" macro recall {recall}, macro F1 {f1}: means over the classes")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _matrix(result: dict[str, Any], names: list[str], seen: list[int]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("", no_wrap=True)
    for label in seen:
        table.add_column(str(label), justify="right")
    for label in seen:
        row = result["confusion"][label]
        cells = [_cell(row[other], other == label) for other in seen]
        table.add_row(output.class_name(label, names), *cells)
    return table


def _cell(count: int, right: bool) -> Text:
    return Text(str(count) if count else "·", "bold cyan" if right else "" if count else "dim")


def _pairs(result: dict[str, Any], names: list[str]) -> Table:
    table = Table(box=None, header_style="bold")
    for head in ("class", "taken for", "samples"):
        table.add_column(head, justify="right" if head == "samples" else "left")
    for true, answer, count in api.largest_confusions(result["confusion"], _PAIRS):
        table.add_row(*(output.class_name(c, names) for c in (true, answer)), str(count))
    return table

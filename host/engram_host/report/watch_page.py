"""The report of a log of `engram score`: what `engram report LOG.jsonl` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from ..learning import log
from . import watch_cards
from .figures.render import inline_svg, save_png
from .figures.watch import Span, Trace, watch_picture
from .page import Card, DataTable, LogReportPaths, Page, Tile, render
from .schema import Source

_SOURCE: Source = "host"  # a log of a watch has no figures of a counter


def is_watch(path: Path) -> bool:
    """Whether a log is one of a watch. Raises InputError when it is no log."""
    return next((record["kind"] for record in log.read(path)), "") == "watch"


def write_watch_report(path: Path, out: Path) -> LogReportPaths:
    """Writes report.html and its picture of a log. Raises InputError where no sample was read."""
    begin, readings, adapted, summary = _read(path)
    trace = watch_cards.trace_of(
        begin, [r["mean"] for r in readings], [r["state"] for r in readings], adapted
    )
    picture = watch_picture(trace, _spans(readings))
    page = _page(begin, trace, adapted, summary, inline_svg(picture, "score"))
    out.mkdir(parents=True, exist_ok=True)
    report = out / "report.html"
    report.write_text(render(page), encoding="utf-8")
    return {"report": report, "pictures": [save_png(picture, out / "score.png")]}


def _read(
    path: Path,
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """(begin, readings, what was learned, summary: {} where the log was cut off)"""
    records: dict[str, list[dict[str, Any]]] = {}
    for record in log.read(path):
        records.setdefault(record["kind"], []).append(record)
    readings = records.get("reading", [])
    if len(records["watch"]) > 1 or not readings:
        raise InputError(
            f"{path}: expected a log of one `engram score` with samples, got "
            f"{len(records['watch'])} with {len(readings)} samples; write each to a --log of its "
            "own"
        )
    return (
        records["watch"][0], readings, records.get("adapted", []), records.get("summary", [{}])[0],
    )  # fmt: skip


def _spans(readings: list[dict[str, Any]]) -> list[Span]:
    """Runs of one label, where samples have labels: those but 0 are of faults."""
    spans: list[Span] = []
    for i, reading in enumerate(readings):
        name = f"label {reading['label']}" if reading.get("label") else ""
        if spans and spans[-1].name == name:
            spans[-1] = spans[-1]._replace(end=i + 1)
        else:
            spans.append(Span(name, i, i + 1, bool(name)))
    return spans if any(span.bad for span in spans) else []


def _page(
    begin: dict[str, Any],
    trace: Trace,
    adapted: list[dict[str, Any]],
    summary: dict[str, Any],
    svg: str,
) -> Page:
    alarms = watch_cards.alarm_table(trace).rows
    tiles = [
        Tile(f"{len(alarms)}", "alarm" if len(alarms) == 1 else "alarms", _SOURCE, "finetune"),
        Tile(f"{sum(trace.alarmed) / len(trace.alarmed):.1%}", "of samples in one", _SOURCE),
    ]
    if summary.get("auc") is not None:
        tiles.append(Tile(f"{summary['auc']:.3f}", "AUC of single scores", _SOURCE))
    if adapted:
        count = sum(told["blocks"] for told in adapted)
        tiles.append(Tile(f"{count}", "new blocks learned", _SOURCE, "replay"))
    cards = [watch_cards.score_card(trace, _SOURCE, svg)]
    if adapted:
        cards.append(watch_cards.learned_card(adapted, _SOURCE))
    cards.append(Card("The watch", "As it began.", [_SOURCE], table=_facts(begin), wide=True))
    return Page(
        title=f"A watch on {begin['board']}",
        kicker="watch log",
        lede=f"{len(trace.means):,} samples, scored by the board one by one.",
        tiles=tiles,
        cards=cards,
        closing="Made from the log of `engram score` by `engram report`.",
    )


def _facts(begin: dict[str, Any]) -> DataTable:
    how = "a quantile" if begin["how"] == "quantile" else "the exponential tail"
    beyond = ", extrapolated" if begin["extrapolated"] else ""
    origin = f"{how} of {begin['means']:,} means{beyond}"
    return DataTable(
        [
            ("engine", begin["engine"]),
            ("window", f"{begin['window']} scores"),
            ("threshold", f"{begin['threshold']:.4g}, from {origin}"),
            ("false alarms asked for", f"{begin['rate']:.2g} of normal samples"),
        ]
    )

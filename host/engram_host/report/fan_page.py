"""The page of `engram demo fan`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..boards.clock import frequency_words, milliseconds
from . import watch_cards
from .figures.codes import Again, Coded, again_picture, codes_picture
from .figures.energy import readable_time
from .figures.learning import loss_picture
from .figures.render import inline_svg, save_png
from .figures.style import Picture
from .figures.watch import Span, watch_picture
from .page import Card, DataTable, Page, Tile, render
from .phase_table import UNITS
from .schema import Source
from .write import ReportPaths

Result = Mapping[str, Any]  # as demo.fan.run() returns it
_TIMES = (("before", "before the new speed"), ("after", "at the end"))


def write_fan_report(result: Result, out_dir: Path | str) -> ReportPaths:
    """Writes report.html, summary.json, result.json and the pictures into out_dir."""
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    pictures = draw(result)
    paths: ReportPaths = {
        "report": out / "report.html",
        "summary": out / "summary.json",
        "result": out / "result.json",
        "pictures": [save_png(picture, out / f"{name}.png") for name, picture in pictures.items()],
    }
    paths["report"].write_text(render(_page(result, pictures)), encoding="utf-8")
    paths["summary"].write_text(json.dumps(summary(result), indent=2, ensure_ascii=False) + "\n")
    paths["result"].write_text(json.dumps(result, ensure_ascii=False) + "\n")
    return paths


def summary(result: Result) -> dict[str, Any]:
    """The figures of summary.json, each with its source."""
    keys = (
        "demo", "board", "micropython", "kept", "faults_learned", "phases", "adapted", "blocks",
        "watch", "units_a_window", "ram_bytes", "counter_unit", "wall_s",
    )  # fmt: skip
    origin = result["counter_kind"]
    sources = {key: origin for key in ("phases", "adapted", "units_a_window", "ram_bytes")}
    return {**{key: result[key] for key in keys}, "sources": {**sources, "wall_s": "host"}}


def draw(result: Result) -> dict[str, Picture]:
    """The pictures, by the name of their file."""
    spans = [
        Span(row["name"], row["first"], row["first"] + row["windows"], row["imbalance"] > 1)
        for row in result["phases"]
    ]
    return {
        "score": watch_picture(_trace(result), spans),
        "codes": codes_picture([(title, _coded(result, key)) for key, title in _TIMES]),
        "loss": loss_picture([("first session", result["learned"]["losses"])], "all parts"),
        "again": again_picture(_again(result), ("axis x", "y", "z", "pairs")),
    }


def _trace(result: Result) -> Any:
    readings = result["readings"]
    return watch_cards.trace_of(
        result["watch"], readings["means"], readings["states"], result["adapted"]
    )


def _state(row: Mapping[str, Any]) -> str:
    fault = " out of balance" if row["imbalance"] > 1 else ""
    return f"{row['hz']}/s{fault}"


def _coded(result: Result, key: str) -> list[Coded]:
    rows = sorted(result["maps"][key], key=lambda row: (row["hz"], row["imbalance"]))
    speeds = sorted({row["hz"] for row in rows})
    return [
        Coded(_state(row), speeds.index(row["hz"]), row["codes"], row["imbalance"] > 1)
        for row in rows
    ]


def _again(result: Result) -> list[Again]:
    """A known speed, the new one, and a fault at the new one."""
    known = set(result["phases"][0]["speeds"])
    pairs = list(zip(result["maps"]["before"], result["maps"]["after"]))
    rows = [
        Again(_state(after), after["given"], before["again"], after["again"])
        for before, after in pairs
        if after["imbalance"] == 1 or after["hz"] not in known
    ]
    return sorted(rows, key=lambda row: "balance" in row.name)


def _page(result: Result, pictures: dict[str, Picture]) -> Page:
    svg = {name: inline_svg(picture, name) for name, picture in pictures.items()}
    origin: Source = result["counter_kind"]
    trace = _trace(result)
    phases = result["phases"]
    faults = [row for row in phases if row["expects"] == "alarm"]
    good = [row for row in phases if row["expects"] in ("quiet", "ends")]
    return Page(
        title=_headline(result),
        kicker=result["title"],
        lede=f"The board {result['board']} with MicroPython {result['micropython']} got "
        f"{result['learned']['windows']} raw windows of a balanced fan at two speeds over the "
        "serial line, and learned them without labels by an auto-encoder that was never trained. "
        f"Then it watched {len(trace.means):,} more. The fan is simulated on this computer; "
        "features, learning, scores and alarms are the board's.",
        tiles=[
            Tile(f"{_share(faults):.1%}", "of windows of faults in alarm", origin, "finetune"),
            Tile(f"{_share(good):.1%}", "of normal ones in alarm", origin, "replay"),
            Tile(
                f"{sum(told['blocks'] for told in result['adapted'])}",
                f"new blocks learned, {result['faults_learned']} of them a fault",
                origin,
                "replay",
            ),
            *_costs(result, origin),
        ],
        cards=[
            Card(
                "Promised and measured",
                "The share of windows in alarm in each phase of the fan.",
                [origin],
                table=phases_table(result),
                wide=True,
            ),
            watch_cards.score_card(trace, origin, svg["score"]),
            *(
                [watch_cards.learned_card(result["adapted"], origin)]
                if result["adapted"]
                else []
            ),
            Card(
                "The code as a map",
                "Two numbers are all that passes through the auto-encoder. Nobody told it of "
                "speeds. Hollow: out of balance, never learned.",
                [origin],
                svg["codes"],
            ),
            Card(
                "Loss of the first session",
                f"{len(result['learned']['losses'])} steps from a network that was never "
                "trained. Pale: single steps.",
                [origin],
                svg["loss"],
            ),
            Card(
                "Features, and what comes back through the code",
                "One window each, 6 features of each axis and one of each pair of axes. Before: "
                "after the first session.",
                [origin],
                svg["again"],
                wide=True,
            ),
            Card("The run", "What was run.", ["host"], table=_facts(result), wide=True),
        ],
        closing="All readings are in result.json beside this page, and in watch.jsonl as `engram "
        "score --log` writes them.",
    )


def _headline(result: Result) -> str:
    if result["kept"]:
        return "A fan's fault raises the alarm; a new speed is learned, and raises none"
    return "This run did not do all that the demo promises"


def _share(rows: Sequence[Mapping[str, Any]]) -> float:
    count = sum(row["counted"] for row in rows)
    return sum(row["share"] * row["counted"] for row in rows) / count if count else 0.0


def _costs(result: Result, origin: Source) -> list[Tile]:
    unit, units = result["counter_unit"], result["units_a_window"]
    ms, at = milliseconds(units, result["board"], unit), frequency_words(result["board"], unit)
    shown = f"{units / 1e6:.1f} M" if units > 1e5 else f"{units:,}"  # hosts ask at other times
    tiles = [Tile(shown, f"{UNITS[unit]} a watched window, frames included", origin)]
    if ms and at:
        tiles.append(Tile(readable_time(ms), f"a window{at}", origin))
    if result["ram_bytes"]:
        tiles.append(Tile(f"{result['ram_bytes'] / 1024:.1f} KiB", "RAM of the learner", origin))
    return tiles


def phases_table(result: Result) -> DataTable:
    """A row per phase: what was expected, and the share in alarm."""
    rows = [
        (
            row["name"],
            f"{row['windows']:,}",
            ", ".join(map(str, row["speeds"])),
            row["expected"],
            f"{row['share']:.1%}" + (f" of {row['counted']}" if row["counted"] else ""),
            "yes" if row["kept"] else "no",
        )
        for row in result["phases"]
    ]
    head = ("phase", "windows", "turns a second", "in alarm, expected", "in alarm", "kept")
    return DataTable(rows, head)


def _facts(result: Result) -> DataTable:
    settings, blocks = result["settings"], result["blocks"]
    rows = [
        ("board", f"{result['board']}: {result['board_title']}"),
        ("MicroPython", result["micropython"]),
        ("model", f"{result['model']['parameters']:,} parameters, all of them learn"),
        ("made with", _words(settings["model"])),
        *((name, _words(settings[name])) for name in ("learner", "watch")),
        (
            "blocks that looked new",
            f"{blocks['adopted']} taken in ({blocks['taken']} too few to be learned at the end), "
            f"{blocks['refused']} refused, {blocks['waiting']} waiting at the end",
        ),
        ("seed", str(settings["seed"])),
        ("time on this computer", f"{result['wall_s']:.0f} s"),
    ]
    return DataTable(rows)


def _words(values: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{key.replace('_', ' ')} {', '.join(map(str, v)) if isinstance(v, (list, tuple)) else v}"
        for key, v in values.items()
    )

"""The report of learning logs: what `engram report LOG.jsonl ...` writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..boards.clock import frequency_words, milliseconds
from ..errors import InputError
from ..learning import log
from . import stream_cards, watch_page
from .energy_cards import energy_card, energy_tiles
from .figures.energy import readable_time
from .figures.learning import batch_accuracy_picture, loss_picture, phases_picture
from .figures.render import inline_svg, save_png
from .figures.style import Picture
from .page import Card, DataTable, LogReportPaths, Page, Tile, render
from .phase_table import UNITS, phase_table
from .schema import Source, Unit
from .summary import PHASES, link_units, observing

_AROUND = ("stream", "evaluation", "metrics")  # around the sessions of a stream of sessions


@dataclass
class LoggedSession:
    """The records of one session: from a "begin" to its "summary", which a crash may have cut."""

    begin: dict[str, Any]
    steps: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    observe_units: int = 0
    observe_phases: dict[str, int] = field(default_factory=dict)
    energy: dict[str, Any] = field(default_factory=dict)  # {} where no meter measured

    @property
    def name(self) -> str:
        return str(self.begin.get("name") or f"session {self.begin['session']}")

    def totals(self) -> dict[str, int]:
        """{phase: counter units}."""
        totals = dict.fromkeys(PHASES, 0)
        totals.update(observing(self.observe_units, self.observe_phases))
        totals["save"] = self.summary.get("save_units", 0)
        for step in self.steps:
            for phase, units in step["phases"].items():
                totals[phase] = totals.get(phase, 0) + units
        totals["link"] = link_units(totals, self.summary.get("busy_units"), self.steps)
        return totals


def write_log_report(logs: Iterable[Path | str], out_dir: Path | str) -> LogReportPaths:
    """Writes report.html and its pictures from learning logs, in the order given.

    One log of a watch gives the page of that. Raises InputError when a file is no log, or when no
    session in them took a step.
    """
    paths = [Path(path) for path in logs]
    watched = [path for path in paths if watch_page.is_watch(path)]
    if watched and len(paths) == 1:
        return watch_page.write_watch_report(paths[0], Path(out_dir))
    if watched:
        raise InputError(
            f"expected logs of `engram learn`, or one of `engram score`, got {watched[0]} among "
            f"{len(paths)}; report it alone"
        )
    sessions = [session for path in paths for session in read_sessions(path)]
    if not any(session.steps for session in sessions):
        raise InputError(
            "expected a log of `engram learn`, got no training step in "
            f"{', '.join(map(str, paths)) or 'no file at all'}"
        )
    unit, origin = _counter(sessions)
    stream = stream_cards.read_stream(paths[-1])
    pictures = {
        **(stream_cards.draw(stream) if stream else {}),
        "loss": loss_picture(_curves(sessions, "loss"), _loss_words(sessions)),
        **_accuracy(sessions),
        "phases": phases_picture([(s.name, s.totals()) for s in sessions], unit),
    }
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    report = out / "report.html"
    report.write_text(render(_page(sessions, stream, pictures, unit, origin)), encoding="utf-8")
    return {
        "report": report,
        "pictures": [save_png(picture, out / f"{name}.png") for name, picture in pictures.items()],
    }


def read_sessions(path: Path) -> list[LoggedSession]:
    """The sessions of one log file. Raises InputError when it is no log."""
    sessions: list[LoggedSession] = []
    for record in log.read(path):
        kind = record["kind"]
        if kind in _AROUND:
            continue
        if kind == "begin":
            sessions.append(LoggedSession(record))
        elif not sessions:
            raise InputError(f'{path}: expected a record "begin" first, got "{kind}"')
        elif kind == "observe":
            sessions[-1].observe_units += record["observe_units"]
            sessions[-1].observe_phases = record.get("observe_phases", {})
        elif kind == "energy":
            sessions[-1].energy = record
        elif kind == "step":
            sessions[-1].steps.append(record)
        elif kind == "summary":
            sessions[-1].summary = record
    return sessions


def _counter(sessions: Sequence[LoggedSession]) -> tuple[Unit, Source]:
    """Unit and source of the figures; logs of different kinds of board do not mix."""
    counters = {(s["unit"], s["source"]) for session in sessions for s in session.steps}
    if len(counters) > 1:
        kinds = " and ".join(sorted(f"{unit} ({source})" for unit, source in counters))
        raise InputError(f"expected logs with one unit, got {kinds}; report them one by one")
    return counters.pop()


def _curves(sessions: Sequence[LoggedSession], key: str) -> list[tuple[str, list[float]]]:
    return [(session.name, [step[key] for step in session.steps]) for session in sessions]


def _accuracy(sessions: Sequence[LoggedSession]) -> dict[str, Picture]:
    """The accuracy of every step; nothing where a model tells no classes apart."""
    curves = _curves(sessions, "acc")
    if any(value is None for _, values in curves for value in values):
        return {}
    return {"batch_accuracy": batch_accuracy_picture(curves)}


_LOSSES = {"classify": "cross-entropy", "regress": "squared error"}


def _loss_words(sessions: Sequence[LoggedSession]) -> str:
    """The losses that a model's loss is the sum of. Logs of version 0.1 say nothing of outputs:
    those of classes."""
    objectives = {
        output["objective"]
        for session in sessions
        for output in session.begin.get("learner", {}).get("outputs", [{"objective": "classify"}])
    }
    return " and ".join(words for objective, words in _LOSSES.items() if objective in objectives)


def _page(
    sessions: Sequence[LoggedSession],
    stream: stream_cards.LoggedStream | None,
    pictures: dict[str, Picture],
    unit: Unit,
    origin: Source,
) -> Page:
    svg = {name: inline_svg(picture, name) for name, picture in pictures.items()}
    begin = sessions[0].begin
    energies = [(session.name, session.energy) for session in sessions if session.energy]
    energy = energy_card(energies)
    steps = [step for session in sessions for step in session.steps]
    samples = sum(session.begin["samples"] for session in sessions)
    per_step = sum(step["total"] + step.get("link", 0) for step in steps) / len(steps)
    peak = max(step.get("learner_ram_bytes") or 0 for step in steps)
    ms, at = milliseconds(per_step, begin["board"], unit), frequency_words(begin["board"], unit)
    return Page(
        title=f"{begin['model']} on {begin['board']}",
        kicker="learning log",
        lede=f"{len(sessions)} session{'s' if len(sessions) > 1 else ''}, {samples:,} samples, "
        f"{len(steps):,} training steps.",
        tiles=[
            *(stream_cards.tiles(stream, origin) if stream else []),
            Tile(f"{steps[-1]['loss']:.3f}", "loss at the last step", origin),
            Tile(f"{per_step:,.0f}", f"{UNITS[unit]} a step", origin),
            *([Tile(readable_time(ms), f"a step{at}", origin)] if ms and at else []),
            *([Tile(f"{peak / 1024:.1f} KiB", "RAM of the learner", origin)] if peak else []),
            *energy_tiles(energies),
        ],
        cards=[
            *(stream_cards.cards(stream, svg, origin) if stream else []),
            Card("Training loss", "Pale: single steps.", [origin], svg["loss"]),
            *(
                [
                    Card(
                        "Right in the mini-batch",
                        "New and replayed samples together, before each step.",
                        [origin],
                        svg["batch_accuracy"],
                    )
                ]
                if "batch_accuracy" in svg
                else []
            ),
            Card(
                "Where the time goes",
                "Each session, by phase.",
                [origin],
                svg["phases"],
                _phases_table(sessions, unit),
            ),
            *([energy] if energy else []),
            Card(
                "Sessions",
                "As the logs have them.",
                [origin],
                table=_sessions_table(sessions),
                wide=True,
            ),
        ],
        closing="Made from the learning logs by `engram report`.",
    )


def _phases_table(sessions: Sequence[LoggedSession], unit: Unit) -> DataTable:
    names = [session.name for session in sessions]
    totals = [session.totals() for session in sessions]
    return phase_table(names, totals, sessions[0].begin["board"], unit)


def _sessions_table(sessions: Sequence[LoggedSession]) -> DataTable:
    rows = []
    for session in sessions:
        steps, summary = session.steps, session.summary
        flash = summary.get("flash_bytes", steps[-1].get("flash_bytes") if steps else None)
        rows.append(
            (
                session.name,
                f"{session.begin['samples']:,}",
                _classes(session.begin),
                f"{len(steps):,}",
                session.begin["strategy"],
                f"{steps[0]['loss']:.3f} → {steps[-1]['loss']:.3f}" if steps else "–",
                "–" if flash is None else f"{flash:,}",
                _outcome(summary),
            )
        )
    head = ("", "samples", "classes", "steps", "strategy", "loss", "flash bytes", "ended")
    return DataTable(rows, head)


def _classes(begin: dict[str, Any]) -> str:
    """The classes of a session's samples, by name where they have one."""
    names = begin.get("class_names", [])
    labels = [int(label) for label in begin.get("classes", {})]
    return ", ".join(names[c] if c < len(names) else str(c) for c in labels) or "–"


def _outcome(summary: dict[str, Any]) -> str:
    if not summary:
        return "cut off"
    if summary.get("error"):
        return "failed"
    return "stopped" if summary.get("stopped") else "complete"

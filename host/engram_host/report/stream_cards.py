"""The figures, cards and tiles of a stream of sessions in a learning log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..learning import log
from .figures.stream import stream_accuracy_picture, stream_matrix_picture
from .figures.style import Picture
from .page import Card, DataTable, Tile
from .schema import Source

PROTOCOLS = {
    "class": "class-incremental: every session brings classes of its own",
    "domain": "domain-incremental: every session brings samples of another kind, tested apart",
    "instance": "instance-incremental: every session brings more samples, tested all together",
}
_METRICS = (
    ("Average accuracy", "average_accuracy", "mean over the tests, after the last session"),
    ("Forgetting", "forgetting", "best accuracy on a test so far less the last, mean"),
    ("Backward transfer", "backward_transfer", "last accuracy less that right after its session"),
    ("Forward transfer", "forward_transfer", "accuracy before its session less that at the start"),
)


@dataclass
class LoggedStream:
    """The records around the sessions of a stream; .metrics is {} where it was cut off."""

    begin: dict[str, Any]
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def sessions(self) -> list[str]:
        return [session["name"] for session in self.begin["sessions"]]

    @property
    def tests(self) -> list[str]:
        return [test["name"] for test in self.begin["tests"]]

    @property
    def diagonal(self) -> bool:
        """Whether each session has a test of its own."""
        return len(self.tests) == len(self.sessions)

    def accuracy(self, after: int, tests: Sequence[int]) -> float | None:
        """On the samples of some tests together, after a session (-1: before the first)."""
        rows = [r for r in self.evaluations if r["after"] == after and r["test"] in tests]
        total = sum(row["n"] for row in rows)
        return sum(row["correct"] for row in rows) / total if total else None


def read_stream(path: Path) -> LoggedStream | None:
    """The last stream of sessions in a log that measured itself to its end; None without one."""
    stream, whole = None, None
    for record in log.read(path):
        kind = record["kind"]
        if kind == "stream":
            stream = LoggedStream(record)
        elif stream and kind == "evaluation":
            stream.evaluations.append(record)
        elif stream and kind == "metrics":
            stream.metrics = record
            whole = stream if record.get("matrix") else whole
    return whole


def draw(stream: LoggedStream) -> dict[str, Picture]:
    """The pictures of a stream, by the name of their file."""
    count, tests = len(stream.metrics["matrix"]), range(len(stream.tests))
    seen = [
        stream.accuracy(i, tests[: i + 1] if stream.begin["protocol"] == "class" else tests) or 0.0
        for i in range(count)
    ]
    everything = [stream.accuracy(i, tests) for i in range(-1, count)]
    return {
        "stream_accuracy": stream_accuracy_picture(seen, everything, stream.sessions),
        "stream_matrix": stream_matrix_picture(
            stream.metrics["matrix"],
            stream.sessions,
            stream.tests,
            stream.begin["protocol"] == "class",
        ),
    }


def tiles(stream: LoggedStream, origin: Source) -> list[Tile]:
    """The tiles at the top of the page."""
    last = len(stream.metrics["matrix"]) - 1
    overall = stream.accuracy(last, range(len(stream.tests))) or 0.0
    metrics = stream.metrics
    return [
        Tile(f"{overall:.1%}", "right on all test samples at the end", origin, "replay"),
        Tile(f"{metrics['forgetting']:.1%}", "forgetting", origin, "finetune"),
        Tile(
            f"{metrics['replay_bytes'] / 1000:.1f} kB",
            f"of flash for {metrics['replay_records']:,} latents of {metrics['bits']} bits",
            origin,
        ),
    ]


def cards(stream: LoggedStream, svg: dict[str, str], origin: Source) -> list[Card]:
    """Accuracy, matrix, metrics, what was run."""
    return [
        Card(
            "Accuracy after each session",
            "All test samples count alike. Seen so far: the tests of the sessions learned.",
            [origin],
            svg["stream_accuracy"],
        ),
        Card(
            "What it knows after each session",
            "A row for each session that was learned, a column for each test.",
            [origin],
            svg["stream_matrix"],
            _matrix_table(stream),
        ),
        Card(
            "Metrics",
            "Computed on the board from its accuracy matrix; every test counts alike.",
            [origin],
            table=DataTable(
                [
                    (title, _percent(stream.metrics[key]), meaning)
                    for title, key, meaning in _METRICS
                ],
                ("", "", ""),
            ),
        ),
        Card("The stream", "What was sent and how it was learned.", table=_facts(stream)),
    ]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _matrix_table(stream: LoggedStream) -> DataTable:
    rows = [("start", stream.metrics["start"]), *zip(stream.sessions, stream.metrics["matrix"])]
    return DataTable(
        [(name, *map(_percent, row)) for name, row in rows if row], ("after", *stream.tests)
    )


def _facts(stream: LoggedStream) -> DataTable:
    begin, metrics = stream.begin, stream.metrics
    learner = begin["learner"]
    sizes = ", ".join(
        f"{session['name']}: {session['samples']:,}" for session in begin["sessions"]
    )
    known = "; the first was known and only stored" if begin["known_first"] else ""
    test_total = sum(test["samples"] for test in begin["tests"])
    return DataTable(
        [
            ("protocol", PROTOCOLS[begin["protocol"]]),
            ("samples by session", sizes + known),
            ("test samples", f"{test_total:,}, {len(begin['tests'])} tests"),
            ("strategy", learner["strategy"]),
            ("budget", f"{learner['budget']:,} latents of {metrics['bits']} bits"),
            ("flash programmed", f"{metrics['flash_bytes']:,} bytes"),
            ("time on this computer", f"{metrics['wall_s']:.0f} s"),
        ]
    )

"""docs/defaults.md: its tables, from what defaults.py and torch_replay.py have stored."""

from __future__ import annotations

import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "defaults.md"
BEGIN, END = "<!-- make bench-defaults: begin -->", "<!-- make bench-defaults: end -->"
TITLES = {
    "P1": "P1, clothes: new classes",
    "P3": "P3, spoken digits: new words",
    "P5": "P5, keywords: new words",
    "P2": "P2, spoken digits: a new speaker",
    "P12": "P12, keywords: three noises",
    "drift": "drift, clothes: a camera ages",
    "skewed": "skewed, keywords: 90 % are other words",
}
JUDGED = ("P1", "P3", "P5", "P2", "P12", "drift")
Row = dict


def _figure(scores: list[float]) -> str:
    return f"{statistics.mean(scores):.1f} ± {statistics.stdev(scores):.1f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _judged(results: Row, torch: Row) -> str:
    rows = []
    for name in JUDGED:
        row = results[name]
        behind = statistics.mean(row["now"]) - statistics.mean(row["tuned"])
        peer = _figure(torch[name]["scores"]) if name in torch else "not run"
        rows.append([
            TITLES[name], _figure(row["before"]), f"**{_figure(row['now'])}**",
            _figure(row["tuned"]), f"{behind:+.1f}", peer,
        ])  # fmt: skip
    head = ["situation", "before", "default now", "best tuned", "now − tuned", "PyTorch, tuned"]
    return _table(head, rows)


def _goals(results: Row) -> str:
    rows = [
        [TITLES[name], *(_figure(results[name][goal]) for goal in ("classes", "domain", "user"))]
        for name in (*JUDGED, "skewed")
    ]
    return _table(["situation", "`classes` (default)", "`domain`", "`user`"], rows)


def _strategies(results: Row) -> str:
    rows = []
    for name in JUDGED:
        row = results[name]
        rows.append([TITLES[name], _figure(row["now"])])
        for other in ("replay_lwf", "replay_anchor"):
            differences = [a - b for a, b in zip(row[other], row["now"])]
            rows[-1].append(f"{statistics.mean(differences):+.1f}")
    return _table(["situation", "`replay`", "`replay_lwf`", "`replay_anchor`"], rows)


def _tuned(results: Row, torch: Row) -> str:
    lines = []
    for name in JUDGED:
        theirs = torch.get(name, {}).get("settings", "not run")
        lines.append(f"* {name}: `{results[name]['settings']}`; PyTorch `{theirs}`")
    return "\n".join(lines)


def tables(results: Row, torch: Row) -> str:
    return "\n\n".join([
        _judged(results, torch),
        "## Which goal",
        _goals(results),
        "## Other strategies: points more or less than `replay`",
        _strategies(results),
        "## The tuned settings",
        _tuned(results, torch),
    ])  # fmt: skip


def write(results: Row, torch: Row) -> None:
    """Puts the tables between the marks of the document."""
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{tables(results, torch)}\n{END}{after}")

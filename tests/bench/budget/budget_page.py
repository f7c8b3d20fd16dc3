"""docs/benchmarks-budget.md: its tables and plots, from what is stored, nothing by hand."""

from __future__ import annotations

from pathlib import Path

import partial
import published
import replayed
import scratch
import steps
from rows import Rows

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "benchmarks-budget.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- make bench-budget: begin -->", "<!-- make bench-budget: end -->"
SECTIONS = (
    scratch.section,
    published.section,
    replayed.section,
    partial.section,
    steps.section,
)


def text(rows: Rows) -> str:
    return "\n\n".join(part for section in SECTIONS for part in section(rows))


def write(rows: Rows, document: Path = DOCUMENT) -> None:
    """Puts the tables between the marks of the document."""
    before, rest = document.read_text().split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{text(rows)}\n{END}{after}")

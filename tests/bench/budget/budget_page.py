"""docs/benchmarks-budget.md: its tables and plots, from what is stored, nothing by hand."""

from __future__ import annotations

from pathlib import Path

import budget_plots
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


def write(rows: Rows, document: Path = DOCUMENT, images: Path = IMAGES) -> None:
    """The picture into the images, the tables between the marks of the document."""
    picture = f"![{budget_plots.TITLE}](images/{budget_plots.draw(rows, images)})"
    before, rest = document.read_text().split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{picture}\n\n{text(rows)}\n{END}{after}")

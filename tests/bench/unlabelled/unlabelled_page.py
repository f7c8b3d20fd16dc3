"""docs/benchmarks-unlabelled.md: its tables, from what is stored, nothing by hand."""

from __future__ import annotations

from pathlib import Path

import fan
import fan_course
import few_labels
import generated
import paper
import parts
import shift
import vae_steps
from rows import Rows

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "benchmarks-unlabelled.md"
BEGIN, END = "<!-- make bench-unlabelled: begin -->", "<!-- make bench-unlabelled: end -->"
# in the order they run
PARTS = {
    part.PART: part for part in (few_labels, paper, vae_steps, fan, fan_course, shift, generated)
}


def text(rows: Rows) -> str:
    """All sections, and what was not run."""
    out = [part for module in PARTS.values() for part in module.section(rows)]
    left = {name: n for name, n in parts.missing(PARTS, rows).items() if n}
    if left:
        words = ", ".join(f"{n} of `{name}`" for name, n in left.items())
        out += ["## Not run", f"Cells that are left: {words}. `make bench-unlabelled` runs them."]
    return "\n\n".join(out)


def write(rows: Rows, document: Path = DOCUMENT) -> None:
    """The tables between the marks of the document."""
    before, rest = document.read_text().split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{text(rows)}\n{END}{after}")

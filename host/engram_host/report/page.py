"""A page of cards: self-contained HTML, light and dark, for a screen of any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import jinja2

from .figures.style import COLOURS
from .schema import Source

LEGEND = {
    "device": "measured by a clock on the chip, or by a power meter",
    "icount": "measured on the emulated board, whose clock counts instructions: "
    "the same figure on every run, on any computer",
    "cycles": "measured on the emulated board, which counts the processor's cycles by a model of "
    "the chip; never compared with one",
    "model": "computed from a plan or a data sheet, not measured",
    "simulated": "drawn by a simulated power meter: it shows that measuring works, and no energy",
    "host": "measured or computed on this computer",
}


@dataclass(frozen=True)
class Tile:
    """A figure that is seen first. role: a colour of figures.style, or ""."""

    value: str
    label: str
    source: Source
    role: str = ""


@dataclass(frozen=True)
class DataTable:
    """Rows of text; head may be empty."""

    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()


@dataclass(frozen=True)
class Card:
    """One statement: a picture, a table, or both (the table is then folded away)."""

    title: str
    text: str
    sources: Sequence[Source] = ()
    svg: str = ""
    table: DataTable | None = None
    wide: bool = False


@dataclass(frozen=True)
class Page:
    """The content of a page, for render()."""

    title: str
    lede: str
    cards: Sequence[Card]
    kicker: str = ""  # what it is about, beside the name
    tiles: Sequence[Tile] = ()
    closing: str = ""
    legend: dict[str, str] = field(default_factory=lambda: dict(LEGEND))


class LogReportPaths(TypedDict):
    """The files of a page that was made of logs."""

    report: Path
    pictures: list[Path]


def render(page: Page) -> str:
    """The page as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    sources = {s for card in page.cards for s in card.sources} | {t.source for t in page.tiles}
    return environment.get_template("page.html.j2").render(
        title=page.title,
        kicker=page.kicker,
        lede=page.lede,
        tiles=page.tiles,
        cards=page.cards,
        closing=page.closing,
        colours=COLOURS,
        legend={name: text for name, text in page.legend.items() if name in sources},
    )

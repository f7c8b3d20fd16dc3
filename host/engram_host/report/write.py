"""write_report(): a run as a page, pictures and two JSON files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from ..boards import load_all
from ..planning.energy import Board
from .demo_page import demo_page, draw
from .figures.accuracy import hero_picture
from .figures.render import save_png
from .page import render
from .schema import DemoResult
from .summary import chip_costs, summarise


class ReportPaths(TypedDict):
    """The files that write_report() wrote."""

    report: Path
    summary: Path
    result: Path
    pictures: list[Path]


def write_report(
    result: DemoResult, out_dir: Path | str, boards: Iterable[Board] | None = None
) -> ReportPaths:
    """Writes report.html, summary.json, result.json and the pictures into out_dir.

    boards: contents of board.toml files, None takes those Engram knows; the ones with power
    figures appear in the energy model.
    """
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    boards = [board.facts for board in load_all()] if boards is None else list(boards)
    summary, chips = summarise(result, boards), chip_costs(result, boards)
    pictures = draw(result, chips)
    page = render(demo_page(result, summary, chips, pictures))
    paths: ReportPaths = {
        "report": out / "report.html",
        "summary": out / "summary.json",
        "result": out / "result.json",
        "pictures": [save_png(picture, out / f"{name}.png") for name, picture in pictures.items()],
    }
    paths["report"].write_text(page, encoding="utf-8")
    paths["summary"].write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    paths["result"].write_text(json.dumps(result, ensure_ascii=False) + "\n")
    return paths


def write_hero(result: DemoResult, path: Path | str) -> Path:
    """Writes the picture of the README."""
    return save_png(hero_picture(result), Path(path))

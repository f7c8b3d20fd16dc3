"""The Pareto front of a search: accuracy over each resource that was limited."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .render import save_png, save_svg
from .style import HEIGHT_IN, WIDTH_IN, Picture, colour, styled

# Resource -> (factor, words for the axis).
AXES = {
    "ram": (1e-3, "RAM to open, kB"),
    "flash": (1e-3, "flash, kB"),
    "time": (1.0, "time of a session, s"),
}


def write_front(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Writes front.json, front.png and front.svg of a search's report; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "front.json"
    text.write_text(json.dumps(report, indent=1) + "\n")
    picture = front_picture(
        report["tried"], report["front"], report["objectives"][1:], report["limits"]
    )
    return [text, save_png(picture, folder / "front.png"), save_svg(picture, folder / "front.svg")]


@styled
def front_picture(
    tried: Sequence[Mapping[str, Any]],
    ends: Sequence[Mapping[str, Any]],
    resources: Sequence[str],
    limits: Mapping[str, float | None],
) -> Picture:
    """A panel per resource: what was tried (grey), the front (points), its best accuracies for
    that resource alone (line), the limit (dashed).

    tried, ends: rows with "accuracy" and the resources, as a search reports them.
    """
    best = max((row["accuracy"] for row in ends), default=0.0)
    words = ", ".join(resources)
    alt = f"Accuracy over {words}: {len(ends)} points on the front, the best with {best:.1%}."
    names = list(resources) or ["time"]
    picture = Picture(alt, 0.75 * WIDTH_IN * len(names), HEIGHT_IN)
    all_axes = picture.figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(all_axes, names):
        factor, words = AXES[name]
        places = [(factor * row[name], row["accuracy"]) for row in tried if row[name] is not None]
        axes.scatter(*_columns(places), s=8, color=colour("receive"), linewidths=0)
        places = [(factor * row[name], row["accuracy"]) for row in ends if row[name] is not None]
        axes.scatter(*_columns(places), s=14, color=colour("replay"), linewidths=0)
        axes.step(*_columns(_stairs(places)), where="post", color=colour("forward"), linewidth=1.4)
        if limits.get(name) is not None:
            axes.axvline(factor * limits[name], color=colour("finetune"), ls="--", lw=1)  # type: ignore[operator]
        axes.set_xlabel(words)
    all_axes[0].set_ylabel("accuracy of the test")
    all_axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return picture


def _columns(places: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in places], [y for _, y in places]


def _stairs(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The best accuracy up to each cost."""
    out: list[tuple[float, float]] = []
    for x, y in sorted(places, key=lambda place: (place[0], -place[1])):
        if not out or y > out[-1][1]:
            out.append((x, y))
    return out

"""The picture of the benchmark: accuracy lost, by format and by what a backward pass saves."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import partial
import replayed
import scratch
from rows import Rows
from variants import REFERENCE, VARIANTS

matplotlib.use("Agg")
from matplotlib import pyplot as plt

NAME = "budget.png"
TITLE = "Points of float32, by number format and by what the backward pass saves"


def draw(rows: Rows, folder: Path) -> str:
    """Writes the picture into a folder; its file name."""
    figure, (formats, passes) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    for name, variant in VARIANTS.items():
        if name != REFERENCE and not variant.broken:
            points = {where: gap for where, gap in gaps(rows, name).items() if gap is not None}
            formats.plot([100 * gap for gap in points.values()], list(points), "o", label=name)
    formats.axvline(-100 * scratch.GAP, color="0.6", linewidth=0.8)
    formats.set_xlabel("points of float32 (host)")
    for case, title in partial.TITLES.items():
        points = [(times, 100 * gap) for times, gap in partial.savings(rows, case)]
        if points:
            passes.plot(*zip(*points, strict=True), "o", label=title)
    passes.axhline(-100 * partial.GAP, color="0.6", linewidth=0.8)
    passes.axvline(partial.TIMES, color="0.6", linewidth=0.8)
    passes.set_xlabel("times fewer instructions of the backward pass (icount)")
    passes.set_ylabel("points of a whole backward pass (host)")
    for axis in (formats, passes):
        axis.grid(color="0.92")
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=7)
    figure.suptitle(TITLE, fontsize=10)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / NAME, dpi=90)
    plt.close(figure)
    return NAME


def gaps(rows: Rows, name: str) -> dict[str, float | None]:
    """{situation: mean accuracy less that of float32, None where it was not run}."""
    out = {f"{data}, from scratch": scratch.behind(rows, data, name) for data in scratch.SETS}
    for depth in replayed.DEPTHS:
        for protocol in replayed.TITLES:
            out[f"{protocol}, last {depth}"] = replayed.behind(rows, protocol, depth, name)
    return out

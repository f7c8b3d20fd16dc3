"""Pareto plots of the benchmark: accuracy against flash, RAM and instructions."""

from __future__ import annotations

from pathlib import Path

import cells
import matplotlib
from results import Results, mean, spread

matplotlib.use("Agg")
from matplotlib import pyplot as plt

AXES = (
    ("flash_bytes", 1e3, "kB of flash for the latents (model)"),
    ("ram_bytes", 1e3, "kB of RAM, planned (model)"),
    ("session_instructions", 1e9, "10^9 instructions a session (model)"),
)


def front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those points (cost, accuracy) that no other one beats in both, by cost."""
    best: list[tuple[float, float]] = []
    for cost, accuracy in sorted(points, key=lambda p: (p[0], -p[1])):
        if not best or accuracy > best[-1][1]:
            best.append((cost, accuracy))
    return best


def draw(results: Results, folder: Path) -> list[tuple[str, str]]:
    """One picture a protocol that has cells; [(title, file name)]."""
    pictures = []
    for protocol in cells.DENSE:
        grid = results.settings(lambda c, p=protocol: c.protocol == p)
        if grid:
            name = f"continual-{protocol.lower()}.png"
            title = f"{protocol}: accuracy and what it costs, {len(grid)} settings"
            _picture(results, grid, title, folder / name)
            pictures.append((title, name))
    return pictures


def _picture(results: Results, grid: list[cells.Cell], title: str, path: Path) -> None:
    figure, axes = plt.subplots(1, len(AXES), figsize=(12, 4), sharey=True, layout="constrained")
    names = sorted({cell.strategy for cell in grid})
    colours = dict(zip(names, plt.get_cmap("tab20").colors, strict=False))
    for axis, (field, unit, label) in zip(axes, AXES, strict=True):
        points = []
        for cell in grid:
            rows = results.of(cell)
            cost, accuracy = rows[0][field] / unit, 100 * mean(rows)
            points.append((cost, accuracy))
            axis.errorbar(
                cost, accuracy, 100 * spread(rows), fmt="o", markersize=3, linewidth=0.7,
                color=colours[cell.strategy], label=cell.strategy,
            )  # fmt: skip
        axis.step(*zip(*front(points), strict=True), where="post", color="0.6", linewidth=0.8)
        axis.set_xlabel(label)
        axis.set_xscale("log" if axis is axes[0] else "linear")
        axis.grid(color="0.92")
    axes[0].set_ylabel("accuracy after the last session, %")
    handles, labels = axes[0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=6, fontsize=8)
    figure.suptitle(title, fontsize=10)
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)

"""Pictures of an auto-encoder: its code as a map, inputs beside what it makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .style import WIDTH_IN, Picture, colour, styled

_ROLES = ("forward", "replay", "update", "backward", "replay_read", "save")
_WIDE = 2.15 * WIDTH_IN


class Coded(NamedTuple):
    """Samples of one kind. codes: (n, 2). group: kinds of one have one colour. bad: of a fault."""

    name: str
    group: int
    codes: Sequence[Sequence[float]]
    bad: bool = False


class Again(NamedTuple):
    """An input, and what a model made of it before it learned and after: values each."""

    name: str
    given: Sequence[float]
    before: Sequence[float]
    after: Sequence[float]


@styled
def codes_picture(maps: Sequence[tuple[str, Sequence[Coded]]]) -> Picture:
    """A panel per time: each sample at the place of its code; faults are hollow."""
    picture = Picture(
        "Codes of single samples, two units: " + ", ".join(title for title, _ in maps) + ".",
        height=3.2,
    )
    panels = picture.figure.subplots(1, len(maps), squeeze=False)[0]
    for axes, (title, kinds) in zip(panels, maps):
        for kind in kinds:
            role = colour(_ROLES[kind.group % len(_ROLES)])
            places = np.array(kind.codes, float).reshape(-1, 2)
            dots = axes.scatter(
                places[:, 0],
                places[:, 1],
                s=16,
                facecolors="none" if kind.bad else role,
                edgecolors=role,
                linewidths=1.0,
                alpha=0.9,
                label=kind.name,
            )
            picture.tip(dots, f"{title}: {kind.name}, {len(places)} samples")
        axes.set_title(title, fontsize=9, fontweight="bold")
        axes.set_xlabel("unit 1")
        axes.grid(True, axis="x")
        axes.margins(0.1)
    panels[0].set_ylabel("unit 2")
    handles, labels = panels[0].get_legend_handles_labels()
    picture.figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return picture


@styled
def again_picture(rows: Sequence[Again], names: Sequence[str]) -> Picture:
    """A panel per input: its values as points, lines for what the model made of them.

    names: of runs of values, one after the other, all of one length but the last.
    """
    picture = Picture(
        "Inputs and what the model gives again: "
        + ", ".join(
            f"{row.name}, error {_rms(row, 'before'):.2f} before, {_rms(row, 'after'):.2f} after"
            for row in rows
        )
        + ".",
        _WIDE,
        2.9,
    )
    panels = picture.figure.subplots(1, len(rows), squeeze=False, sharey=True)[0]
    for axes, row in zip(panels, rows):
        x = np.arange(len(row.given))
        label = "given again, before"
        axes.plot(x, row.before, color=colour("observe"), linewidth=1.4, label=label)
        axes.plot(x, row.after, color=colour("replay"), linewidth=2.0, label="after")
        axes.plot(x, row.given, "o", color=colour("ink"), markersize=3.2, label="given")
        axes.set_title(
            f"{row.name}\nrms error {_rms(row, 'before'):.2f} → {_rms(row, 'after'):.2f}",
            fontsize=9,
        )
        width = -(-len(row.given) // len(names))
        ends = [min((i + 1) * width, len(row.given)) for i in range(len(names))]
        axes.set_xticks([(i * width + end - 1) / 2 for i, end in enumerate(ends)], names)
        for i in range(1, len(names)):
            axes.axvline(i * width - 0.5, color=colour("grid"), linewidth=1)
    panels[0].set_ylabel("feature")
    handles, labels = panels[0].get_legend_handles_labels()
    order = [2, 0, 1]
    handles, labels = [handles[i] for i in order], [labels[i] for i in order]
    picture.figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return picture


def _rms(row: Again, which: str) -> float:
    """Root of the mean squared difference from what was given."""
    made: Sequence[float] = getattr(row, which)
    difference: Any = np.array(made, float) - np.array(row.given, float)
    return float(np.sqrt((difference**2).mean()))

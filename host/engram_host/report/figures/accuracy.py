"""Pictures of accuracy: classes that were learned and classes that were forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.colors
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..schema import DemoResult
from ..summary import Matrix, accuracy_matrix, accuracy_seen, class_groups, group_name
from .style import Picture, colour, label_ends, percent_axis, styled

_OPACITY = (0.06, 0.94)  # of a cell of 0% and of 100%
_DARK = 0.5  # from here on the text in a cell is light


def session_names(groups: list[list[int]]) -> list[str]:
    """Names of the rows: "start", then what each session added."""
    return ["start", *(f"+ {group_name(group)}" for group in groups[1:])]


def draw_seen(axes: Axes, picture: Picture, result: DemoResult) -> None:
    """Accuracy on all classes seen, after each session, three ways."""
    names = session_names(class_groups(result["replay"]))
    lines = [
        ("joint training", "joint", list(result["joint"]["accuracy"])),
        ("replay", "replay", accuracy_seen(result["replay"])),
        ("no replay", "finetune", accuracy_seen(result["finetune"])),
    ]
    ends = []
    for label, role, values in lines:
        dashed = role == "joint"
        axes.plot(
            range(len(values)),
            values,
            color=colour(role),
            linestyle=(0, (3, 2)) if dashed else "-",
            linewidth=1.6 if dashed else 2.4,
            zorder=2 if dashed else 3,
        )
        for i, value in enumerate(values):
            size = 3 if dashed else 5
            (dot,) = axes.plot([i], [value], "o", color=colour(role), markersize=size, zorder=4)
            picture.tip(dot, f"{label}, after {names[i]}: {value:.1%}")
        ends.append((values[-1], f"{label} {values[-1]:.0%}", role))
    percent_axis(axes)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.25, len(names) - 0.8)
    label_ends(axes, ends, len(names) - 1, 0.085)


@styled
def seen_picture(result: DemoResult) -> Picture:
    """Lines: accuracy on all classes seen so far."""
    replay, finetune = accuracy_seen(result["replay"]), accuracy_seen(result["finetune"])
    picture = Picture(
        f"Accuracy on all classes seen after each session: {replay[-1]:.1%} with replay, "
        f"{finetune[-1]:.1%} without, {result['joint']['accuracy'][-1]:.1%} by joint training."
    )
    draw_seen(picture.figure.add_subplot(), picture, result)
    return picture


def draw_matrix(
    axes: Axes, picture: Picture, matrix: Matrix, groups: list[list[int]], role: str, title: str
) -> None:
    """A heat map: rows are sessions, columns are class groups."""
    columns = [group_name(group) for group in groups]
    draw_cells(axes, picture, matrix, session_names(groups), columns, role, title)


def draw_cells(
    axes: Axes,
    picture: Picture,
    matrix: Matrix,
    rows: Sequence[str],
    columns: Sequence[str],
    role: str,
    title: str,
    *,
    triangle: bool = True,
) -> None:
    """A heat map. triangle: column j is first learned in row j, and left empty above it."""
    red, green, blue = matplotlib.colors.to_rgb(colour(role))
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            later = triangle and j > i
            opacity = 0.0
            if value is not None and not later:
                opacity = _OPACITY[0] + (_OPACITY[1] - _OPACITY[0]) * value
            cell = Rectangle(
                (j - 0.47, i - 0.47),
                0.94,
                0.94,
                facecolor=(red, green, blue, opacity),
                edgecolor=colour("grid") if later else "none",
                linewidth=0.7,
            )
            axes.add_patch(cell)
            percent = "–" if value is None else f"{value:.0%}"
            picture.tip(cell, f"{title}, after {rows[i]}: {percent} on {columns[j]}")
            if not later and value is not None:
                axes.text(
                    j,
                    i,
                    f"{value * 100:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    color=colour("on_colour" if opacity > _DARK else "ink"),
                )
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_title(title, fontsize=9, fontweight="bold", color=colour(role))


@styled
def matrix_picture(result: DemoResult) -> Picture:
    """Two heat maps: with replay and without."""
    groups = class_groups(result["replay"])
    picture = Picture(
        "Accuracy matrices: a row for each session, a column for each group of classes; "
        "with replay the columns stay dark, without it only the newest class does.",
        height=2.75,
    )
    left, right = picture.figure.subplots(1, 2)
    draw_matrix(left, picture, accuracy_matrix(result["replay"]), groups, "replay", "with replay")
    draw_matrix(right, picture, accuracy_matrix(result["finetune"]), groups, "finetune", "without")
    right.set_yticks([])
    left.set_ylabel("after session")
    for axes in (left, right):
        axes.set_xlabel("accuracy in %, digits")
    return picture


@styled
def hero_picture(result: DemoResult) -> Picture:
    """The picture of the README: the lines and both matrices side by side."""
    groups = class_groups(result["replay"])
    picture = Picture("A board learns five digits one after the other.", 11.0, 3.7)
    left, middle, right = picture.figure.subplots(1, 3, width_ratios=[1.55, 1, 1])
    draw_seen(left, picture, result)
    left.set_title(
        "Accuracy on all digits seen so far", fontsize=10, fontweight="bold", loc="left"
    )
    draw_matrix(
        middle, picture, accuracy_matrix(result["replay"]), groups, "replay", "with replay"
    )
    draw_matrix(right, picture, accuracy_matrix(result["finetune"]), groups, "finetune", "without")
    right.set_yticks([])
    middle.set_ylabel("after session")
    for axes in (middle, right):
        axes.set_xlabel("accuracy in % on each digit")
    return picture

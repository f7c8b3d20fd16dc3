"""Pictures of a stream of sessions: the accuracy matrix, and the way to it."""

from __future__ import annotations

from collections.abc import Sequence

from ..summary import Matrix
from .accuracy import draw_cells
from .style import Picture, colour, percent_axis, styled

_START = "start"


@styled
def stream_matrix_picture(
    matrix: Matrix, sessions: Sequence[str], tests: Sequence[str], triangle: bool
) -> Picture:
    """A heat map: a row for each session that was learned, a column for each test.

    triangle: test j belongs to session j, and says nothing before that was learned.
    """
    picture = Picture(
        "Accuracy matrix: a row for each session that was learned, a column for each test.",
        height=2.2 + 0.22 * len(sessions),
    )
    axes = picture.figure.add_subplot()
    rows = [f"+ {name}" if i else name for i, name in enumerate(sessions)]
    draw_cells(axes, picture, matrix, rows, tests, "replay", "", triangle=triangle)
    axes.set_ylabel("after learning")
    axes.set_xlabel("accuracy in % on the test")
    return picture


@styled
def stream_accuracy_picture(
    seen: Sequence[float], everything: Sequence[float | None], sessions: Sequence[str]
) -> Picture:
    """Lines: accuracy on the tests of what was learned so far, and on all tests.

    everything: one value more than seen, the first of them before anything was learned.
    """
    picture = Picture(f"Accuracy after each session: {seen[-1]:.1%} at the end.")
    axes = picture.figure.add_subplot()
    names = [_START, *(f"+ {name}" if i else name for i, name in enumerate(sessions))]
    lines = (
        ("on all tests", "joint", list(enumerate(everything))),
        ("on the sessions so far", "replay", list(enumerate(seen, 1))),
    )
    for label, role, points in lines:
        known = [(x, y) for x, y in points if y is not None]
        xs, ys = [x for x, _ in known], [y for _, y in known]
        axes.plot(xs, ys, color=colour(role), label=label)
        for x, y in known:
            (dot,) = axes.plot([x], [y], "o", color=colour(role), markersize=5)
            picture.tip(dot, f"{label}, after {names[x]}: {y:.1%}")
    percent_axis(axes)
    axes.set_xticks(range(len(names)), names)
    picture.figure.legend(loc="outside upper left", ncols=2)
    return picture

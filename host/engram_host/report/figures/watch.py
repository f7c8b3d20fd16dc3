"""Pictures of a watch: the mean score over time, its threshold, alarms, what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from .style import WIDTH_IN, Picture, colour, styled

_WIDE = 2.15 * WIDTH_IN
_CHARACTERS = 160  # that have room above the axes
_LINEAR = 4  # times the median of positive means: from here on the axis is logarithmic


class Trace(NamedTuple):
    """The course of a watch over samples.

    alarmed: whether there was an alarm, of each. threshold: as it was at the beginning. adapted:
    what was learned, as learning.watch_run has it. block: samples of a block of that.
    """

    means: Sequence[float]
    alarmed: Sequence[bool]
    threshold: float
    adapted: Sequence[dict[str, Any]]
    block: int


class Span(NamedTuple):
    """Samples with a name, from `first` up to `end`. bad: of a fault."""

    name: str
    first: int
    end: int
    bad: bool = False


@styled
def watch_picture(trace: Trace, spans: Sequence[Span] = ()) -> Picture:
    """A line: the mean score of each sample; red during alarms."""
    alarms = _runs(trace.alarmed)
    words = f"{len(alarms)} alarm" if len(alarms) == 1 else f"{len(alarms)} alarms"
    picture = Picture(
        f"Mean score of {len(trace.means)} samples over time, {words}; "
        f"something new was learned {len(trace.adapted)} times.",
        _WIDE,
        3.3,
    )
    axes = picture.figure.add_subplot()
    means = np.array(trace.means, float)
    _scale(axes, means, trace.threshold)
    _spans(axes, spans)
    x = np.arange(len(means))
    axes.plot(x, means, color=colour("observe"), linewidth=1.1)
    for first, end in alarms:
        part = slice(first, end)
        (line,) = axes.plot(
            x[part], means[part], color=colour("finetune"), linewidth=1.8, solid_capstyle="round"
        )
        picture.tip(line, f"alarm, samples {first} to {end - 1}")
    _threshold(axes, picture, trace)
    _learned(axes, picture, trace)
    axes.set_xlim(0, max(len(means), 1))
    axes.set_xlabel("sample")
    axes.set_ylabel("mean score")
    handles = [
        axes.plot([], [], color=colour(role), linestyle=style, linewidth=1.8, label=label)[0]
        for role, style, label in (
            ("observe", "-", "normal"),
            ("finetune", "-", "alarm"),
            ("joint", (0, (4, 2)), "threshold"),
            *([("replay", "-", "new, and learned later")] if trace.adapted else []),
        )
    ]
    picture.figure.legend(handles=handles, loc="outside lower right", ncols=len(handles))
    return picture


def _scale(axes: Axes, means: np.ndarray[Any, Any], threshold: float) -> None:
    """A logarithmic axis where faults are far away from what is normal."""
    if not len(means):
        return
    if means.min() > 0 and means.max() > _LINEAR * float(np.median(means)):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(min(means.min(), threshold) / 1.25, max(means.max(), threshold) * 1.4)


def _spans(axes: Axes, spans: Sequence[Span]) -> None:
    """Bands with names above the axes."""
    whole = spans[-1].end if spans else 1
    for i, span in enumerate(spans):
        role, strength = ("finetune", 0.07) if span.bad else ("observe", 0.1 * (i % 2))
        axes.axvspan(span.first, span.end, color=colour(role), alpha=strength, linewidth=0)
        axes.text(
            (span.first + span.end) / 2,
            1.02,
            _folded(span.name, max(10, int(_CHARACTERS * (span.end - span.first) / whole))),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8,
            linespacing=1.05,
            color=colour("finetune" if span.bad else "muted"),
        )


def _folded(text: str, width: int) -> str:
    """Lines of at most so many characters, words left whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _threshold(axes: Axes, picture: Picture, trace: Trace) -> None:
    """The threshold, and where it changed."""
    value, first = trace.threshold, 0
    steps = [(told["sample"], told["threshold"]) for told in trace.adapted]
    for end, following in [*steps, (len(trace.means), None)]:
        (line,) = axes.plot(
            [first, end],
            [value, value],
            color=colour("joint"),
            linestyle=(0, (4, 2)),
            linewidth=1.6,
        )
        picture.tip(line, f"threshold {value:.4g}, from sample {first}")
        if following is not None:
            value, first = following, end


def _learned(axes: Axes, picture: Picture, trace: Trace) -> None:
    """The samples that were learned, on the axis, and a line where the board learned them."""
    for told in trace.adapted:
        axes.axvline(told["sample"], color=colour("replay"), linewidth=1.4)
        (dot,) = axes.plot(
            [told["sample"]],
            [0.93],
            "v",
            transform=axes.get_xaxis_transform(),
            color=colour("replay"),
            markersize=7,
        )
        picture.tip(
            dot,
            f"{told['blocks']} blocks learned in {told['steps']} steps: loss "
            f"{told['before']:.4g} to {told['after']:.4g}, threshold "
            f"{told['threshold_before']:.4g} to {told['threshold']:.4g}",
        )
        axes.annotate(
            "learned",
            (told["sample"], 0.93),
            xycoords=axes.get_xaxis_transform(),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            fontweight="bold",
            color=colour("replay"),
        )
        for at in told["samples"]:
            (bar,) = axes.plot(
                [at, at + trace.block],
                [0.015, 0.015],
                transform=axes.get_xaxis_transform(),
                color=colour("replay"),
                linewidth=4,
                solid_capstyle="butt",
            )
            picture.tip(bar, f"new: samples {at} to {at + trace.block - 1}")


def _runs(alarmed: Sequence[bool]) -> list[tuple[int, int]]:
    """(first, end) of each alarm."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.array(alarmed, int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]

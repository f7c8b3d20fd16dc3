"""How the loss fell and where the time went."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from ..schema import DemoResult, Session, Unit
from ..summary import PHASES, class_groups, phase_totals
from .accuracy import session_names
from .style import Picture, colour, styled

_SMOOTHING = 0.85  # of the exponential mean that is drawn over the loss of the single steps


def smoothed(values: Sequence[float], keep: float = _SMOOTHING) -> list[float]:
    """Exponential moving average, without the pull of its start value."""
    result, mean, weight = [], 0.0, 0.0
    for value in values:
        mean = keep * mean + (1 - keep) * value
        weight = keep * weight + 1 - keep
        result.append(mean / weight)
    return result


@styled
def loss_picture(result: DemoResult) -> Picture:
    """The loss of every step with replay, sessions one behind the other."""
    sessions = result["replay"]["sessions"]
    names = session_names(class_groups(result["replay"]))
    steps = sum(len(session["steps"]) for session in sessions)
    picture = Picture(f"Training loss over {steps} steps; it falls within each session.")
    axes = picture.figure.add_subplot()
    start, top = 0, 0.0
    for name, session in zip(names, sessions):
        losses = [step["loss"] for step in session["steps"]]
        if not losses:
            continue
        x = range(start + 1, start + len(losses) + 1)
        axes.plot(x, losses, color=colour("replay"), linewidth=0.7, alpha=0.35)
        (line,) = axes.plot(x, smoothed(losses), color=colour("replay"), linewidth=2.2)
        picture.tip(line, f"{name}: loss {losses[0]:.2f} to {losses[-1]:.2f}, {len(losses)} steps")
        if start:
            axes.axvline(start + 0.5, color=colour("grid"), linewidth=1)
        axes.text(
            start + len(losses) / 2,
            1.0,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            color=colour("muted"),
            fontsize=8.5,
        )
        start += len(losses)
        top = max(top, *losses)
    axes.set_xlim(0, max(start, 1))
    axes.set_ylim(0, top * 1.05 or 1)
    axes.set_xlabel("training step")
    axes.set_ylabel("loss (cross-entropy)")
    return picture


# unit of the counter -> (divisor, unit that is shown)
_SHOWN = {"instructions": (1e6, "million instructions"), "us": (1e3, "ms")}


def draw_phases(
    axes: Axes, picture: Picture, sessions: Sequence[Session], names: Sequence[str], unit: Unit
) -> None:
    """A bar for each session, stacked by phase."""
    divisor, shown = _SHOWN[unit]
    totals = [phase_totals(session) for session in sessions]
    bottoms = [0.0] * len(totals)
    for phase, title in PHASES.items():
        heights = [row[phase] / divisor for row in totals]
        if not any(heights):
            continue
        bars = axes.bar(
            range(len(heights)),
            heights,
            bottom=bottoms,
            width=0.62,
            color=colour(phase),
            label=title,
        )
        for name, height, bar in zip(names, heights, bars):
            picture.tip(bar, f"{name}, {title}: {height:,.1f} {shown}")
        bottoms = [a + b for a, b in zip(bottoms, heights)]
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel(shown)
    axes.margins(y=0.08)


@styled
def phases_picture(result: DemoResult) -> Picture:
    """Time of each session with replay, stacked by phase."""
    sessions = result["replay"]["sessions"]
    names = session_names(class_groups(result["replay"]))
    picture = Picture("Time of each session by phase; forward and backward take most of it.")
    draw_phases(
        picture.figure.add_subplot(), picture, sessions, names, result["counter_unit"]
    )
    picture.figure.legend(loc="outside upper left", ncols=3)
    return picture

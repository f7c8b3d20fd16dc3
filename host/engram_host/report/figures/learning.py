"""How the loss fell and where the time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from ..schema import Unit
from ..summary import PHASES
from .style import Picture, colour, percent_axis, styled

Curves = Sequence[tuple[str, Sequence[float]]]  # (session, a value for each of its steps)
Totals = Sequence[tuple[str, Mapping[str, int]]]  # (session, {phase: counter units})

_SMOOTHING = 0.85  # of the exponential mean that is drawn over the single steps


def smoothed(values: Sequence[float], keep: float = _SMOOTHING) -> list[float]:
    """Exponential moving average, without the pull of its start value."""
    result, mean, weight = [], 0.0, 0.0
    for value in values:
        mean = keep * mean + (1 - keep) * value
        weight = keep * weight + 1 - keep
        result.append(mean / weight)
    return result


def draw_curves(axes: Axes, picture: Picture, curves: Curves, what: str) -> None:
    """A value of every step, sessions one behind the other; those without steps left out."""
    start = 0
    for name, values in curves:
        if not values:
            continue
        x = range(start + 1, start + len(values) + 1)
        axes.plot(x, values, color=colour("replay"), linewidth=0.7, alpha=0.35)
        (line,) = axes.plot(x, smoothed(values), color=colour("replay"), linewidth=2.2)
        picture.tip(
            line, f"{name}: {what} {values[0]:.2f} to {values[-1]:.2f}, {len(values)} steps"
        )
        if start:
            axes.axvline(start + 0.5, color=colour("grid"), linewidth=1)
        axes.text(
            start + len(values) / 2,
            1.0,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            color=colour("muted"),
            fontsize=8.5,
        )
        start += len(values)
    axes.set_xlim(0, max(start, 1))
    axes.set_xlabel("training step")


@styled
def loss_picture(curves: Curves, what: str = "cross-entropy") -> Picture:
    """The loss of every step. what: its kind."""
    steps = sum(len(values) for _, values in curves)
    picture = Picture(f"Training loss over {steps} steps.")
    axes = picture.figure.add_subplot()
    draw_curves(axes, picture, curves, "loss")
    top = max([value for _, values in curves for value in values] + [0.0])
    axes.set_ylim(0, top * 1.05 or 1)
    axes.set_ylabel(f"loss ({what})")
    return picture


@styled
def batch_accuracy_picture(curves: Curves) -> Picture:
    """The share of each mini-batch that was recognised."""
    picture = Picture("Accuracy on the mini-batches while learning.")
    axes = picture.figure.add_subplot()
    draw_curves(axes, picture, curves, "accuracy")
    percent_axis(axes)
    return picture


# unit of the counter -> (divisor, unit that is shown)
_SHOWN = {
    "instructions": (1e6, "million instructions"),
    "cycles": (1e6, "million cycles"),
    "us": (1e3, "ms"),
}


@styled
def phases_picture(totals: Totals, unit: Unit) -> Picture:
    """A bar for each session, stacked by phase."""
    divisor, unit_name = _SHOWN[unit]
    picture = Picture("Time of each session by phase.")
    axes = picture.figure.add_subplot()
    bottoms = [0.0] * len(totals)
    for phase, title in PHASES.items():
        heights = [row.get(phase, 0) / divisor for _, row in totals]
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
        for (name, _), height, bar in zip(totals, heights, bars):
            picture.tip(bar, f"{name}, {title}: {height:,.1f} {unit_name}")
        bottoms = [a + b for a, b in zip(bottoms, heights)]
    axes.set_xticks(range(len(totals)), [name for name, _ in totals])
    axes.set_xlim(-0.6, max(len(totals) - 0.4, 2.4))
    axes.set_ylabel(unit_name)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.margins(y=0.08)
    if axes.get_legend_handles_labels()[0]:
        picture.figure.legend(loc="outside upper left", ncols=3)
    return picture

"""Time and energy on real chips, as the model has them."""

from __future__ import annotations

from collections.abc import Sequence

from ...planning.energy import Cost
from .style import Picture, colour, styled


def readable_time(ms: float) -> str:
    """4200.0 -> "4.2 s"."""
    if ms >= 60_000:
        return f"{ms / 60_000:.1f} min"
    return f"{ms / 1000:.3g} s" if ms >= 1000 else f"{ms:.3g} ms"


def readable_energy(mj: float) -> str:
    """4200.0 -> "4.2 J"."""
    return f"{mj / 1000:.3g} J" if mj >= 1000 else f"{mj:.3g} mJ"


@styled
def energy_picture(chips: Sequence[Cost]) -> Picture:
    """A bar for each chip: millijoules of the whole learning, its time beside it."""
    summary = ", ".join(f"{row['chip']} {readable_energy(row['mj'])}" for row in chips)
    picture = Picture(f"Energy of all sessions with replay, by model: {summary}.")
    axes = picture.figure.add_subplot()
    longest = max([row["mj"] for row in chips] + [0.0]) or 1.0
    for i, row in enumerate(chips):
        (bar,) = axes.barh(i, row["mj"], color=colour("replay"), height=0.36)
        text = f"{readable_energy(row['mj'])}  in {readable_time(row['ms'])}"
        picture.tip(bar, f"{row['board']}: {text}, {row['instructions']:,} instructions")
        axes.text(0, i - 0.3, row["chip"], va="bottom", fontweight="bold", fontsize=9)
        axes.text(
            longest, i - 0.3, text, va="bottom", ha="right", fontsize=8.5, color=colour("muted")
        )
    axes.set_ylim(len(chips) - 0.5, -0.75)
    axes.set_xlim(0, longest)
    axes.set_yticks([])
    axes.set_xlabel("mJ, all sessions with replay")
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.spines[:].set_visible(False)
    return picture

"""How every picture of a report looks: colours by role, one size, one drawing surface.

A picture is drawn once with the light colours. On the page its SVG takes the colours from CSS
variables of the same names, so that it follows the reader's light or dark theme; as a PNG it
stays light.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# role -> (light, dark). The hues of roles that meet in one picture differ in lightness too, so
# that they stay apart without colour vision.
COLOURS = {
    "surface": ("#ffffff", "#151b23"),
    "ink": ("#1a2230", "#e8edf3"),
    "muted": ("#647084", "#93a1b3"),
    "grid": ("#e4e8ee", "#2a333f"),
    "replay": ("#0b7a6b", "#41cbb3"),
    "finetune": ("#d8502f", "#ff8b6b"),
    "joint": ("#8b7bc8", "#b6a8f0"),
    "receive": ("#c8d0da", "#3d4858"),
    "observe": ("#98a4b5", "#5f6d80"),
    "flash_write": ("#8a6440", "#c79c6e"),
    "replay_read": ("#36a3c4", "#5cc4e2"),
    "forward": ("#3f74d1", "#78a9ff"),
    "backward": ("#5b3fa6", "#a58bf0"),
    "update": ("#d39a1e", "#ecbb4f"),
    "save": ("#b9546f", "#e58aa2"),
    "link": ("#7d8a2e", "#b7c662"),
    "on_colour": ("#fefefe", "#0d1117"),
}
WIDTH_IN = 4.9
HEIGHT_IN = 3.1

_STYLE = {
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": COLOURS["grid"][0],
    "axes.labelcolor": COLOURS["muted"][0],
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": COLOURS["grid"][0],
    "grid.linewidth": 0.8,
    "text.color": COLOURS["ink"][0],
    "xtick.color": COLOURS["muted"][0],
    "ytick.color": COLOURS["muted"][0],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "font.size": 9,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 1.0,
    "legend.handleheight": 1.0,
    "legend.columnspacing": 1.2,
    "legend.handletextpad": 0.5,
    "lines.linewidth": 2.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "engram",
    "font.family": ["DejaVu Sans"],
}


def colour(role: str) -> str:
    """The light colour of a role, as matplotlib takes it."""
    return COLOURS[role][0]


class Picture:
    """A drawn figure and the texts that appear over its parts on the page.

    .figure       matplotlib Figure
    .tips         {gid of an artist: text}
    .alt          what the picture shows, in words
    """

    def __init__(self, alt: str, width: float = WIDTH_IN, height: float = HEIGHT_IN) -> None:
        self.figure = Figure(figsize=(width, height), layout="constrained")
        self.tips: dict[str, str] = {}
        self.alt = alt

    def tip(self, artist: Any, text: str) -> None:
        """Shows `text` when the pointer rests on the artist."""
        gid = f"tip{len(self.tips)}"
        artist.set_gid(gid)
        self.tips[gid] = text


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Decorator: draws in the report's style, and leaves the caller's settings alone."""

    def drawing(*args: Any, **kwargs: Any) -> Picture:
        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    drawing.__doc__ = draw.__doc__
    return drawing


def style_context() -> Any:
    """The style as a context: saving needs it as well as drawing."""
    return matplotlib.rc_context(_STYLE)


def percent_axis(axes: Axes) -> None:
    """y from 0 to 100%."""
    axes.set_ylim(0, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0%", "25%", "50%", "75%", "100%"])


def label_ends(axes: Axes, ends: list[tuple[float, str, str]], x: float, gap: float) -> None:
    """Writes names at the right end of lines: (y, text, role), moved apart to at least `gap`."""
    heights: list[float] = []
    for y, text, role in sorted(ends):
        at = max(y, heights[-1] + gap) if heights else y
        heights.append(at)
        axes.annotate(
            text,
            (x, at),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour(role),
            fontweight="bold",
            annotation_clip=False,
        )

"""RAM and flash."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..schema import DemoResult, Ram
from ..summary import class_groups
from .accuracy import session_names
from .style import Picture, colour, styled

KIB = 1024

# What a buffer of the plan is, by the first rule that fits its name: (title, role).
_PURPOSES = (
    (("params",), "weights", "forward"),
    (("grads",), "gradients", "backward"),
    (("velocity",), "momentum", "update"),
)
_REST = {
    "heap": ("Python objects", "save"),
    "frozen": ("frozen weights", "observe"),
    "work": ("activations", "replay_read"),
}


def _purpose(name: str, kind: str, whole: bool) -> tuple[str, str]:
    for names, title, role in _PURPOSES:
        if name in names:
            return title, role
    if kind == "heap":
        return _REST["heap"]
    return _REST["frozen" if whole and name != "labels" else "work"]


def draw_map(axes: Axes, picture: Picture, rows: list[list[Any]]) -> None:
    """The arena: address upwards, the moments of a training step to the right."""
    end = max(row[5] for row in rows) + 1
    arena = max([row[3] + row[2] for row in rows if row[1] in ("f32", "i8")] + [0])
    ints = max([row[3] + row[2] for row in rows if row[1] == "i32"] + [0])
    roles: dict[str, str] = {}
    top = arena + ints
    for name, kind, nbytes, offset, first, last in rows:
        if not nbytes:
            continue
        if kind == "i32":
            offset += arena
        if kind == "heap":
            offset, top = top, top + nbytes
        title, role = _purpose(name, kind, first == 0 and last == end - 1)
        box = Rectangle(
            (first, offset / KIB),
            last + 1 - first,
            nbytes / KIB,
            facecolor=colour(role),
            edgecolor=colour("surface"),
            linewidth=0.6,
            label=None if title in roles else title,
        )
        roles[title] = role
        axes.add_patch(box)
        picture.tip(box, f"{name}: {nbytes:,} bytes, moments {first} to {last} of {end - 1}")
    axes.set_xlim(0, end)
    axes.set_ylim(0, top / KIB * 1.02)
    axes.set_xticks([])
    axes.set_xlabel("one step: observe → forward → loss → backward → update")
    axes.set_ylabel("KiB")


def draw_bars(axes: Axes, picture: Picture, ram: Ram) -> None:
    """Planned and measured peak against what the chip has."""
    rows = [("planned", ram["planned_bytes"], "joint"), ("measured", ram["peak_bytes"], "replay")]
    limit = ram["board_bytes"] / KIB
    for i, (name, nbytes, role) in enumerate(rows):
        axes.barh(i, limit, color=colour("grid"), height=0.55)
        (bar,) = axes.barh(i, nbytes / KIB, color=colour(role), height=0.55)
        picture.tip(bar, f"{name}: {nbytes:,} bytes of {ram['board_bytes']:,}")
        axes.text(
            nbytes / KIB + limit * 0.015,
            i,
            f"{nbytes / KIB:.1f} KiB",
            va="center",
            fontweight="bold",
            fontsize=8.5,
        )
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, limit)
    axes.set_xticks([0, limit], ["0", f"{limit:,.0f} KiB of RAM"])
    axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.grid(False)
    axes.spines[:].set_visible(False)


@styled
def ram_picture(result: DemoResult) -> Picture:
    """The plan against the measured peak, and the map of the arena where there is one."""
    ram = result["ram"]
    picture = Picture(
        f"RAM of the learner: {ram['planned_bytes']:,} bytes planned, "
        f"{ram['peak_bytes']:,} measured, of {ram['board_bytes']:,}.",
        height=4.3,
    )
    rows = ram.get("rows")
    if not rows:
        draw_bars(picture.figure.add_subplot(), picture, ram)
        return picture
    upper, lower = picture.figure.subplots(2, 1, height_ratios=[1, 2.6])
    draw_bars(upper, picture, ram)
    draw_map(lower, picture, rows)
    picture.figure.legend(*lower.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return picture


@styled
def flash_picture(result: DemoResult) -> Picture:
    """Bytes programmed in each session."""
    sessions = result["replay"]["sessions"]
    names = session_names(class_groups(result["replay"]))
    sizes = [session["flash_bytes"] for session in sessions]
    picture = Picture(f"Flash programmed: {sum(sizes):,} bytes over {len(sizes)} sessions.")
    axes = picture.figure.add_subplot()
    bars = axes.bar(names, [n / KIB for n in sizes], width=0.62, color=colour("replay"))
    for name, nbytes, bar in zip(names, sizes, bars):
        picture.tip(bar, f"{name}: {nbytes:,} bytes programmed")
        axes.annotate(
            f"{nbytes / KIB:.0f}",
            (bar.get_x() + bar.get_width() / 2, nbytes / KIB),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    axes.set_ylabel("KiB programmed")
    axes.margins(y=0.12)
    return picture

"""The end of a run in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .figures.accuracy import session_names
from .figures.energy import readable_energy, readable_time
from .schema import Summary

_BAR = 24  # characters of 100 %


def summary_table(summary: Summary) -> RenderableType:
    """Accuracy after each session, then the key figures with their sources."""
    return Group(_accuracy(summary), Text(), _figures(summary))


def _accuracy(summary: Summary) -> Table:
    seen = summary["accuracy_seen"]
    table = Table(title="accuracy on all classes seen", title_style="bold", title_justify="left")
    table.add_column("after")
    table.add_column("replay", justify="right", style="bold cyan")
    table.add_column("", no_wrap=True)
    table.add_column("no replay", justify="right", style="red")
    table.add_column("joint", justify="right", style="magenta")
    for i, name in enumerate(session_names(summary["class_groups"])):
        with_replay, without = seen["replay"][i], seen["finetune"][i]
        table.add_row(
            name,
            f"{with_replay:.1%}",
            _bar(with_replay, without),
            f"{without:.1%}",
            f"{seen['joint'][i]:.1%}",
        )
    return table


def _bar(with_replay: float, without: float) -> Text:
    """With replay as a bar, without as a mark on it."""
    length = round(with_replay * _BAR)
    text = Text("━" * length, "cyan") + Text("─" * (_BAR - length), "bright_black")
    mark = min(_BAR - 1, round(without * _BAR))
    text.stylize("bold red", mark, mark + 1)
    return text


def _figures(summary: Summary) -> Table:
    sources = summary["sources"]
    rows: list[tuple[str, str, str]] = [
        ("accuracy with replay", f"{summary['accuracy_replay']:.1%}", "accuracy_replay"),
        ("accuracy without", f"{summary['accuracy_finetune']:.1%}", "accuracy_finetune"),
        ("accuracy, joint training", f"{summary['accuracy_joint']:.1%}", "accuracy_joint"),
        ("forgetting", f"{summary['forgetting'] * 100:.1f} points", "forgetting"),
        ("RAM, planned", f"{summary['ram_planned_bytes']:,} B", "ram_planned_bytes"),
        ("RAM, measured peak", f"{summary['ram_peak_bytes']:,} B", "ram_peak_bytes"),
        ("replays in flash", f"{summary['replay_bytes']:,} B", "replay_bytes"),
    ]
    per_step, per_step_us = summary["instructions_per_step"], summary["us_per_step"]
    if per_step is not None:
        rows.append(("instructions a step", f"{per_step:,}", "instructions_per_step"))
    if summary["cycles_per_step"] is not None:
        rows.append(("cycles a step", f"{summary['cycles_per_step']:,}", "cycles_per_step"))
    if per_step_us is not None:
        rows.append(("time a step", readable_time(per_step_us / 1000), "us_per_step"))
    if summary["sessions_us"] is not None:
        together = readable_time(summary["sessions_us"] / 1000)
        rows.append(("all sessions on this board", together, "sessions_us"))
    share = summary["share_outside_kernels"]
    if share is not None:
        rows.append(("outside the kernels", f"{share:.1%} of a step", "share_outside_kernels"))
    for board, mj in summary["energy_mj"].items():
        least = summary["energy_least_mj"][board]
        most = readable_energy(mj)
        energy = most if least == mj else f"{readable_energy(least)} to {most}"
        cost = f"{energy} in {readable_time(summary['time_ms'][board])}"
        rows.append((f"all sessions on {board}", cost, "energy_mj"))
    for board in summary["energy_left_out"]:
        rows.append((f"all sessions on {board}", "no figure: other code", "energy_mj"))
    rows.append(("time on this computer", f"{summary['wall_s']:.0f} s", "wall_s"))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    for name, value, key in rows:
        table.add_row(name, value, sources[key])
    return table

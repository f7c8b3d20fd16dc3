"""The figures of a power meter as a card and a tile, each with the label of its source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .page import Card, DataTable, Tile
from .schema import Source

PHASE_TITLES = {
    "receive": "receive",
    "forward": "forward",
    "flash_write": "flash write",
    "replay_read": "read replays",
    "backward": "backward",
    "update": "update",
    "step": "a training step",
    "sample": "a sample, observed",
    "total": "the session",
}
Sessions = Sequence[tuple[str, dict[str, Any]]]  # (name, as meters.result.analyse() gives it)


def energy_card(sessions: Sessions) -> Card | None:
    """A column a session; None where no meter was there."""
    if not sessions:
        return None
    energies = [energy for _, energy in sessions]
    first = energies[0]
    idle = sum(energy["idle_mw"] for energy in energies) / len(energies)
    rows = [
        (title, *(_figure(energy, key) for energy in energies))
        for key, title in PHASE_TITLES.items()
        if any(_found(energy, key) for energy in energies)
    ]
    limits = first["accuracy"]
    return Card(
        "Energy, measured" if _source(first) == "device" else "Energy of a simulated meter",
        f"Meter {first['meter']}, phases marked by {first['marked']}; {idle:.3g} mW of idle power "
        f"are taken off. Uncertainties have the coverage factor {first['k']:g}, with limits of "
        f"the meter of {limits['gain']:.2%} and {limits['offset_mw']:.2g} mW "
        f"({limits['source']}).",
        [_source(first)],
        table=DataTable(rows, ("mJ", *(name for name, _ in sessions))),
        wide=True,
    )


def energy_tiles(sessions: Sessions) -> list[Tile]:
    """Energy of a step, mean over the sessions; [] where no meter was there."""
    steps = [energy["step"] for _, energy in sessions if "step" in energy]
    count = sum(step["n"] for step in steps)
    if not count:
        return []
    mj = sum(step["mj"] * step["n"] for step in steps) / count
    return [Tile(f"{mj:.3g} mJ", "a training step", _source(sessions[0][1]))]


def _source(energy: dict[str, Any]) -> Source:
    source: Source = energy["source"]
    return source


def _found(energy: dict[str, Any], key: str) -> dict[str, Any] | None:
    figure: dict[str, Any] | None = energy["phases"].get(key) or energy.get(key)
    return figure


def _figure(energy: dict[str, Any], key: str) -> str:
    figure = _found(energy, key)
    return "–" if figure is None else f"{figure['mj']:.4g} ± {figure['u_mj']:.2g}"

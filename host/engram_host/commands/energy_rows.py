"""Energy in a terminal: rows of (name, text), each with the label of where it is from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engram_host.meters.result import PHASES


def energy_rows(summary: dict[str, Any], log: Path | None) -> Iterator[tuple[str, str]]:
    """Rows of (name, energy) for a session's summary, or for {"energy": its record in the log}.

    log: the file with the session's timeline; None: a meter measured already, or none did."""
    energy = summary.get("energy")
    if energy is None:
        if summary.get("timeline"):
            yield "energy", f"engram measure {log} --meter csv:FILE, when the recording is there"
        return
    label = energy["source"]
    if label == "model":
        chips = ", ".join(f"{chip} {mj:.4g} mJ" for chip, mj in energy["mj"].items())
        yield "energy", f"{chips} (model)"
        return
    names = {"step": "a step", "sample": "a sample", "total": "in all"}
    for key, name in names.items():
        if key in energy:
            yield f"energy, {name}", f"{figure(energy[key])} ({label}, {energy['meter']})"
    for phase in PHASES:
        if phase in energy.get("phases", {}):
            yield f"energy, {phase}", f"{figure(energy['phases'][phase])} ({label})"
    for name, why in energy.get("left_out", {}).items():
        yield f"no energy, {name}", str(why)


def figure(energy: dict[str, Any]) -> str:
    """ "1.234 ± 0.012 mJ": the uncertainty with two digits, the figure with as many places."""
    mj, u = energy["mj"], energy["u_mj"]
    places = 0
    while u and places < 9 and round(u, places) < 10 ** (1 - places):
        places += 1
    return f"{mj:.{places}f} ± {u:.{places}f} mJ"

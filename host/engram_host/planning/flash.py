"""The samples that a board's replay region holds, counted by laying it out.

The device library opens a blank flash of the same size on this computer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ..boards import store as store_of


class FlashPlan(TypedDict):
    """The replay region of a board."""

    store_bytes: int  # the region, saved states included
    saved_bytes: int  # of it, for two generations of the learned state
    slot_bytes: int  # a latent with all that its record needs
    latents: int  # how many it holds, those of the session under way included
    refusal: str  # why it holds none; "" where it does


def flash_plan(
    board: Mapping[str, Any], spec: Any, bits: int, config: Any
) -> FlashPlan | None:
    """The region of `board` (a board.toml) for `spec` (ModelSpec) and a learner of `config`.

    None where the board has none. latents is 0 where the region is too small for the model.
    """
    from engram.errors import StoreError
    from engram.opener import open_flash
    from engram.store import RamFlash

    region = store_of(board)
    if region is None:
        return None
    unit, page = region.erase_bytes, region.program_bytes
    size = region.units * unit
    blank = RamFlash(region.units, unit, page, region.program_once)
    try:
        store, states, _ = open_flash(
            spec, blank, page, bits, saved_bytes=config.saved_bytes
        )
    except StoreError as e:
        return FlashPlan(store_bytes=size, saved_bytes=0, slot_bytes=0, latents=0, refusal=str(e))
    return FlashPlan(
        store_bytes=size,
        saved_bytes=states.count * unit,
        slot_bytes=store.info()["slot_bytes"],
        latents=store.capacity,
        refusal="" if store.capacity else "the replay region holds no latent beside saved states",
    )

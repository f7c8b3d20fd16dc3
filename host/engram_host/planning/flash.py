"""The samples that a board's replay region holds, counted by laying it out.

The device library opens a blank flash of the same size on this computer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from engram.errors import StoreError
from engram.store.slots import left_by, units_for

from ..boards import Store
from ..boards import store as store_of


class FlashPlan(TypedDict):
    """The replay region of a board."""

    store_bytes: int  # the region, saved states included
    saved_bytes: int  # of it, for two generations of the learned state
    slot_bytes: int  # a latent with all that its record needs
    model_bytes: int  # of it, for two slots of models; 0 where the model is a file
    latents: int  # how many it holds, those of the session under way included
    refusal: str  # why it holds none; "" where it does


def flash_plan(
    board: Mapping[str, Any], spec: Any, bits: int, config: Any, size: int = 0
) -> FlashPlan | None:
    """The region of `board` (a board.toml) for `spec` (ModelSpec) and a learner of `config`.

    size: bytes of the model file, which lies in the region where its weights are read in place.
    None where the board has none. latents is 0 where the region is too small for the model.
    """
    from engram.opener import open_flash
    from engram.store import RamFlash

    region = store_of(board)
    if region is None:
        return None
    unit, page = region.erase_bytes, region.program_bytes
    whole, left = region.units * unit, region.units
    try:
        if spec.net.in_place:
            left = _left(region, size)
        blank = RamFlash(left, unit, page, region.program_once)
        store, states, _ = open_flash(
            spec, blank, page, bits, saved_bytes=config.saved_bytes
        )
    except StoreError as e:
        return FlashPlan(
            store_bytes=whole, saved_bytes=0, slot_bytes=0, model_bytes=0, latents=0,
            refusal=str(e),
        )
    return FlashPlan(
        store_bytes=whole,
        model_bytes=(region.units - left) * unit,
        saved_bytes=states.count * unit,
        slot_bytes=store.info()["slot_bytes"],
        latents=store.capacity,
        refusal="" if store.capacity else "the replay region holds no latent beside saved states",
    )


def _left(region: Store, size: int) -> int:
    """Erase units that the slots of models leave to the samples. Raises StoreError."""
    if not region.mapped:
        raise StoreError(
            "expected flash that the processor reads as memory for --place flash, got a board "
            "without; push it as a file"
        )
    left = left_by(units_for(size, region.erase_bytes, region.program_bytes), region.units)
    if not left:
        raise StoreError(
            f"expected flash for two slots of a model of {size:,} bytes and a replay store, got "
            f"{region.units * region.erase_bytes:,} bytes; push it as a file"
        )
    return left

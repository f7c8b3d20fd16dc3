"""The accuracy that a model loses when its latents are stored with few bits."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from engram.continual.defaults import BITS

from .reference import DeviceModel

# Share of the samples that keep their class. The backbones of examples/backbones keep 0.96 and
# more with 4 bits, and learn as well with them (docs/defaults.md).
LEAST = 0.95
_MOST_BITS = 8


class StoredReport(TypedDict):
    """Latents with `bits` per element: the share of the samples whose class stays the same.

    enough: the fewest bits, BITS or more, with which at least LEAST of them stay.
    """

    bits: int
    agreement: float
    enough: int


def stored(device: DeviceModel, latents: NDArray[np.int8]) -> StoredReport | None:
    """The report for a model that tells classes apart and a new store; None for other models."""
    if not device.graph["classes"]:
        return None
    whole = device.adaptive(latents).argmax(axis=1)

    def agreement(bits: int) -> float:
        return float((device.adaptive(rounded_to(latents, bits)).argmax(axis=1) == whole).mean())

    widths = (bits for bits in range(BITS, _MOST_BITS + 1) if agreement(bits) >= LEAST)
    return {"bits": BITS, "agreement": agreement(BITS), "enough": next(widths, _MOST_BITS)}


def rounded_to(latents: NDArray[np.int8], bits: int) -> NDArray[np.int8]:
    """Latents as they come back from a store, by the definitions of pack_s8 and unpack_s8."""
    top = (1 << bits) - 1
    codes = ((latents.astype(np.int32) + 128) * top + 127) // 255
    return ((codes * 510 + top) // (2 * top) - 128).astype(np.int8)

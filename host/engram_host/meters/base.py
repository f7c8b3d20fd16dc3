"""The interface of a power meter: it starts, gives blocks of samples with its own times, stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """Limits of a meter's error, as a data sheet gives them.

    gain: part of the reading. offset_w: watts. source: where the figures are from.
    """

    gain: float
    offset_w: float
    source: str


@dataclass(frozen=True)
class Capabilities:
    """The capabilities of a meter.

    rate_hz   samples per second, nominal; 0: not known beforehand
    lines     digital inputs that are sampled with the power
    accuracy  of the power
    live      the meter measures while the device works; else its samples are in a file afterwards
    simulated the meter measures nothing, and its figures are labelled so
    clock_ppm greatest difference of its clock and the device's; more means that samples were lost
    board     the board whose board.toml names the phase pins of the meter; "": the device itself
    """

    name: str
    rate_hz: float
    lines: int
    accuracy: Accuracy
    live: bool = True
    simulated: bool = False
    clock_ppm: float = 20_000.0
    board: str = ""


@dataclass(frozen=True)
class Block:
    """n samples in the order of time.

    t          (n) float64, seconds on the meter's clock: the middle of what a sample covers
    power      (n) float64, watts
    bits       (n) uint8, digital inputs, line 0 in the lowest bit; None where there are none
    overrange  (n) bool: beyond the meter's range, the power is not to be trusted
    """

    t: Floats
    power: Floats
    bits: npt.NDArray[np.uint8] | None
    overrange: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.t)


class Meter(Protocol):
    """A meter that is connected. read() is called from one other thread than the rest."""

    capabilities: Capabilities

    def start(self) -> None:
        """Begin to measure. Raises MeterError."""
        ...

    def read(self) -> Block:
        """The samples since the last call; may be empty. Raises MeterError."""
        ...

    def stop(self) -> None:
        """End measuring; samples that are still under way come with the next read()."""
        ...

    def close(self) -> None:
        """Give the meter back."""
        ...

    def told(self, timeline: Any) -> None:
        """Takes the device's timeline before the last read(). Only a simulated meter uses it."""
        ...


def empty(lines: bool = False) -> Block:
    """A Block without samples."""
    none = np.zeros(0)
    bits = np.zeros(0, np.uint8) if lines else None
    return Block(none, none, bits, np.zeros(0, np.bool_))


def joined(blocks: list[Block]) -> Block:
    """One Block of several, in their order."""
    if not blocks:
        return empty()
    with_bits = all(block.bits is not None for block in blocks)
    return Block(
        np.concatenate([block.t for block in blocks]),
        np.concatenate([block.power for block in blocks]),
        np.concatenate([b.bits for b in blocks if b.bits is not None]) if with_bits else None,
        np.concatenate([block.overrange for block in blocks]),
    )

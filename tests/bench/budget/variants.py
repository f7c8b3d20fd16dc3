"""The number formats that are compared: a name, and the options of a learner that it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

REFERENCE = "f32"


class Variant(NamedTuple):
    """A way to train. learner: options of Learner.

    broken: it stands here to show what a rule of rounding costs, and no bar is asked of it.
    on_boards: its steps are counted on emulated boards.
    """

    what: str
    learner: Mapping[str, Any] = {}
    broken: bool = False
    on_boards: bool = False


VARIANTS: dict[str, Variant] = {
    REFERENCE: Variant("float32", on_boards=True),
    "q8": Variant("8-bit integers, a byte below each weight", {"format": "q8"}, on_boards=True),
    "q8_sr": Variant("weights of one byte, rounded stochastically",
                     {"format": "q8", "rounding": "sr"}, on_boards=True),
    "mixed": Variant("8-bit integers, the head float32", {"format": "mixed"}, on_boards=True),
    "q8_nearest": Variant("weights of one byte, rounded to nearest",
                          {"format": "q8", "rounding": "nearest"}, broken=True),
    "q8_floor": Variant("weights of one byte, rounded down",
                        {"format": "q8", "rounding": "floor"}, broken=True),
}  # fmt: skip

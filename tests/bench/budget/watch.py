"""The records of q8 tensors in the course of a run: exponents, and shares of clamped values."""

from __future__ import annotations

import struct
from typing import Any

EVERY = 25  # steps


class Watch:
    """Adds up the records of a stage, every so many steps.

    stage: nn.stage.Stage; one without q8 nodes has nothing to tell.
    """

    def __init__(self, stage: Any) -> None:
        self._scales = getattr(stage, "scales", None)
        self._sums: dict[str, list[list[int]]] = {"values": [], "errors": [], "weights": []}

    def step(self, n: int) -> None:
        """Adds the records up after step n."""
        if self._scales is None or n % EVERY:
            return
        for name, window in (
            ("values", self._scales.values),
            ("weights", self._scales.weights),
            ("errors", self._scales.errors),
        ):
            rows = list(struct.iter_unpack("6i", bytes(window)))
            sums = self._sums[name] = self._sums[name] or [[0, 0, 0] for _ in rows]
            for total, (exponent, _, _, saturated, counted, _) in zip(sums, rows):
                total[0] = exponent
                total[1] += saturated
                total[2] += counted

    def told(self) -> dict[str, Any]:
        """{"scales": {"values", "errors", "weights": [[exponent at the end, share of values that
        were clamped]]}}; {} without q8 nodes."""
        if self._scales is None:
            return {}
        rows = {
            name: [[e, round(saturated / max(counted, 1), 6)] for e, saturated, counted in sums]
            for name, sums in self._sums.items()
        }
        return {"scales": rows}

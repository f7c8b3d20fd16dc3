"""The health of q8 tensors in a learning run: clamped values, tensors of zeros, lost scales.

Looked at every few steps, as it takes longer than what it looks at.
"""

from array import array

from ..memory.record import COUNTED, EXPONENT, LARGEST, SATURATED
from ..nn.scales import numbers

_LOST = 4  # exponents that weights may lose in a run: 16 times their size


class Health:
    """The course of a run. stage: nn.stage.Stage, with q8 nodes."""

    def __init__(self, stage):
        self._stage, self._scales = stage, stage.scales
        names = stage.scales.names
        self._first = [self._of(i)[EXPONENT] for i in range(len(names))]
        self._before = list(self._first)
        self._looks = 0
        self._counted = array("f", [0] * len(names))
        self._saturated = array("f", [0] * len(names))
        self._zeros, self._moves = [0] * len(names), [0] * len(names)

    def _of(self, i):
        return numbers(*self._scales.place(i))

    def look(self):
        """None, or (expected, got) in words where weights have lost their scale."""
        self._looks += 1
        problem = None
        for i in range(len(self._first)):
            record = self._of(i)
            self._counted[i] += record[COUNTED]
            self._saturated[i] += record[SATURATED]
            self._zeros[i] += record[COUNTED] > 0 and record[LARGEST] == 0
            self._moves[i] += record[EXPONENT] != self._before[i]
            self._before[i] = record[EXPONENT]
            name = self._scales.names[i]
            if name.startswith("w:") and record[EXPONENT] <= self._first[i] - _LOST:
                grown = 1 << self._first[i] - record[EXPONENT]
                problem = (
                    "weights that keep their size",
                    "those of %s at %d times the scale of the start" % (name[2:], grown),
                )
        return problem

    def facts(self):
        """[{"tensor", "exponent", "saturated", "zero", "moved"}] per tensor: its exponent now, the
        share of its values that was clamped, the shares of looks at which all were zero and at
        which its exponent was another."""
        return [
            {
                "tensor": name,
                "exponent": self._before[i],
                "saturated": self._saturated[i] / max(self._counted[i], 1),
                "zero": self._zeros[i] / self._looks,
                "moved": self._moves[i] / self._looks,
            }
            for i, name in enumerate(self._scales.names)
        ] if self._looks else []

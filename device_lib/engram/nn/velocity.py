"""Momentum of q8 nodes: a velocity of one byte for each weight that learns.

v = m v + g; w = w - r v, with momentum m and rate r, as in float32 (updates.py). A velocity is
int8 with a record of its own; it takes the steps of a mini-batch in the place of the weights, at
the rate 1 and with the sign of -g. After the mini-batch the weights go on by it, and the part
1 - m of it goes; each time it is rounded stochastically. Velocities of biases are int32.
"""

from array import array

from ..errors import ModelError
from ..memory.record import RECORD
from .names import BIASES, VELOCITIES, VELOCITY_RECORDS

_RATES = 8  # place among the arguments of a step


class Velocity:
    """The rows of velocities. program: program.Program. rates: steps.Rates."""

    def __init__(self, program, rates):
        self._program, self._rates = program, rates
        self._carried = []

    def steps(self, rows):
        """Rows of a backward pass whose steps are those of velocities. Raises ModelError."""
        self._carried, out = [], []
        for row in rows:
            group = self._group(row)
            out.append(self._into(row, group) if group else row)
        return out

    def _group(self, row):
        kernel, args, _ = row
        for group, rates in self._rates.clipped.items():
            if kernel.endswith("_step_q8") and args[_RATES] is rates:
                return group
        return None

    def _into(self, row, group):
        kernel, args, takes = row
        w, rest, sw, b = args[:4]
        program, at = self._program, RECORD * len(self._carried)
        if program.chosen:
            raise ModelError(
                "expected whole nodes or biases to learn with the rounding velocity, got chosen "
                "channels; take another rounding"
            )
        program.buffer(VELOCITY_RECORDS, "i32", at + RECORD)
        program.sizes[VELOCITIES] = program.sizes[BIASES]
        record, velocity = (VELOCITY_RECORDS, at, RECORD, 0), (VELOCITIES,) + b[1:]
        self._carried.append([w, sw, rest, record, b, velocity, group])
        return kernel, [rest, bytearray(), record, velocity] + args[4:], takes

    def update(self):
        """Rows after a mini-batch: weights and biases go on, exponents of velocities follow."""
        rows = []
        for *args, group in self._carried:
            rows.append(("carry_q8", args + [self._rates.moves[group], self._rates.drops], ()))
            rows.append(("rescale_q8", [args[2], bytearray(), args[3]], ()))
        return rows + [("clear_q8", [(VELOCITY_RECORDS, 0, None, 0)], ())]

    def start(self):
        """Rows before a learning run: all velocities are 0."""
        none, all = array("i", (0, 0, 0)), array("i", (1, 0, 0))
        return [("carry_q8", args + [none, all], ()) for *args, _ in self._carried]

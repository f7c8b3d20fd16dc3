"""Gradients of q8 nodes that are clipped: the rates of a micro-batch are shifted.

No gradient of a q8 node is kept, so all gradients are computed twice: once for the sum of their
squares, before any weight changes, and once more for the steps. Their rates are shifted right by
the least n with |g| 2**-n <= clip, which bounds the norm |g| of all gradients together, weights
and biases, as clip does in float32 (Pascanu, Mikolov and Bengio, "On the difficulty of training
recurrent neural networks", ICML 2013), and leaves a clipped norm between half of clip and clip.
Each micro-batch takes a step of its own: its gradients get its share of clip.
"""

from array import array

from ..memory.record import EXPONENT, LARGEST, MEASURE, RANDOM, RECORD
from .names import BIASES, CHOSEN, WEIGHTS

_RATES, _SUMS = 8, 2  # places among the arguments of a step: its rates, the record that it writes
_BITS = 15  # of the largest norm
_MOST = 20  # of its exponent, half of that of a record


class Clipping:
    """The rows that clip the steps of a micro-batch.

    rates: steps.Rates, which has the rates that are clipped. limit: the largest norm of the
    gradients of a micro-batch.
    """

    def __init__(self, rates, limit):
        self._rates = rates
        self._total, self._limit = array("i", [0] * RECORD), _squared(limit)
        self._measure = array("i", (0, 0, MEASURE))

    def rows(self, steps):
        """Rows in the place of those of steps: all steps are measured, and then taken. Copies of
        chosen errors and inputs are made before that, those of chosen weights with the steps."""
        rows, taken = [("clear_q8", [self._total], ())], []
        for kernel, args, takes in steps:
            if kernel == "copy_parts_q8":
                (taken if _is_learned(args[0][0]) else rows).append((kernel, args, takes))
                continue
            taken.append((kernel, args, takes))
            args = list(args)
            args[_SUMS], args[_RATES] = self._total, self._measure
            rows.append((kernel, args, takes))
        for group, clipped in self._rates.clipped.items():
            args = [clipped, self._rates.steps[group], self._total, self._limit]
            rows.append(("clip_q8", args, ()))
        return rows + taken


def _is_learned(buffer):
    """Whether a buffer has what learns, where it lies or side by side."""
    return buffer in (WEIGHTS, BIASES) or buffer.startswith(CHOSEN)


def _squared(norm):
    """The record of the square of a norm, rounded down."""
    exponent = 0
    while norm < 1 << _BITS - 1 and exponent < _MOST:
        norm, exponent = 2 * norm, exponent + 1
    while norm >= 1 << _BITS and exponent > -_MOST:
        norm, exponent = norm / 2, exponent - 1
    root = int(min(norm, (1 << _BITS) - 1))
    record = array("i", [0] * RECORD)
    record[EXPONENT], record[LARGEST], record[RANDOM] = 2 * exponent, root * root, 1
    return record

"""The rates of q8 steps, and the rows that go with them: scales follow, weights decay.

A q8 node takes its steps where its gradients are computed (formats/q8.py). A step with momentum m
moves a weight by rate / (1 - m) in the end; so plain steps have that rate.
"""

from array import array

from ..errors import DataError
from ..memory.record import FLOOR, NEAREST, STOCHASTIC
from .names import ERROR_RECORDS, RECORDS

VELOCITY = "velocity"
# How a step is rounded, and whether there is a byte more for each weight that learns: "res8" keeps
# what is lost, "sr" is right on average, and "velocity" has momentum in that byte (velocity.py);
# the others lose steps, and are there to compare with.
ROUNDINGS = {
    "res8": (STOCHASTIC, True),
    "sr": (STOCHASTIC, False),
    VELOCITY: (STOCHASTIC, True),
    "nearest": (NEAREST, False),
    "floor": (FLOOR, False),
}
ROUNDING = "res8"
_MOST_SHIFT = 64


def rounding_of(name):
    """(rounding of memory/record.py, whether there is a byte below) of a name, None: the default.
    Raises DataError."""
    name = name or ROUNDING
    if name not in ROUNDINGS:
        raise DataError(
            "expected a rounding of %s, got %r" % (", ".join(sorted(ROUNDINGS)), name)
        )
    return ROUNDINGS[name]


class Rates:
    """The rates of q8 steps, per group of parameters, as kernels take them.

    .steps, .decays   {group: array('i') of mult, shift, rounding}
    .clipped          of the steps that are taken: those of .steps, or, where gradients are
                      clipped, what clipping.py makes of them in each micro-batch
    .moves, .drops    with velocities, by which steps go at the rate 1: the rates of what moves by
                      them, and array('i') of the part of a velocity that goes, 1 - momentum
    """

    def __init__(self, groups, rounding, momentum, weight_decay, clipping=False):
        code = rounding_of(rounding)[0]
        self._share, self._decay = 1 / (1 - momentum), weight_decay
        self.moves = self.drops = None
        if rounding == VELOCITY:
            self.moves = {group: array("i", (0, 0, code)) for group in groups}
            self.drops = array("i", (0, 0, code))
            _set(self.drops, 1 - momentum)
        self.steps = {group: array("i", (0, 0, code)) for group in groups}
        self.decays = {group: array("i", (0, 0, code)) for group in groups}
        self.clipped = self.steps
        if clipping:
            self.clipped = {group: array("i", (0, 0, code)) for group in groups}

    def set(self, group, rate):
        """Sets a group's learning rate, in units of the optimiser's."""
        if self.moves:
            _set(self.moves[group], rate)
        rate *= self._share
        _set(self.steps[group], rate if not self.moves else 1 if rate else 0)
        _set(self.decays[group], rate * self._decay)


def _set(numbers, rate):
    """numbers[0] * 2**-numbers[1], the former from 64 to 127: the number next to a rate."""
    mult, shift = rate, 0
    while 0 < mult < 63.5 and shift < _MOST_SHIFT:
        mult, shift = 2 * mult, shift + 1
    while mult >= 127.5 and shift > -_MOST_SHIFT:
        mult, shift = mult / 2, shift - 1
    numbers[0], numbers[1] = min(int(mult + 0.5), 127), shift


def begin():
    """Rows before a mini-batch: the records forget what they noted."""
    return [("clear_q8", [(buffer, 0, None, 0)], ()) for buffer in (RECORDS, ERROR_RECORDS)]


def update(integers, group_of, decays, has_rests):
    """Rows after a mini-batch: weights decay, and all scales go with what was noted.

    integers: integers.Integers. group_of: function(name of a node) -> group. decays: {group:
    array('i')}; None: no weight decay. has_rests: whether integers.rests lie below the weights.
    """
    rows = []
    for tensor, name in integers.learned:
        rest = integers.rests.get(tensor) if has_rests else None
        weights = integers.windows[tensor], rest or bytearray()
        own = list(weights) + [integers.record(integers.weights[name])]
        if decays:
            rows.append(("decay_q8", own + [decays[group_of(name)]], ()))
        rows.append(("rescale_q8", own, ()))
    if integers.chosen and decays:
        from .channel_steps import decayed  # few learners need it

        for tensor, chosen in integers.chosen.items():
            rows += decayed(integers, tensor, chosen, decays[group_of(chosen.node["name"])])
    if integers.followed:
        rows.append(("follow_q8", [integers.record(0, integers.followed)], ()))
    return rows + [("follow_q8", [(ERROR_RECORDS, 0, None, 0)], ())]

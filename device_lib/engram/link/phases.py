"""Phases of learning on pins, for a power meter with digital inputs; and the sync pulses.

Three pins carry the number of the phase, the first pin its lowest bit. In a training step one
pin changes at a time, so that no other phase appears between two: replay_read 001, forward 011,
backward 010, update 110.

The learner asks its counter at every change of phase and at no other time. A marker takes the
counter's place, shows the phase that begins, and then asks the counter: a learner that is not
marked does nothing for it.
"""

import time

from ..compat import ticks_diff, ticks_us

CODES = {
    "idle": 0,
    "replay_read": 1,
    "forward": 3,
    "backward": 2,
    "update": 6,
    "receive": 4,
    "flash_write": 7,
    "sync": 5,
}
PINS = 3

STEP = ("replay_read", "forward", "backward", "update", "idle")
OBSERVE = ("flash_write", "receive")  # the frozen stage ran before; more may come afterwards


class PhaseMarker:
    """pins: functions that take 0 or 1 (machine.Pin objects are), PINS of them or none.

    counter: the board's. lamp: the pins show the sync pulses only, as a lamp would draw power in
    some phases and not in others.
    """

    def __init__(self, pins, counter, lamp=False):
        self._all = tuple(pins)
        self._pins = () if lamp else self._all
        self._counter = counter
        self.expect(STEP)
        self.show(CODES["idle"])

    def expect(self, phases):
        """The phases that the next calls of count() begin, round and round."""
        self._codes = tuple([CODES[name] for name in phases])
        self._at = 0

    def steps(self):
        """Training steps come."""
        self.expect(STEP)

    def inference(self):
        """One sample of a frame is taken in; writing it to flash may follow."""
        self.expect(OBSERVE)
        self.show(CODES["forward"])

    def receiving(self):
        """A frame is there and is taken apart."""
        self.show(CODES["receive"])

    def writing(self):
        """The learned state is written to flash."""
        self.show(CODES["flash_write"])

    def rest(self):
        """Nothing is done."""
        self.show(CODES["idle"])

    def count(self):
        """The counter, after the next phase was shown. Allocates nothing."""
        at = self._at
        codes = self._codes
        self.show(codes[at])
        at += 1
        self._at = at if at < len(codes) else 0
        return self._counter()

    def show(self, code):
        """Puts a number on the pins. Allocates nothing."""
        _put(self._pins, code)

    def sync(self, spans_ms):
        """Shows the sync code and idle in turns, each for so many ms.

        Returns the counter at each change, the end included: len(spans_ms) + 1 numbers.
        """
        edges = []
        code = CODES["sync"]
        for ms in spans_ms:
            _put(self._all, code)
            edges.append(self._counter())
            code = CODES["sync"] - code + CODES["idle"]
            start = ticks_us()
            while ticks_diff(ticks_us(), start) < 1000 * ms:
                pass
        _put(self._all, CODES["idle"])
        edges.append(self._counter())
        return edges


    def quiet(self, ms):
        """Does nothing for so many ms; the counter before and after."""
        start = self._counter()
        time.sleep(ms / 1000)
        return [start, self._counter()]


def _put(pins, code):
    for pin in pins:
        pin(code & 1)
        code >>= 1


def outputs(names):
    """machine.Pin objects, as outputs that are low. names: as machine.Pin takes them."""
    from machine import Pin

    return [Pin(name, Pin.OUT, value=0) for name in names]

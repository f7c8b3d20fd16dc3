"""A push button that counts: two presses in a row mean the second state."""

import time

_BOUNCE_MS = 50
_TOGETHER_MS = 700  # presses with shorter pauses belong together


class Button:
    """pin: machine.Pin of a button to ground, as Pin(15, Pin.IN, Pin.PULL_UP)."""

    def __init__(self, pin):
        self._count, self._last = 0, time.ticks_ms()
        pin.irq(self._pressed, pin.IRQ_FALLING)

    def _pressed(self, pin):
        now = time.ticks_ms()
        if time.ticks_diff(now, self._last) > _BOUNCE_MS:
            self._count += 1
            self._last = now

    def presses(self):
        """How often it was pressed in a row; 0 where it was not, or where more may come."""
        if time.ticks_diff(time.ticks_ms(), self._last) < _TOGETHER_MS:
            return 0
        count, self._count = self._count, 0
        return count

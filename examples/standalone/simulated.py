"""A fan, the sensor on it and somebody's hand on the button, simulated: for boards without them.

make_model.py takes its training windows from here too. Seeded: every run is the same.
"""

from math import pi, sin

import features

STATES = ("off", "steady", "unbalanced", "blocked")
RATE_HZ = 50
# State -> amplitude in g, turns a second, noise in g.
_SIGNALS = ((0.0, 0.0, 0.004), (0.05, 12.0, 0.01), (0.3, 11.0, 0.02), (0.2, 2.5, 0.06))
# How the sensor is mounted: gain of each axis, gravity on it in g, noise of what stands beside it.
DESK = ((1.0, 0.8, 0.3), (0.0, 0.0, 1.0), 0.0)
FIELD = ((0.1, 0.5, 0.3), (0.7, 0.0, -0.7), 0.012)

ROUND = 4  # windows of a state before the next one comes
BEFORE = 2 * ROUND * len(STATES)  # windows until the hand teaches
TAUGHT = 8  # windows of each state while it does


def signal(window, state, random, mounting):
    """Fills a window with the vibration of a state. random: function, uniform from 0 to 1."""
    amplitude, turns, noise = _SIGNALS[state]
    amplitude *= 0.8 + 0.4 * random()
    turns *= 0.9 + 0.2 * random()
    phase = 2 * pi * random()
    gains, gravity, around = mounting
    noise += around
    for i in range(features.SAMPLES):
        angle = 2 * pi * turns * i / RATE_HZ + phase
        for axis in range(features.AXES):
            swing = sin(angle + axis) + 0.3 * sin(2 * angle)
            g = gains[axis] * amplitude * swing + noise * (random() + random() - 1)
            window[features.AXES * i + axis] = gravity[axis] + g


class Random:
    """Numbers from 0 to 1 that are the same everywhere. seed: 1 to 65536."""

    def __init__(self, seed):
        self._state = seed

    def __call__(self):
        self._state = 75 * self._state % 65537
        return self._state / 65537


def state_at(n):
    """(state, presses of the button) of window n of the simulated world.

    First the states come in turn, then the hand teaches each of them, then they come in turn for
    ever.
    """
    lesson = n - BEFORE
    if 0 <= lesson < TAUGHT * len(STATES):
        state = lesson // TAUGHT
        return state, 0 if lesson % TAUGHT else state + 1
    return n // ROUND % len(STATES), 0


class World:
    """Sensor and button of the simulated fan, as sensor.py and button.py have them.

    clock: path of a file with the number of the next window: the world goes on while the board has
    no power, and so must this one.
    """

    def __init__(self, clock="world.txt"):
        self._clock, self._n, self._presses, self.truth = clock, 0, 0, None
        try:
            with open(clock) as file:
                self._n = int(file.read() or 0)
        except OSError:
            pass

    def fill(self, window):
        state, self._presses = state_at(self._n)
        signal(window, state, Random(self._n % 65535 + 1), FIELD)
        self.truth = STATES[state]
        self._n += 1
        with open(self._clock, "w") as file:
            file.write(str(self._n))

    def presses(self):
        """How often the button was pressed while the last window was measured."""
        return self._presses

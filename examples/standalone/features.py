"""Nine features of a window of acceleration: three an axis, on the board and on the computer."""

from array import array
from math import log10, sqrt

AXES = 3
SAMPLES = 64  # of an axis in a window
PER_AXIS = 3
FEATURES = AXES * PER_AXIS
_LEAST_G = 0.001  # what is below it counts as noise of the sensor


def window():
    """A buffer for a window: float32, x y z x y z ..., in g."""
    return array("f", [0.0] * (AXES * SAMPLES))


def of(window, out=None):
    """Features of a window, float32 (FEATURES): of each axis the standard deviation, the mean
    step from sample to sample and the largest deviation from the mean, as logarithms of g.

    out: a buffer to write them into; None makes one. The mean itself is left out: it is gravity,
    and tells how the sensor is mounted.
    """
    out = out or array("f", [0.0] * FEATURES)
    for axis in range(AXES):
        mean = 0.0
        for i in range(axis, len(window), AXES):
            mean += window[i]
        mean /= SAMPLES
        squares = steps = largest = 0.0
        before = window[axis]
        for i in range(axis, len(window), AXES):
            deviation = window[i] - mean
            squares += deviation * deviation
            steps += abs(window[i] - before)
            largest = max(largest, abs(deviation))
            before = window[i]
        at = axis * PER_AXIS
        out[at] = _level(sqrt(squares / SAMPLES))
        out[at + 1] = _level(steps / (SAMPLES - 1))
        out[at + 2] = _level(largest)
    return out


def _level(g):
    """0.001 g is -1, 0.1 g is 1."""
    return log10(g + _LEAST_G) + 2

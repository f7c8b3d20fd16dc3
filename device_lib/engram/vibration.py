"""The front end "vibration": windows of an accelerometer as features. Few programs need it.

from engram.vibration import Vibration
front = Vibration(samples=64, axes=3)
learner.observe(front.features(window))
"""

from array import array

from .backend import kernels
from .errors import DataError


class Vibration:
    """Makes features of windows of `samples` (8 to 32768) of `axes` (1 to 6).

    floor: the noise of the sensor in the unit of the samples, 1e-6 to 1e6; what is below it counts
    little. By default samples are in g, and it is 1 mg; of samples in steps of the sensor it is 1.

    .count      features of a window: 6 an axis and 1 a pair of axes, as the kernel
                vibration_features has them
    .name       as a model file names this front end: of() takes it
    """

    def __init__(self, samples=64, axes=3, floor=0.001):
        if not (8 <= samples <= 32768 and 1 <= axes <= 6):
            raise DataError(
                "expected windows of 8 to 32768 samples of 1 to 6 axes, got %s of %s"
                % (samples, axes)
            )
        if not hasattr(kernels, "vibration_features"):
            raise DataError(
                "expected kernels with the front end of vibration, got some without it; "
                "`engram install --kernels all`"
            )
        self.samples, self.axes = samples, axes
        self._floor = array("f", (floor,))
        self.count = 6 * axes + axes * (axes - 1) // 2
        self.name = "vibration:%dx%d:%g" % (samples, axes, floor)
        self._window = array("f", bytes(4 * samples * axes))
        self._out = array("f", bytes(4 * self.count))
        self.features(self._window)  # a wrong floor is refused here

    def features(self, window):
        """The features of a window: float32 array (count), which the next call writes again.

        window: samples * axes numbers, those of one sample side by side, or `samples` sequences of
        a number per axis; an array('f') is not copied. Raises DataError where it has another size.
        """
        kernels.vibration_features(
            self._out, self._flat(window), self._floor, self.samples, self.axes
        )
        return self._out

    def _flat(self, window):
        """A window as float32 numbers."""
        own, axes = self._window, self.axes
        if len(window) == len(own):
            if isinstance(window, (array, memoryview)) and isinstance(window[0], float):
                return window
            for i in range(len(own)):
                own[i] = window[i]
        elif len(window) == self.samples and all([len(row) == axes for row in window]):
            for i in range(len(own)):
                own[i] = window[i // axes][i % axes]
        else:
            raise DataError(
                "expected a window of %d samples of %d axes, got %d numbers or rows of another "
                "length" % (self.samples, axes, len(window))
            )
        return own


def of(name):
    """The front end that a model names: of(learner.front_end), as "vibration:64x3:0.001". Raises
    DataError.
    """
    try:
        kind, size, floor = name.split(":")
        samples, axes = size.split("x")
        front = Vibration(int(samples), int(axes), float(floor))
        if kind == "vibration":
            return front
    except ValueError:  # other parts, or no numbers
        pass
    raise DataError(
        "expected the name of a front end as vibration:64x3:0.001 (samples x axes, floor), got %s"
        % (name or "none")
    )

"""Samples and answers as a program gives them: what a model can take of them."""

from array import array

from ..backend import kernels
from ..compat import flat
from ..errors import DataError
from .numbers import NO_CLASS


class Inputs:
    """Checks against a model. spec: nn.model.ModelSpec. tells_classes: whether it has a head.

    .elems, .dtype      of an input
    .quantization       of it: array('f') [scale, zero_point]
    .classes, .targets  room in the head; float32 values of a target
    .features           None, or a function that makes inputs of what users give
    """

    def __init__(self, spec, tells_classes):
        self.elems, self.dtype = spec.input_elems, spec.graph["input"]["dtype"]
        self.quantization = spec.quantization("input")
        self.classes, self.targets = spec.classes, spec.targets
        self._tells_classes, self._unlabelled = tells_classes, spec.unlabelled
        self._floats, self.features = self.dtype == "float32", None

    def check(self, x):
        """An input as the kernels take it: a flat buffer. Raises DataError where x is none."""
        wrong = None
        if self.features is not None:
            x = self.features(x)
        x = flat(x, self.dtype, self.elems)
        try:
            if len(x) != self.elems:
                wrong = "%d" % len(x)
            elif isinstance(x[0], float) != self._floats:
                wrong = "a buffer of another type (%s)" % type(x).__name__
            elif self._floats and kernels.check_finite(x):
                wrong = "one with NaN or infinity"
        except TypeError:
            wrong = "a %s" % type(x).__name__
        if wrong:
            raise DataError("expected an input of %d %s, got %s" % (self.elems, self.dtype, wrong))
        return x

    def expected(self, y):
        """(label, target) that an answer `y` means: NO_CLASS, None for what the model has not, and
        for None, of a sample without an answer.

        y: a label (int) where the model tells classes apart, else the values of a target; (label,
        values) where it does both; one value may be a number. Raises DataError.
        """
        label, target = y, None
        if y is None and self._unlabelled:
            return NO_CLASS, None
        if not self.targets and not self._tells_classes:
            raise DataError(
                "expected a sample without an answer, as the model has no output that learns one, "
                "got %r" % (y,)
            )
        if self.targets:
            label, target = y if self._tells_classes else (NO_CLASS, y)
            target = self._target([target] if isinstance(target, (int, float)) else target)
        if self._tells_classes:
            label = self._label(label)
        return label, target

    def _label(self, label):
        number = label
        if not isinstance(number, int):
            try:
                number = number.__index__()  # of numpy, say
            except (AttributeError, TypeError):
                number = -1
        if not 0 <= number < self.classes:
            room = "; open the model with classes=%d for a new class" % (number + 1)
            raise DataError(
                "expected a label from 0 to %d, got %r%s"
                % (self.classes - 1, label, room if self.classes <= number < NO_CLASS else "")
            )
        return number

    def _target(self, target):
        try:
            values = array("f", target)
        except TypeError:
            raise DataError("expected a target of %d numbers, got %r" % (self.targets, target))
        if len(values) != self.targets or kernels.check_finite(values):
            raise DataError(
                "expected a target of %d finite numbers, got %r" % (self.targets, list(values))
            )
        return values

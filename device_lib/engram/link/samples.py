"""A stream of samples that a host sends: taken apart, and given to the open learner.

wire.py says what a sample consists of.
"""

from array import array

from ..compat import bytes_of, ticks_diff
from ..continual.numbers import NO_CLASS
from ..errors import CommandError
from . import wire


class SampleStream:
    """One stream of samples; a sample may be spread over several frames.

    device: calls.Device with an open learner. sink: of wire, OBSERVE and the like. Room for
    one sample is allocated here. raw: inputs come as windows for the model's front end.

    .sample_bytes   of a sample on the line

    Raises DataError where a model has no front end that boards have.
    """

    def __init__(self, device, sink, raw=False):
        self._device, self._learner, self._sink = device, device.learner, sink
        learner = self._learner
        self._label = bytearray(1)
        self._front = None
        if raw:
            from ..vibration import of

            self._front = front = of(learner.front_end)
            self._x = array("f", range(front.samples * front.axes))
            x = bytes_of(self._x)
        elif learner.input_dtype == "float32":
            self._x = array("f", range(learner.input_elems))
            x = bytes_of(self._x)
        else:
            self._x = x = bytearray(learner.input_elems)
        self._target = array("f", range(learner.targets))
        parts = [x] if sink in _INPUTS else [self._label, x]
        if learner.targets and sink not in _INPUTS:
            parts.append(bytes_of(self._target))
        self._parts = [memoryview(part) for part in parts]
        self.sample_bytes = sum([len(part) for part in parts])
        self._at = self._part = self._fill = 0  # byte of the stream, part of a sample, byte of it
        self._n = self._units = self._frame_units = self._write_units = 0
        self._before = learner.stored
        self._take = _SINKS[sink]
        self._scores = None
        if sink == wire.EVALUATE:
            from ..continual.evaluation import Scores

            self._scores = Scores(learner)

    def take(self, sink, offset, data):
        """Takes the next bytes of the stream.

        Returns {"n": samples so far, "right": correct ones, "stored": those that the policy let
        in, "units": counter units spent on them, "receive": units spent on their frames,
        "flash_write": units of "units" spent on writing, "out": predictions of the samples that
        this call completed; of samples to evaluate the labels, and none where the model
        has no classes}. Of samples to watch also "ready": whether adapt_begin has enough to
        learn. While phases are marked there is "marks" too: for each of these
        samples the counter when its frame was there, the counter when its inference began, the
        units that took, the units that writing took. Raises CommandError on bytes of another
        place or stream.
        """
        if sink != self._sink or offset != self._at:
            raise CommandError(
                "expected byte %d of stream %d, got byte %d of stream %d; "
                "begin the stream of samples again" % (self._at, self._sink, offset, sink)
            )
        device, out, marks, at = self._device, [], [], 0
        counter, before = device.board.counter, self._units
        start = counter()
        while at < len(data):
            part = self._parts[self._part]
            n = min(len(part) - self._fill, len(data) - at)
            part[self._fill : self._fill + n] = data[at : at + n]
            self._fill += n
            at += n
            if self._fill == len(part):
                self._fill = 0
                self._part += 1
            if self._part == len(self._parts):
                self._part = 0
                self._complete(counter, out, marks)
        self._at += len(data)
        self._frame_units += device.decoding
        self._frame_units += ticks_diff(counter(), start) - (self._units - before)
        result = {
            "n": self._n,
            "right": 0 if self._scores is None else self._scores.result().get("correct", 0),
            "stored": self._learner.stored - self._before,
            "units": self._units,
            "receive": self._frame_units,
            "flash_write": self._write_units,
            "out": out,
        }
        if sink == wire.WATCH:
            result["ready"] = device.need_watch().ready
        if marks:
            result["marks"] = marks
        return result

    def result(self):
        """The scores of the samples so far, as Learner.evaluating() yields them."""
        if self._scores is None:
            raise CommandError("expected a stream of samples to evaluate, got one of another kind")
        return self._scores.result()

    def _complete(self, counter, out, marks):
        """A sample is whole."""
        device = self._device
        if device.marker:
            device.marker.inference()
        start = counter()
        self._take(self, out)
        units = ticks_diff(counter(), start)
        self._units += units
        self._n += 1
        if self._sink == wire.OBSERVE:
            write = self._learner.write_units
            self._write_units += write
            if device.marker:
                marks.append((device.arrival, start, units - write, write))
        device.beat()

    def _input(self):
        """The input of the sample, as the model takes it."""
        return self._front.features(self._x) if self._front else self._x

    def _y(self):
        """The label, the target or both of the sample, as Learner.expected() takes them."""
        label = self._label[0]
        if not self._learner.targets:
            return None if label == NO_CLASS else label
        return (label, self._target) if self._learner.head_name else self._target

    def _observe(self, out):
        self._learner.observe(self._input(), self._y())

    def _evaluate(self, out):
        learner = self._learner
        expected = learner.inputs.expected(self._y())
        answer = learner.predict(self._input())
        if learner.stage.variational:
            self._scores.add_losses(learner)
        self._scores.add(learner.stage.single, 0, 1, expected)
        if learner.head_name:
            out.append((answer if isinstance(answer, tuple) else answer[learner.head_name])[0])

    def _predict(self, out):
        out.append(self._learner.predict(self._input()))

    def _watch(self, out):
        reading = self._device.need_watch().feed(self._input())
        known = reading.state != "unknown"  # JSON has no NaN
        out.append((reading.score if known else None, reading.mean, reading.state))


_INPUTS = (wire.PREDICT, wire.WATCH)  # samples are inputs alone
_SINKS = {
    wire.OBSERVE: SampleStream._observe,
    wire.EVALUATE: SampleStream._evaluate,
    wire.PREDICT: SampleStream._predict,
    wire.WATCH: SampleStream._watch,
}

"""The losses of a model's outputs, as rows between forward and backward pass."""

from array import array

from .names import KNOWN, TARGETS, gradient
from .objectives import load


class Losses:
    """The losses of a program's outputs.

    .stats     {name of an output: array('f')}: sum of the losses of samples, then what else the
               loss kernel counts
    .parts     {name of an output that regresses: (first value in a target, values)}
    .targets   float32 values of a target, of all outputs that regress
    """

    def __init__(self, program):
        self._program = program
        self.stats, self.parts, self.targets = {}, {}, 0
        for output in program.graph.outputs:
            name, objective = output["node"], load(output["objective"])
            self.stats[name] = array("f", [0] * objective.STATS)
            if objective.EXPECTED == TARGETS:
                n = program.values[name][1]
                self.parts[name] = (self.targets, n)
                self.targets += n

    def rows(self, batch, share=1):
        """Rows from the outputs of a batch to the gradients by them, and to .stats.

        share: of the gradient of a mini-batch that this batch brings.
        """
        rows = []
        for output in self._program.graph.outputs:
            rows += self._rows(output, batch, output["weight"] * share)
        return rows

    def clear(self):
        """Rows that set .stats to zero, before a mini-batch."""
        return [("zero_f32", [stats], ()) for stats in self.stats.values()]

    def answers(self):
        """Rows from the outputs of one sample to what predict() answers."""
        rows = []
        for output in self._program.graph.outputs:
            name = output["node"]
            out = self._program.window(name, name, 1)
            rows += load(output["objective"]).answer(out, self._size(name))
        return rows

    def _size(self, name):
        return KNOWN if name == self._program.head else self._program.values[name][1]

    def _rows(self, output, batch, scale):
        program, name, rows = self._program, output["node"], []
        objective = load(output["objective"])
        out = program.window(name, name, batch)
        whole = program.window(gradient(name), name, batch)
        stats = array("f", self.stats[name])
        expected = (objective.EXPECTED, 0, batch, 0)
        if objective.EXPECTED == TARGETS:
            rows, expected = self._target(name, batch)
        n = self._size(name)
        rows += objective.loss(whole, stats, out, expected, batch, n)
        rows.append(("axpy_f32", [self.stats[name], stats, array("f", (1,))], ()))
        if scale != 1:
            rows.append(("scale_f32", [whole, whole, array("f", (scale,))], ()))
        return rows

    def _target(self, name, batch):
        """(rows, window): an output's part of the targets of a batch, in one piece."""
        at, n = self.parts[name]
        if n == self.targets:
            return [], (TARGETS, 0, batch * n, 0)
        part = self._program.buffer("goal:" + name, "f32", batch * n)
        whole = (TARGETS, 0, batch * self.targets, 0)
        return [("copy_channels", [part, whole, batch, n, self.targets, 0, at, n], ())], part

"""The losses of a model's outputs, as rows between forward and backward pass."""

from array import array

from .names import KNOWN, LABELS, LATENT, TARGETS, gradient
from .objectives import load


class Losses:
    """The losses of a program's outputs.

    .stats     {name of an output: array('f')}: sum of the losses of samples, then what else the
               loss kernel counts
    .warming   {name of an output: array('f') of the share of its weight that counts now}, of those
               whose weight grows in the first steps
    .alone     {name of an output that needs no answer: array('f')}: the same of one sample
    .parts     {name of an output that regresses: (first value in a target, values)}
    .targets   float32 values of a target, of all outputs that regress
    """

    def __init__(self, program):
        self._program = program
        self.stats, self.warming, self.parts, self.targets = {}, {}, {}, 0
        self.alone = {}
        for output in program.graph.outputs:
            name, objective = output["node"], load(output["objective"])
            n = program.values[name][1]
            self.stats[name] = array("f", [0] * objective.stats(n))
            if objective.EXPECTED in (None, "latent"):
                self.alone[name] = array("f", self.stats[name])
            if output.get("warm_up"):
                self.warming[name] = array("f", (0,))
            if objective.EXPECTED == TARGETS:
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

    def of_one(self):
        """Rows from the outputs of one sample to .alone."""
        program, rows = self._program, []
        for output in program.graph.outputs:
            name = output["node"]
            if name in self.alone:
                whole, out = program.window(gradient(name), name, 1), program.window(name, name, 1)
                more, expected = self._expected(name, 1)
                objective = load(output["objective"])
                rows += more + objective.loss(
                    whole, self.alone[name], out, expected, 1, self._size(name)
                )
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
        program, name = self._program, output["node"]
        objective = load(output["objective"])
        out = program.window(name, name, batch)
        whole = program.window(gradient(name), name, batch)
        stats = array("f", self.stats[name])
        rows, expected = self._expected(name, batch)
        rows += objective.loss(whole, stats, out, expected, batch, self._size(name))
        rows.append(("axpy_f32", [self.stats[name], stats, array("f", (1,))], ()))
        if scale != 1:
            rows.append(("scale_f32", [whole, whole, array("f", (scale,))], ()))
        if name in self.warming:
            rows.append(("scale_f32", [whole, whole, self.warming[name]], ()))
        return rows

    def _expected(self, name, batch):
        """(rows, window): what is expected of an output, and the rows that make it."""
        for output in self._program.graph.outputs:
            if output["node"] == name and load(output["objective"]).EXPECTED:
                return _EXPECTED[load(output["objective"]).EXPECTED](self, name, batch)
        return [], None

    def _labels(self, name, batch):
        return [], (LABELS, 0, batch, 0)

    def _target(self, name, batch):
        """(rows, window): an output's part of the targets of a batch, in one piece."""
        at, n = self.parts[name]
        if n == self.targets:
            return [], (TARGETS, 0, batch * n, 0)
        part = self._program.buffer("goal:" + name, "f32", batch * n)
        whole = (TARGETS, 0, batch * self.targets, 0)
        return [("copy_channels", [part, whole, batch, n, self.targets, 0, at, n], ())], part

    def _latents(self, name, batch):
        """(rows, window): the latents of a batch in float32."""
        program = self._program
        latents = program.window(LATENT, LATENT, batch)
        if program.values[LATENT][0] == "f32":
            return [], latents
        part = program.buffer("goal:" + name, "f32", latents[2])
        record = program.integers.record(program.integers.values[LATENT])
        return [("dequantize_q8", [part, latents, record], ())], part


_EXPECTED = {LABELS: Losses._labels, TARGETS: Losses._target, "latent": Losses._latents}

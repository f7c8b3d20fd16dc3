"""Partial backward passes: what each sample pays for.

keep: of each layer a sample's backward pass has the structures (filters of a convolution, channels
of a depthwise one, rows of a dense layer) with the largest sums of errors, and of N structures

    k = max(floor((least + e / e_max (most - least)) N), 1)

with e the sample's mean error in the layer and e_max the largest so far: Deutel, Hannig, Mutschler
and Teich, "On-Device Training of Fully Quantized Deep Neural Networks on Cortex-M
Microcontrollers" (IEEE TCAD 2024), dynamic sparse gradient updates, as in equation 7 of their
paper on auto-encoders (MCSoC 2025).
The errors of the others count as 0: in the gradients of the layer and in those below. Structures
whose errors are 0 are never in it. The layers nearest to the outputs keep all. In float32 kernels
go by lists of structures; in q8 the errors of the others become 0, and kernels leave out zeros.

skip: a sample has no backward pass where its error at the output, the sum of the sizes of the
gradients there, lies below a quantile of those so far. With cross-entropy that error is
2 (1 - p) for a probability p of its class, so the samples with the smallest loss are skipped.
"""

from array import array

from ..errors import DataError
from . import formats
from .geometry import elems
from .names import KNOWN, LISTS, gradient

ALL = (1, 1)  # shares that keep everything with an error
_RATE = 1 / 32  # of the quantile's steps, in units of the mean error
_KEEP_STATE, _SKIP_STATE = 2, 3  # floats, as the kernels have them


def shares(keep):
    """(least, most) of keep: a share, a pair of shares, or None. Raises DataError."""
    if keep is None:
        return None
    pair = tuple(keep) if isinstance(keep, (tuple, list)) else (keep, keep)
    if len(pair) != 2 or not all([_is_share(v) for v in pair]) or not 0 < pair[1] >= pair[0]:
        raise DataError(
            "expected a share of structures to keep (keep) above 0 and at most 1, or the least "
            "and the most, got %r" % (keep,)
        )
    return pair


def skipped(skip):
    """skip as a share, 0 for None. Raises DataError."""
    if skip is None:
        return 0
    if not _is_share(skip) or skip >= 1:
        raise DataError(
            "expected a share of samples to skip (skip) from 0 to below 1, got %r" % (skip,)
        )
    return skip


def _is_share(value):
    return isinstance(value, (int, float)) and 0 <= value <= 1 and value is not True


def choosable(graph, learns, heads):
    """Names of the nodes of which a backward pass to what learns can keep some structures."""
    nodes = graph.adaptive
    first = min([i for i, node in enumerate(nodes) if node["name"] in learns])
    return [
        node["name"]
        for node in nodes[first:]
        if node["name"] not in heads and formats.load(node["format"]).some(node["op"])
    ]


class Partial:
    """The rows of a program's partial backward passes.

    facts: [least and most, or None; share of samples to skip]. heads: nodes that keep all.

    .states   {node, or output: array('f')}: what the kernels keep from step to step
    """

    def __init__(self, facts, heads):
        self._keep, self._skip = facts
        self._heads = heads
        self.states = {}

    def start(self):
        """Rows that forget what was seen, at the start of a learning run."""
        return [("zero_f32", [state], ()) for state in self.states.values()]

    def skipping(self, program, batch):
        """Rows that set the gradients of samples to 0 that are skipped."""
        rows = []
        for output in program.graph.outputs if self._skip else ():
            name = output["node"]
            n = KNOWN if name == program.head else program.values[name][1]
            errors = program.window(gradient(name), name, batch)
            sums = program.buffer("sums:" + errors[0], "f32", batch)
            hyper = array("f", (self._skip, _RATE))
            rows.append(("sum_errors", [sums, errors, batch, n, 1], ()))
            state = self._state(errors[0], _SKIP_STATE)
            rows.append(("skip_smallest", [errors, state, sums, hyper, batch, n], ()))
        return rows

    def listing(self, program, node, errors, batch):
        """(rows, window): those that list a node's structures, sample by sample, from the window
        of its errors, and the lists; ([], None) where it keeps all."""
        name = node["name"]
        chosen = self._keep if name not in self._heads else None
        if not formats.load(node["format"]).some(node["op"]) or not (chosen or self._skip):
            return [], None
        if name in program.chosen and program.chosen[name].outputs:
            return [], None
        n = structures = node["out"][-1]
        per_class = 0
        if name == program.head:
            n, per_class = KNOWN, batch
        sums = program.buffer("sums:" + name, "f32", batch * structures, per_class)
        kept = program.buffer(LISTS + name, "i32", batch * structures, per_class)
        positions = elems(node["out"]) // structures
        limits = array("f", chosen or ALL)
        state = self._state(name, _KEEP_STATE)
        return [
            ("sum_errors", [sums, errors, batch, positions, n], ()),
            ("keep_largest", [kept, state, sums, limits, batch, n], ()),
        ], kept

    def zeroes(self, program, node):
        """Whether a q8 node has rows that keep some of its structures. Samples that are skipped
        need none: their errors are 0."""
        name, some = node["name"], formats.load(node["format"]).some(node["op"])
        if name in program.chosen and program.chosen[name].outputs:
            return False
        return bool(some and self._keep and name not in self._heads)

    def zeroing(self, program, node, windows, record, batch):
        """Rows that make errors of errors, 0 but in the structures that each sample keeps.

        windows: those with zeros, and all. record: of both
        """
        name, n = node["name"], node["out"][-1]
        scratch = [program.buffer(prefix + name, "i32", n) for prefix in ("sums:", LISTS)]
        args = windows[:1] + [self._state(name, _KEEP_STATE)] + scratch + windows[1:]
        args += [record, array("f", self._keep), batch, elems(node["out"]) // n, n]
        return [("keep_largest_q8", args, ((0, 4),))]

    def share(self, node):
        """The largest share of a node's backward pass that is computed, on average of samples."""
        kept, some = 1, formats.load(node["format"]).some(node["op"])
        if self._keep and some and node["name"] not in self._heads:
            n = node["out"][-1]
            kept = max(int(self._keep[1] * n + 0.001), 1) / n
        return kept * (1 - self._skip)

    def _state(self, name, n):
        return self.states.setdefault(name, array("f", [0] * n))

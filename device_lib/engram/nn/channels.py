"""Chosen channels of a layer: the part of its weights that learns, and what that part reads.

A choice is the text that scope.py finds, `in:0-7+12;out:0-3`: input channels, output channels, or
both; all where one is not named. Of the activations of the forward pass only the chosen channels
stay until the backward pass, and gradients, velocities and updates are of the chosen elements
alone. The gradient of the input is whole. Fixed channel sets are those of Lin et al., "On-Device
Training Under 256KB Memory" (NeurIPS 2022), and of Paissan et al., "Structured Sparse
Back-propagation for Lightweight On-Device Continual Learning on Microcontroller Units" (CVPR
workshops 2024).
"""

from array import array

from .geometry import elems
from .ops import OPS, bias


def ranges(numbers):
    """[(first, how many)] of numbers in rising order."""
    out = []
    for n in numbers:
        if out and sum(out[-1]) == n:
            out[-1] = (out[-1][0], out[-1][1] + 1)
        else:
            out.append((n, 1))
    return out


def text_of(side, parts):
    """The text of the ranges of a side, "in" or "out"."""
    return side + ":" + "+".join([
        "%d-%d" % (first, first + n - 1) if n > 1 else str(first) for first, n in parts
    ])


def axes(node):
    """{"in", "out": (axis of the weights, channels)} of a node that has weights.

    A depthwise layer and a scale have one axis, which is both.
    """
    words = OPS[node["op"]][1].split()
    letters = words[0].split(":")[1].split(",")
    out = letters.index(words[-1].split(":")[1])
    other = len(letters) - 1 - out if out in (0, len(letters) - 1) else out
    if len(letters) == 1 or letters[other] in "RS":
        other = out
    shape = shape_of(node)
    return {"in": (other, shape[other]), "out": (out, shape[out])}


def shape_of(node):
    """The shape of a node's weights."""
    from .ops import tensors

    return tensors(node)[0][1]


def largest(node, axis, weights, share):
    """The numbers of the channels along an axis whose weights have the largest L2 norms, of equal
    ones the first, in rising order; one at least."""
    shape = shape_of(node)
    inner, count = elems(shape[axis + 1 :]), shape[axis]
    sums = [0.0] * count
    for i in range(len(weights)):
        sums[i // inner % count] += weights[i] * weights[i]
    order = sorted([(-sums[c], c) for c in range(count)])
    return sorted([c for _, c in order[: max(int(share * count + 0.001), 1)]])


class Chosen:
    """The chosen channels of a node, from a text.

    .inputs, .outputs   ranges [(first, how many)], or None for all
    .node      a node of the same name and op that has the chosen channels alone
    """

    def __init__(self, node, text):
        sides = {"in": None, "out": None}
        for part in text.split(";"):
            side, numbers = part.split(":")
            sides[side] = [_range(word) for word in numbers.split("+")]
        self._axes = axes(node)
        if self._axes["in"][0] == self._axes["out"][0]:
            sides["in"] = sides["out"] = sides["in"] or sides["out"]
        self.inputs, self.outputs = sides["in"], sides["out"]
        self._shape = shape_of(node)
        self.node = self._smaller(node)

    def _smaller(self, node):
        small, out = dict(node), list(node["out"])
        shape = list(node["shapes"][0])
        if self.inputs:
            count = _count(self.inputs)
            shape = [count] if node["op"] == "dense" else shape[:-1] + [count]
        if self.outputs:
            out[-1] = _count(self.outputs)
        small["shapes"], small["out"] = [shape], out
        return small

    def channels(self, side):
        """How many channels there are on a side, "in" or "out", chosen or not."""
        return self._axes[side][1]

    def copies(self, side, target, source, rows, kind):
        """Rows that put the chosen channels of a side of `source` (rows, channels) side by side
        into `target`: windows of a kind, "f32" or "i8"."""
        parts = self.inputs if side == "in" else self.outputs
        channels, small = self.channels(side), _count(parts)
        if kind == "i8":
            places = _pieces(parts, channels)
            return [("copy_parts_q8", [target, source, places, rows, small, channels], ())]
        return [
            ("copy_channels", [target, source, rows, small, channels, to, at, n], ())
            for at, to, n in _placed(parts, channels)
        ]

    def shape(self, key, shape):
        """The shape of what learns of a tensor."""
        if key == bias(self.node["op"]):
            return (_count(self.outputs),) if self.outputs else shape
        shape = list(shape)
        for side, parts in (("in", self.inputs), ("out", self.outputs)):
            if parts:
                shape[self._axes[side][0]] = _count(parts)
        return tuple(shape)

    def parts(self, key, first, own):
        """The places of what learns of a tensor, whose first element is `first` in the parameters
        and `own` in the gradients: (pieces, copies), one of them empty.

        pieces: [(first in parameters, first in gradients, elements)]. copies, where there would be
        many pieces: [(first in parameters, elements there, first in what learns, elements there,
        and of copy_channels P, M, N, to, at, C)].
        """
        if key == bias(self.node["op"]):
            whole = self._axes["out"][1]
            return [(first + at, own + to, n) for at, to, n in _placed(self.outputs, whole)], []
        along, last, inner = self._along(), self._shape[-1], elems(self._shape[1:])
        rows = _placed(along[0], self._shape[0])
        if not along[1]:
            return [(first + at * inner, own + to * inner, n * inner) for at, to, n in rows], []
        small = _count(along[1])
        if len(self._shape) == 1:
            rows, inner = [(0, 0, 1)], last
            return [(first + at, own + to, n) for at, to, n in _placed(along[1], last)], []
        row, copies = inner // last * small, []
        for at, to, n in rows:
            for channel, place, count in _placed(along[1], last):
                copies.append((
                    first + at * inner, n * inner, to * row, n * row,
                    n * (inner // last), small, last, place, channel, count,
                ))
        return [], copies

    def pieces(self, key):
        """The places of what learns of a tensor, as copy_parts_q8 takes them: [(first element,
        elements, first in what learns, elements there, P, M, N, parts)]; [] where all of it does.
        """
        if key == bias(self.node["op"]):
            if not self.outputs:
                return []
            (_, whole), (first, last) = self._axes["out"], (self.outputs, None)
            inner = 1
        else:
            (first, last), inner, whole = self._along(), elems(self._shape[1:]), self._shape[0]
            if len(self._shape) == 1:
                first, last = last, None
        if not last:
            n, small = inner * whole, inner * _count(first)
            return [(0, n, 0, small, 1, small, n, _pieces(first, whole, inner))]
        width, small = self._shape[-1], _count(last)
        per_row, parts = inner // width, _pieces(last, width)
        row = per_row * small
        return [
            (at * inner, n * inner, to * row, n * row, n * per_row, small, width, parts)
            for at, to, n in _placed(first, whole)
        ]

    def marks(self):
        """(elements per entry of the first axis, length of the last axis, and along both axes
        bytes with a 1 where the weights learn)."""
        first, last = self._along()
        return (elems(self._shape[1:]), self._shape[-1], _marks(first, self._shape[0]),
                _marks(last, self._shape[-1]))

    def _along(self):
        """Ranges along the first and the last axis of the weights; None: all."""
        found = [None, None]
        for side, parts in (("in", self.inputs), ("out", self.outputs)):
            axis = self._axes[side][0]
            if axis == len(self._shape) - 1:
                found[1] = parts
            elif axis == 0:
                found[0] = parts
        return found


def chosen_of(graph, learns):
    """{node: Chosen} of the nodes of which chosen channels learn; learns as scope.py has it."""
    return {
        node["name"]: Chosen(node, learns[node["name"]])
        for node in graph.adaptive
        if ":" in learns.get(node["name"], "")
    }


def _placed(parts, whole):
    """[(first, place among the chosen ones, how many)] of ranges; None: all of `whole`."""
    out, to = [], 0
    for at, n in parts or [(0, whole)]:
        out.append((at, to, n))
        to += n
    return out


def _pieces(parts, whole, inner=1):
    """array('i') of (place among the chosen ones, first, how many) of ranges, times `inner`."""
    out = array("i")
    for at, to, n in _placed(parts, whole):
        out.extend(array("i", (to * inner, at * inner, n * inner)))
    return out


def _marks(parts, whole):
    out = bytearray(whole)
    for at, _, n in _placed(parts, whole):
        out[at : at + n] = b"\1" * n
    return bytes(out)


def _count(parts):
    return sum([n for _, n in parts])


def _range(word):
    first, _, last = word.partition("-")
    return int(first), int(last or first) - int(first) + 1

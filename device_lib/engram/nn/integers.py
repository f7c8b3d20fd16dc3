"""Where the tensors of q8 nodes lie as integers, and their records.

The head is last in each buffer, so that another number of classes moves nothing else.
"""

from ..memory.record import RECORD
from . import formats
from .geometry import elems
from .names import BIASES, LATENT, RECORDS, RESTS, WEIGHTS

_NAMES = (WEIGHTS, RESTS, BIASES, RECORDS)
_BYTES = {WEIGHTS: 1, RESTS: 1, BIASES: 4, RECORDS: 4 * RECORD}  # of an element
KINDS = {WEIGHTS: "i8", RESTS: "i8", BIASES: "i32", RECORDS: "i32"}


class Integers:
    """The integer tensors of a graph.

    net: net.Net. learns: {name of a node: "all", "bias" or channels}, as scope.py has it. wide:
    whether a weight that learns has a byte below it.

    .windows    {tensor: window in "weights" or "biases"}; .rests: {tensor of weights: window}
    .values     {value: its record}; .weights: {name of a node: the record of its weights}
    .followed   records that follow what their values hold, the first ones; then come those of the
                latent and of weights
    .tensors    [(tensor, buffer, first element, elements, record of weights or None)]
    .learned    [(tensor, name of the node)] of the weights that learn, all of the tensor
    .chosen     {tensor: channels.Chosen} of those of which chosen channels learn
    """

    def __init__(self, net, learns, wide):
        self.windows, self.rests, self.values, self.weights = {}, {}, {}, {}
        self.tensors, self.learned, self.chosen = [], [], {}
        self._next = {name: 0 for name in _NAMES}
        nodes = [node for node in net.adaptive if formats.load(node["format"]).INTEGER]
        for node in nodes:
            self._value(node)
        self.followed = self._next[RECORDS]
        if net.latent_format == "q8":
            self.values[LATENT] = self._take(RECORDS, 1)
        head = net.head["name"] if net.head else None
        for last in (False, True):
            for node in nodes:
                if (node["name"] == head) == last:
                    self._own(node, learns.get(node["name"]), wide, last)
        keeping = [node for node in nodes if node["op"] in formats.load(node["format"]).KEEPS]
        for node in keeping:
            self.values[node["name"]] = self.values[node["in"][0]]

    def _value(self, node):
        if formats.load(node["format"]).scaled(node):
            self.values[node["name"]] = self._take(RECORDS, 1)

    def _own(self, node, mode, wide, is_head):
        record = None
        for key, _, shape in formats.load(node["format"]).tensors(node):
            tensor, n = node[key], elems(shape)
            per_class = n // node["out"][0] if is_head else 0
            if record is None:  # the first are the weights
                record = self.weights[node["name"]] = self._take(RECORDS, 1)
                if mode == "all":
                    self.learned.append((tensor, node["name"]))
                own = self._learning(node, mode, key, shape)
                if own and wide:
                    each = own // node["out"][0] if is_head else 0
                    self.rests[tensor] = (RESTS, self._take(RESTS, own), own, each)
                at = self._take(WEIGHTS, n)
                self.windows[tensor] = (WEIGHTS, at, n, per_class)
                self.tensors.append((tensor, WEIGHTS, at, n, record))
            else:
                at = self._take(BIASES, n)
                self.windows[tensor] = (BIASES, at, n, per_class)
                self.tensors.append((tensor, BIASES, at, n, None))

    def _learning(self, node, mode, key, shape):
        """How many weights of a node learn."""
        if ":" not in (mode or ""):
            return elems(shape) if mode == "all" else 0
        from .channels import Chosen  # few learners need it

        chosen = self.chosen[node[key]] = Chosen(node, mode)
        return elems(chosen.shape(key, shape))

    def _take(self, buffer, n):
        first = self._next[buffer]
        self._next[buffer] = first + n
        return first

    def sizes(self):
        """[(buffer, kind, bytes)] of those that are not empty, in the order of a saved state."""
        return [
            (name, KINDS[name], self._next[name] * _BYTES[name])
            for name in _NAMES
            if self._next[name]
        ]

    @staticmethod
    def record(index, count=1):
        """The window of records."""
        return (RECORDS, RECORD * index, RECORD * count, 0)

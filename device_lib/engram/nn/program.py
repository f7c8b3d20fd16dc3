"""The program of a learner as rows: frozen stage, forward, backward. Nothing has a place yet.

A row is (kernel, arguments, takes). An argument is an int, a constant (an array), KNOWN, or a
window: (buffer, first element, elements, elements per class). KNOWN stands for the number of
classes in use, and a window with elements per class has as many of them. takes: pairs of
positions (written, read) of arguments that may be one memory; a row VIEW computes nothing and
makes them one.

The first row that names a buffer of values writes it whole. No row writes it again, but one that
scales it in place, and those that write parameters and their gradients. So lifetimes and shared
memory follow from the rows alone (memory/lifetimes.py).
"""

from array import array

from ..errors import ModelError
from ..memory.record import RECORD
from . import formats
from .geometry import elems, geom, line
from .names import (
    ERROR,
    ERROR_RECORDS,
    ERRORS,
    GRADS,
    INPUT,
    INPUTS,
    KNOWN,
    LATENT,
    LATENTS,
    NOISE,
    PARAMS,
    VALUES,
    VIEW,
    gradient,
)
from .ops import ITEM_BYTES, bias, dims, product

_TENSOR_KINDS = {"F32": "f32", "I32": "i32", "I8": "i8"}  # by dtype in the file
_INPUTS, _GRADIENTS = ("x", "x2"), ("dx", "dx2")
_RECORDS = ("so", "sx", "sx2", "sw", "se", "sdout", "sdx", "sdx2")
_AS_INTEGERS = {"v": VALUES, "e": ERROR}  # an output, the gradient by it
_CONSTANTS = {
    "geom": geom,
    "line": line,
    "none": lambda node: array("f"),
    "none8": lambda node: bytearray(),
    "full": lambda node: array("i", (0, 0, -127, 127)),
    "q": lambda node: array("i", node["q"]),
    "qp": lambda node: array("f", node["qp"]),
    "slope": lambda node: array("f", (node["slope"],)),
    "zp": lambda node: bytes((node["q"][0] & 255,)),
}


class Program:
    """The rows of a graph, and the buffers that they name.

    graph: graph.Graph. learns: {name of an adaptive node: "all", "bias" or channels}, as scope.py
    has it.
    gradients: the buffer of the gradients by what learns, None without. wide: whether a q8 weight
    that learns has a byte below it. rates_of: function(node name) -> the rates of the steps of a
    q8 node.

    .values   {value: (kind, elements per sample)}; kinds are f32, i8, i32
    .integers integers.Integers of the q8 nodes, None without
    .sizes    {buffer: (kind, bytes)} of what the rows made so far name
    .tensors  [(node, key, tensor, shape, first element in params)] of the float32 tensors
    .learned  the same for those that learn, but first element in grads
    .param_elems, .learned_elems
    .streams  {node: array('i') of seed, next number, which noise} of nodes that draw it
    .chosen   {node: channels.Chosen} of those of which chosen channels learn
    .persistent   names of the int8 and int32 tensors, each a buffer: of no bytes where the graph
                  has them in place
    .owned    [(node, numbers)] of all tensors
    """

    def __init__(self, graph, learns, gradients=GRADS, wide=True, rates_of=None):
        self.graph, self.learns, self.gradients = graph, learns, gradients or GRADS
        self._rates_of, self.integers = rates_of, _integers(graph, learns, wide)
        self._error_records = {}  # by the buffer of a gradient
        head = graph.head
        self.head = head["name"] if head else None
        self.values = {
            INPUT: ("i8", elems(graph.input_shape)),
            LATENT: ("i8" if graph.latent_format == "q8" else "f32", elems(graph.latent_shape)),
        }
        self.sizes, self.tensors, self.learned = {}, [], []
        self.param_elems = self.learned_elems = 0
        self.persistent, self.owned = set(), []
        self.streams, self.chosen = {}, {}
        if ":" in "".join(learns.values()):
            from .channels import chosen_of  # few learners need it

            self.chosen = chosen_of(graph, learns)
        self._windows = {}
        if self.integers:
            self._windows.update(self.integers.windows)
            for name, kind, nbytes in self.integers.sizes() + [(ERROR_RECORDS, "i32", 0)]:
                self.sizes[name] = (kind, nbytes)
        for node in graph.frozen + graph.adaptive:
            self._enter(node)
        first = 0
        while first < len(graph.adaptive) and graph.adaptive[first]["name"] not in learns:
            first += 1
        self._below, self._upper = graph.adaptive[:first], graph.adaptive[first:]
        self._stored = {}  # {node: value} of chosen channels that stay from the forward pass
        for name, chosen in self.chosen.items():
            if chosen.inputs:
                self._keep_inputs(name, chosen)

    def _enter(self, node):
        form = formats.load(node["format"])
        self.values[node["name"]] = (form.kind(node), elems(node["out"]))
        mode = self.learns.get(node["name"])
        for key, dtype, shape in form.tensors(node):
            n, tensor = elems(shape), node[key]
            self.owned.append((node["name"], n))
            if form.INTEGER:
                continue
            per_class = n // node["out"][0] if node["name"] == self.head else 0
            if dtype != "F32":
                held = 0 if self.graph.in_place else n
                self.sizes[tensor] = (_TENSOR_KINDS[dtype], ITEM_BYTES[dtype] * held)
                self.persistent.add(tensor)
                self._windows[tensor] = (tensor, 0, n, 0)
                continue
            self._windows[tensor] = (PARAMS, self.param_elems, n, per_class)
            self.tensors.append((node, key, tensor, shape, self.param_elems))
            self.param_elems += n
            own = None
            if mode == "all" or (mode == "bias" and key == bias(node["op"])):
                own = shape
            elif node["name"] in self.chosen:
                own = self.chosen[node["name"]].shape(key, shape)
            if own:
                n = elems(own)
                per_class = n // node["out"][0] if node["name"] == self.head else 0
                self._windows[GRADS, tensor] = (self.gradients, self.learned_elems, n, per_class)
                self.learned.append((node, key, tensor, own, self.learned_elems))
                self.learned_elems += n

    def place(self, tensor):
        """(buffer, first element, elements) of a tensor."""
        return self._windows[tensor][:3]

    # -- sections ----------------------------------------------------------------------------

    def frozen(self):
        """Rows of the frozen stage: one sample from "input" to the latent, in int8."""
        return self._forward(self.graph.frozen, 1, "", PARAMS)

    def below(self, batch):
        """Rows from the latents of a batch up to the first node that learns."""
        return self._forward(self._below, batch, "", PARAMS)

    def _keep_inputs(self, name, chosen):
        """A value for the chosen input channels of a node. It is made in the forward pass where
        nothing of the backward pass reads all of them, else where it is needed."""
        small, node = chosen.node, self.graph.node(name)
        value = small["in"][0]
        small["in"] = [INPUTS + name]
        self.values[INPUTS + name] = (self.values[value][0], elems(small["shapes"][0]))
        others = [self._read_again(other) for other in self._upper if other is not node]
        if self._memory(value) not in [self._memory(read) for read in sum(others, [])]:
            self._stored[name] = INPUTS + name

    def _memory(self, value):
        """The value whose memory a value has: that below the views that make it."""
        for node in reversed(self.graph.adaptive):
            first = formats.rows_of(node)[0][0]
            if node["name"] == value and first.split()[0] == VIEW:
                value = node["in"][0]
        return value

    def _read_again(self, node):
        """The values of the forward pass that a node's backward pass reads."""
        needs = self.needs_gradient()
        if not needs[node["name"]] or self._form(node).rows(node["op"])[1] == ():
            return []
        symbols = {}
        for i, value in enumerate(node["in"]):
            if needs[value]:
                symbols[_GRADIENTS[i]] = value
        own, inputs = self._backward_texts(node, symbols)
        words = " ".join(inputs + ([] if node["name"] in self.chosen else own)).split()
        read = [value for symbol, value in zip(_INPUTS, node["in"]) if symbol in words]
        return read + ([node["name"]] if "out" in words else [])

    def _form(self, node):
        return formats.load(node["format"])

    def upper(self, batch, prefix="", params=PARAMS):
        """Rows from the first node that learns to the outputs.

        prefix: of the names of the values, for a second pass; params: the buffer that what learns
        has there, as "grads" has it.
        """
        rows = []
        for node in self._upper:
            rows += self._forward([node], batch, prefix, params)
            if node["name"] in self._stored and not prefix:
                rows += self._inputs(node, batch)
        return rows

    def _inputs(self, node, batch):
        """Rows that copy the chosen channels of a node's input."""
        chosen, value = self.chosen[node["name"]], node["in"][0]
        small = chosen.node["in"][0]
        channels = chosen.channels("in")
        rows = batch * self.values[value][1] // channels
        windows = [self.window(small, small, batch), self.window(value, value, batch)]
        return chosen.copies("in", *windows, rows, self.values[value][0])

    def _errors(self, node, buffer, batch):
        """(rows, value): the chosen channels of a node's errors."""
        name, chosen = node["name"], self.chosen[node["name"]]
        value = ERRORS + name
        self.values[value] = ("f32", elems(chosen.node["out"]))
        channels = chosen.channels("out")
        rows = batch * self.values[name][1] // channels
        windows = [self.window(value, value, batch), self.window(buffer, name, batch)]
        return chosen.copies("out", *windows, rows, "f32"), value

    def backward(self, batch, scales_of=None, partial=None, clipping=None):
        """Rows that add the gradients of what learns to their buffer, from the gradients of the
        outputs. Raises ModelError where a number format stops them.

        scales_of: None, or function(node name) -> (minus the learning rate, what weight decay
        leaves), both array('f') of 1: the gradients are applied where they are computed, with no
        buffer for them.
        partial: None, or partial.Partial: of each sample a part is left out.
        clipping: None, or clipping.Clipping: q8 nodes take their steps at the end, clipped.
        """
        needs, grads, names, rows = self.needs_gradient(), {}, set(), []
        steps = [] if clipping else rows
        if partial:
            rows += partial.skipping(self, batch)
        for output in self.graph.outputs:
            grads[output["node"]] = gradient(output["node"])
            names.add(grads[output["node"]])
        for node in reversed(self.graph.adaptive):
            if node["name"] not in grads or not needs[node["name"]]:
                continue
            symbols = {"B": batch, "dout": (grads[node["name"]], node["name"])}
            sums = []
            for i, value in enumerate(node["in"]):
                if needs[value]:
                    name = _another(gradient(value), names)
                    symbols[_GRADIENTS[i]] = (name, value)
                    if value in grads:
                        sums.append((value, grads[value], name, _another(name + "+", names)))
                        name = sums[-1][3]
                    grads[value] = name
            if partial:
                if self._form(node).INTEGER:
                    more, symbols["dout"] = self._kept_errors(node, symbols, partial, names)
                else:
                    dout = self.window(*symbols["dout"], batch)
                    more, symbols["kept"] = partial.listing(self, node, dout, batch)
                rows += more
            own, inputs = self._backward_texts(node, symbols)
            if self._form(node).INTEGER:
                self._share_errors(inputs, symbols)
                first = [text for text in own + inputs if _written(text) == "e"]
                # a step changes the weights: the gradients of the inputs come before it
                rows += self._node_rows(node, first + inputs, symbols, "", PARAMS)
                own = [text for text in own if text not in first]
                steps += self._steps(node, own, symbols)
            elif scales_of and own:
                rows += self._node_rows(node, inputs, symbols, "", PARAMS)
                rows += self._applied(node, own, symbols, scales_of(node["name"]), names)
            elif node["name"] in self.chosen:
                rows += self._chosen_rows(node, own, symbols)
                rows += self._node_rows(node, inputs, symbols, "", PARAMS)
            else:
                rows += self._node_rows(node, own + inputs, symbols, "", PARAMS)
            for value, first, second, total in sums:
                rows.append(self._sum(value, total, second, first, batch))
        self._all_learn(grads)
        return rows + clipping.rows(steps) if clipping else rows

    def _steps(self, node, texts, symbols):
        """Rows of the step of a q8 node."""
        name, batch = node["name"], symbols["B"]
        if name not in self.chosen:
            return self._node_rows(node, texts, symbols, "", PARAMS)
        from .channel_steps import errors, tensors  # few learners need it

        chosen, symbols = self.chosen[name], dict(symbols)
        rows, windows, back = tensors(self, node, chosen)
        if chosen.inputs:
            windows["sx"] = self._record("x", node, symbols)
            rows += [] if name in self._stored else self._inputs(node, batch)
        if chosen.outputs:
            symbol, buffer = errors(node, texts, symbols)
            window = self.buffer(ERRORS + name, "i8", batch * elems(chosen.node["out"]))
            whole = self.window(buffer, name, batch, "i8")
            channels = chosen.channels("out")
            rows += chosen.copies("out", window, whole, whole[2] // channels, "i8")
            windows[symbol], windows["s" + symbol] = window, self._error_record(buffer)
        symbols["windows"] = windows
        return rows + self._node_rows(chosen.node, texts, symbols, "", PARAMS) + back

    def _chosen_rows(self, node, texts, symbols):
        """Rows that add the gradients of a node's chosen channels."""
        name, batch, rows = node["name"], symbols["B"], []
        chosen, symbols = self.chosen[name], dict(symbols)
        if chosen.inputs and name not in self._stored:
            rows += self._inputs(node, batch)
        if chosen.outputs:
            more, value = self._errors(node, symbols["dout"][0], batch)
            rows += more
            symbols["dout"] = (value, value)
        return rows + self._node_rows(chosen.node, texts, symbols, "", PARAMS)

    def _sum(self, value, total, second, first, batch):
        args = [self.window(name, value, batch) for name in (total, second, first)]
        if self.values[value][0] == "f32":
            return ("add_f32", args, ((0, 1),))
        records = [self._error_record(name) for name in (total, second, first)]
        args = [arg for pair in zip(args, records) for arg in pair]
        return ("add_q8", args, ((0, 2),))

    def _kept_errors(self, node, symbols, partial, names):
        """(rows, (buffer, value)): the errors of a q8 node, 0 but in what each sample keeps."""
        (buffer, value), batch = symbols["dout"], symbols["B"]
        if not partial.zeroes(self, node):
            return [], symbols["dout"]
        kept = _another(buffer + "*", names)
        windows = [self.window(name, value, batch) for name in (kept, buffer)]
        rows = partial.zeroing(self, node, windows, self._error_record(buffer), batch)
        self._error_records.setdefault(kept, self._error_records[buffer])
        return rows, (kept, value)

    def _error_record(self, buffer):
        """The record of a gradient."""
        records = self._error_records
        at = records.setdefault(buffer, len(set(records.values())))
        self.buffer(ERROR_RECORDS, "i32", RECORD * (1 + max(records.values())))
        return (ERROR_RECORDS, RECORD * at, RECORD, 0)

    def names(self):
        """Names of all records: of values (v:), of weights (w:), of gradients (d:)."""
        integers, errors = self.integers, self._error_records
        names = {}
        for records, kind in ((integers.values, "v:"), (integers.weights, "w:")):
            for name, at in records.items():
                names[at] = min(kind + name, names.get(at, kind + name))
        own = {}
        for buffer, at in errors.items():
            own[at] = min(buffer, own.get(at, buffer))
        return [names[at] for at in sorted(names)] + [own[at] for at in sorted(own)]

    def _share_errors(self, texts, symbols):
        """Gradients by inputs that have the exponent of the gradient by the output."""
        for text in texts:
            symbol = _written(text)
            if symbol not in _GRADIENTS or "s" + symbol in text.split():
                continue
            name, value = symbols[symbol]
            if self.values[value][0] == "i8":
                self._error_record(symbols["dout"][0])
                self._error_records.setdefault(name, self._error_records[symbols["dout"][0]])

    def _all_learn(self, grads):
        for name in self.learns:
            if name not in grads:
                raise ModelError(
                    "node %s cannot learn: expected nodes with gradients between it and an output "
                    "of the model, got int8 ones; let other nodes learn" % name
                )

    def needs_gradient(self):
        """{value: whether what learns lies at it or below}"""
        needs = {LATENT: False}
        for node in self.graph.adaptive:
            below = node["op"] != "stop" and any([needs[value] for value in node["in"]])
            needs[node["name"]] = below or node["name"] in self.learns
        return needs

    def _backward_texts(self, node, symbols):
        """The rows of the table that compute what is wanted of a node's gradients."""
        form = self._form(node)
        _, backward, bias = formats.rows_of(node)
        if symbols.get("kept"):
            backward, bias = form.some(node["op"])
        mode = self.learns.get(node["name"])
        own = {"all": backward, "bias": bias, None: ()}.get(mode, backward)
        inputs = [text for text in backward if _written(text) in _GRADIENTS]
        rows = [text for text in inputs if _written(text) in symbols]
        own = [text for text in own if _written(text) not in _GRADIENTS]
        if rows and not own:  # what they read, where nothing of the node learns
            own = [text for text in backward if _written(text) == "e"]
        return own, rows

    def _applied(self, node, texts, symbols, scales, names):
        """Rows that add minus the learning rate times the gradients to the parameters."""
        minus_rate, decay = scales
        buffer, value = symbols["dout"]
        scratch = _another(buffer + "*", names)
        windows = [self.window(name, value, symbols["B"]) for name in (scratch, buffer)]
        rows = [("scale_f32", windows + [minus_rate], ((0, 1),))]
        if decay[0] != 1:
            for _, _, tensor, _, _ in self.learned:
                if tensor in node.values():
                    rows.append(("scale_f32", [self._windows[tensor]] * 2 + [decay], ()))
        symbols = dict(symbols)
        symbols["dout"] = (scratch, value)
        for kernel, args, takes in self._node_rows(node, texts, symbols, "", PARAMS):
            rows.append((kernel, [self._in_place(arg) for arg in args], takes))
        return rows

    def _in_place(self, arg):
        """The window of a parameter in the place of that of its gradient."""
        for key, window in self._windows.items():
            if isinstance(key, tuple) and isinstance(arg, tuple) and window == arg:
                return self._windows[key[1]]
        return arg

    def _forward(self, nodes, batch, prefix, params):
        rows = []
        for node in nodes:
            texts = formats.rows_of(node)[0]
            rows += self._node_rows(node, texts, {"B": batch}, prefix, params)
        return rows

    # -- rows --------------------------------------------------------------------------------

    def _node_rows(self, node, texts, symbols, prefix, params):
        """Rows of a node. symbols: the batch, (buffer, value) of gradients, and as "windows"
        {symbol: window} of what is not the node's own."""
        known = dict(symbols)
        for symbol, value in zip(_INPUTS, node["in"]):
            known[symbol] = (self._renamed(value, prefix), value)
        known["out"] = (self._renamed(node["name"], prefix), node["name"])
        sizes = dims(node)
        sizes["B"] = symbols["B"]
        rows = []
        for text in texts:
            words = text.split()[1:]
            names = [word.split("=")[0] for word in words]
            takes = [
                (i, names.index(word.split("=")[1])) for i, word in enumerate(words) if "=" in word
            ]
            kernel = text.split()[0]
            args = [self._argument(name, node, known, sizes, params) for name in names]
            if kernel == VIEW and args[0][0] == LATENTS:
                kernel = "copy_s8"  # its memory is not its own
            elif kernel == VIEW:
                takes.append((0, 1))
            rows.append((kernel, args, tuple(takes)))
        return rows

    def _argument(self, symbol, node, known, sizes, params):
        if symbol == "kept":
            return known[symbol]
        if symbol in known.get("windows", ()):
            return known["windows"][symbol]
        if symbol in known and symbol != "B":
            buffer, value = known[symbol]
            return self.window(buffer, value, known["B"])
        if symbol in _CONSTANTS:
            return _CONSTANTS[symbol](node)
        if symbol in _RECORDS:
            return self._record(symbol[1:], node, known)
        if symbol == "noise":
            return self.window(NOISE + node["name"], node["name"], known["B"])
        if symbol == "stream":
            return self.streams.setdefault(node["name"], array("i", (0, 0, 0)))
        if symbol in _AS_INTEGERS:
            return self.window(_AS_INTEGERS[symbol] + node["name"], node["name"], known["B"], "i8")
        if symbol == "rest":
            first = formats.load(node["format"]).tensors(node)[0][0]
            return self.integers.rests.get(node[first]) or bytearray()
        if symbol == "rates":
            return self._rates_of(node["name"])
        if isinstance(node.get(symbol), str):
            if params != PARAMS and (GRADS, node[symbol]) in self._windows:
                return (params,) + self._windows[GRADS, node[symbol]][1:]
            return self._windows[node[symbol]]
        if symbol[0] == "d" and isinstance(node.get(symbol[1:]), str):
            return self._windows[GRADS, node[symbol[1:]]]
        if symbol == "M" and node["name"] == self.head:
            return KNOWN
        return product(symbol, sizes)

    def _record(self, symbol, node, known):
        """The record of what a symbol names."""
        integers = self.integers
        if symbol == "w":
            return integers.record(integers.weights[node["name"]])
        if symbol == "o":
            return integers.record(integers.values[node["name"]])
        if symbol in _INPUTS:
            return integers.record(integers.values[node["in"][_INPUTS.index(symbol)]])
        return self._error_record(ERROR + node["name"] if symbol == "e" else known[symbol][0])

    def _renamed(self, value, prefix):
        again = prefix and any([node["name"] == value for node in self._upper])
        return prefix + value if again else value

    def window(self, buffer, value, batch, kind=None):
        """The window of a value, or of a gradient by it, for a batch; the buffer gets that size
        at least. kind: of its elements, None: the value's."""
        own, n = self.values[value]
        kind = kind or own
        if value == self.graph.latent:  # the first row of what evaluation gathers
            return (LATENTS, 0, n, 0)
        return self.buffer(buffer, kind, batch * n, batch if value == self.head else 0)

    def buffer(self, name, kind, n, per_class=0):
        """The window of all n elements of a buffer, which gets that size at least."""
        nbytes = n * (1 if kind == "i8" else 4)
        if nbytes > self.sizes.get(name, (kind, -1))[1]:
            self.sizes[name] = (kind, nbytes)
        return (name, 0, n, per_class)


def _integers(graph, learns, wide):
    if not graph.has_integers():
        return None
    from .integers import Integers  # few learners need it

    return Integers(graph, learns, wide)


def _another(name, names):
    """A name that is not among names, which it joins."""
    while name in names:
        name += "'"
    names.add(name)
    return name


def _written(text):
    """The symbol that a row writes: its first."""
    return text.split()[1].split("=")[0]

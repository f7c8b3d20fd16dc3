"""Random models for the tests of the assembled stage: small, of every op, the same for a seed.

A model is a version 2 file in memory. Values are small (at most MOST elements), so that a
gradient can be compared element by element.
"""

import random
from dataclasses import dataclass

import numpy as np
import tiny_model

from engram.nn.ops import OPS

MOST = 72  # elements of a value
ROOM = 4  # classes of the head
POINTWISE = (
    "relu", "relu6", "leaky_relu", "hard_swish", "sigmoid", "tanh", "softmax", "scale_shift",
)  # ops that keep the shape of their input
WITH_GRADIENTS = tuple(sorted(op for op, row in OPS.items() if row[4]))
OBJECTIVES = ("classify", "regress", "both", "elbo")


@dataclass(frozen=True)
class Case:
    """A random model and what is asked of it.

    ops: those that it has at least. frozen: whether it has an int8 stage. weight: of the output
    that ends the graph, in the total loss.
    """

    seed: int
    ops: tuple[str, ...]
    batch: int = 3
    micro: int = 3
    scope: str = "all"
    objective: str = "classify"
    frozen: bool = False
    weight: float = 1

    def __str__(self):
        what = f"{self.batch}in{self.micro}-{self.scope}-{self.objective}"
        return f"{self.seed}-{'+'.join(self.ops)}-{what}{'-frozen' * self.frozen}"

    def model_bytes(self):
        return _Model(self).pack()


def cases(count, seed, ops_each=2):
    """`count` cases in which each op occurs as often as the others, or once less."""
    rng, out, left = random.Random(seed), [], []
    for i in range(count):
        if len(left) < ops_each:
            more = list(WITH_GRADIENTS)
            rng.shuffle(more)
            left += more
        ops, left = tuple(left[:ops_each]), left[ops_each:]
        batch = rng.choice((1, 2, 3, 4))
        micro = rng.choice([n for n in range(1, batch + 1) if batch % n == 0])
        scope = ("all.b", "all", _scope(rng), "all")[i % 4]
        seed, weight = rng.randrange(10**6), rng.choice((1, 1, 2))
        out.append(Case(seed, ops, batch, micro, scope, OBJECTIVES[i // 4 % 4], weight=weight))
    return out


def _scope(rng):
    """A scope of any model of this file: its first node with weights is `first`."""
    return rng.choice((
        "last:1", "last:2", "last:3", "head", "head,all.b", "first", "first.b",
        "first,head.b", "last:2,first.b", "last:3.b",
    ))  # fmt: skip


class _Model:
    """The nodes of a case's model, made one after the other, each from values that are there."""

    def __init__(self, case):
        self._case, self._rng = case, random.Random(case.seed)
        self._numbers = np.random.default_rng(case.seed)
        self._nodes, self._tensors = [], []
        self._unused = []  # values that no node reads yet
        shape = self._frozen() if case.frozen else self._latent_shape()
        self._shapes = {"input" if not case.frozen else self._nodes[-1]["name"]: shape}
        self._input = tiny_model.SHAPE if case.frozen else shape
        self._latent = next(iter(self._shapes))
        self._last = self._latent
        self._start()
        for op in case.ops:
            self._grow(op, self._last)
            if self._rng.random() < 0.4:  # a fork: two nodes read one value
                self._grow(self._rng.choice(POINTWISE), self._rng.choice(list(self._shapes)))
        self._outputs = self._finish()

    def pack(self):
        classes = ROOM if self._case.objective in ("classify", "both") else 0
        scale = {"scale": 1 / 64, "zero_point": -3}
        graph = {
            "name": "random", "classes": classes, "nodes": self._nodes,
            "input": {"shape": list(self._input), "dtype": "float32", **scale},
            "latent": {"node": self._latent, "shape": self._shapes[self._latent], **scale},
            "outputs": self._outputs,
        }  # fmt: skip
        return tiny_model.pack(graph, self._tensors, version="2")

    # -- the parts of a model ----------------------------------------------------------------

    def _latent_shape(self):
        return self._rng.choice([[4, 4, 2], [5, 3, 2], [1, 9, 3], [8, 1, 2], [3, 3, 3], [12]])

    def _frozen(self):
        """Adds the tiny model's int8 stage, a sum and a table to it; the shape of its output."""
        graph, tensors = tiny_model.graph_and_tensors()
        self._tensors += [row for row in tensors if row[0].startswith("f")]
        nodes, value = [], "input"
        for i, layer in enumerate(graph["frozen"]):
            nodes.append({**layer, "name": f"f{i}", "format": "s8", "in": [value]})
            value = f"f{i}"
        half = [20, 1 << 30, 0, 1 << 30, 0, 1 << 30, -19]
        nodes[2:2] = [
            {"op": "add", "name": "sum", "format": "s8", "in": ["f0", "f1"],
             "q": [-128, -128, -128, -128, 127, *half]},
            {"op": "relu", "name": "table", "format": "s8", "in": ["sum"], "table": "f.table"},
        ]  # fmt: skip
        nodes[4]["in"] = ["table"]
        self._tensors.append(("f.table", "I8", (256,), bytes((7 * i) % 256 for i in range(256))))
        self._nodes += nodes
        return graph["frozen"][-1]["out"]

    def _start(self):
        """The first node: it has weights, so that all above it hand a gradient down."""
        op = self._rng.choice(("dense", "conv2d", "depthwise", "scale_shift"))
        if op in ("conv2d", "depthwise") and len(self._shapes[self._latent]) == 1:
            op = "dense"
        name = self._grow(op, self._latent)
        self._nodes[-1]["name"] = self._last = "first"
        self._shapes["first"] = self._shapes.pop(name)
        self._unused = ["first"]

    def _finish(self):
        """The heads; they leave no value unread. Returns the outputs."""
        rng, objective, outputs = self._rng, self._case.objective, []
        if objective == "elbo":
            return self._finish_elbo()
        if objective != "classify" and (objective == "both" or rng.random() < 0.5):
            # an output in the middle of the graph, read by other nodes or by none
            value = rng.choice([v for v in self._shapes if v != self._latent])
            if rng.random() < 0.5:
                value = self._grow("dense", value)
            outputs.append({"node": value, "objective": "regress", "weight": rng.choice((1, 0.5))})
        ends = [self._flat(value) for value in self._unused]
        value = ends[0] if len(ends) == 1 else self._node("concat", ends)
        kind = "regress" if objective == "regress" else "classify"
        head = self._dense(value, ROOM)
        return [*outputs, {"node": head, "objective": kind, "weight": self._case.weight}]

    def _finish_elbo(self):
        """A reconstruction of the latent from all values that nothing reads, and the divergence of
        two values, which other nodes may read."""
        rng = self._rng
        values = [v for v in self._shapes if v != self._latent]
        mean, spread = rng.choice(values), self._grow("dense", rng.choice(values))
        ends = [self._flat(value) for value in self._unused]
        value = ends[0] if len(ends) == 1 else self._node("concat", ends)
        again = self._dense(value, int(np.prod(self._shapes[self._latent])))
        outputs = [
            (again, rng.choice(("reconstruct", "bernoulli")), self._case.weight),
            (mean, "kl_mean", 0.25),
            (spread, "kl_spread", 0.5),
        ]
        return [{"node": n, "objective": o, "weight": w} for n, o, w in outputs]

    # -- nodes -------------------------------------------------------------------------------

    def _grow(self, op, value):
        """Puts a node of an op on a value, and before it what the op needs; its name."""
        builder = getattr(self, "_" + op, None)
        self._last = builder(value) if builder else self._node(op, [value])
        return self._last

    def _node(self, op, values, shape=None, **attributes):
        name = f"n{len(self._nodes)}"
        if shape is None:
            shape = self._shapes[values[0]]
        if op == "concat":
            shape = [*shape[:-1], sum(self._shapes[value][-1] for value in values)]
        node = {"op": op, "name": name, "in": list(values), **attributes}
        if op in ("dense", "conv2d", "depthwise", "conv2d_t", "reshape"):
            node["out"] = shape
        self._nodes.append(node)
        self._shapes[name] = shape
        self._unused = [v for v in self._unused if v not in values] + [name]
        return name

    def _weights(self, node, key, shape, fan_in):
        """Uniform numbers of the size that keeps the size of values."""
        name = f"{node}.{key}"
        numbers = self._numbers.uniform(-1, 1, shape) * (2 / max(1, fan_in)) ** 0.5
        self._tensors.append((name, "F32", shape, numbers.astype("<f4").tobytes()))
        return {key: name}

    def _with_weights(self, op, values, shape, w, fan_in, bias, **attributes):
        name = f"n{len(self._nodes)}"
        own = self._weights(name, "w", w, fan_in) | self._weights(name, "b", bias, 12)
        return self._node(op, values, shape, **own, **attributes)

    def _dense(self, value, units=None):
        n = int(np.prod(self._shapes[value]))
        units = units or self._rng.choice((2, 3, 4, 6))
        return self._with_weights("dense", [value], [units], (units, n), n, (units,))

    def _window(self, shape):
        """Attributes of a window over an image, and the height and width of the output."""
        return _both(self._axis(shape[0]), self._axis(shape[1]))

    def _axis(self, size):
        """(kernel, stride, dilation, pad before, pad after, length of the output) of a window
        along an axis. No window lies outside the input with all of its taps."""
        rng = self._rng
        kernel = rng.randint(1, min(3, size))
        dilation = rng.choice([d for d in (1, 2) if d * (kernel - 1) < size])
        extent, stride = dilation * (kernel - 1) + 1, rng.randint(1, 2)
        before, after = rng.randint(0, extent - 1), rng.randint(0, extent - 1)
        length = (size + before + after - extent) // stride + 1
        return kernel, stride, dilation, before, after, length

    def _transposed_axis(self, size, most):
        """(size of the output, the same of a window over the output that gives `size`)"""
        while True:
            big = self._rng.randint(1, most)
            axis = self._axis(big)
            if axis[-1] == size:
                return big, axis

    def _conv2d(self, value):
        value = self._image(value)
        shape, k = self._shapes[value], self._rng.randint(1, 3)
        window, out = self._window(shape)
        w = (k, *window["kernel"], shape[2])
        return self._with_weights(
            "conv2d", [value], [*out, k], w, int(np.prod(w[1:])), (k,), **window
        )

    def _pointwise(self, value):
        value = self._image(value)
        shape, k = self._shapes[value], self._rng.randint(1, 4)
        return self._with_weights(
            "conv2d", [value], [*shape[:2], k], (k, 1, 1, shape[2]), shape[2], (k,),
            kernel=[1, 1], stride=[1, 1], pad=[0, 0, 0, 0],
        )  # fmt: skip

    def _depthwise(self, value):
        value = self._image(value)
        shape = self._shapes[value]
        window, out = self._window(shape)
        w = (*window["kernel"], shape[2])
        return self._with_weights(
            "depthwise", [value], [*out, shape[2]], w, w[0] * w[1], (w[2],), **window
        )

    def _conv2d_t(self, value):
        value = self._image(value)
        h, w, c = self._shapes[value]
        k = self._rng.randint(1, 2)
        high, rows = self._transposed_axis(h, max(h, MOST // (w * k)))
        wide, columns = self._transposed_axis(w, max(w, MOST // (high * k)))
        window, _ = _both(rows, columns)
        weights = (c, *window["kernel"], k)
        return self._with_weights(
            "conv2d_t", [value], [high, wide, k], weights, c * 2, (k,), **window
        )

    def _maxpool(self, value, op="maxpool"):
        value = self._image(value)
        shape = self._shapes[value]
        window, out = self._window(shape)
        return self._node(op, [value], [*out, shape[2]], **window)

    def _avgpool(self, value):
        return self._maxpool(value, "avgpool")

    def _global_avgpool(self, value):
        value = self._image(value)
        return self._node("global_avgpool", [value], [1, 1, self._shapes[value][2]])

    def _pad(self, value):
        value = self._image(value)
        h, w, c = self._shapes[value]
        pad = [self._rng.randint(0, 1) for _ in range(4)]
        shape = [h + pad[0] + pad[2], w + pad[1] + pad[3], c]
        return self._node("pad", [value], shape, pad=pad)

    def _leaky_relu(self, value):
        return self._node("leaky_relu", [value], slope=self._rng.choice((0.01, 0.3)))

    def _relu6(self, value):
        """Values of some 10 in size come before it: some lie beyond 6."""
        return self._node("relu6", [self._scale_shift(value, 8)])

    def _hard_swish(self, value):
        """As _relu6(): some lie beyond -3 and 3."""
        return self._node("hard_swish", [self._scale_shift(value, 8)])

    def _scale_shift(self, value, size=1):
        name, c = f"n{len(self._nodes)}", self._shapes[value][-1:]
        own = self._weights(name, "scale", tuple(c), 2 / size**2)
        own |= self._weights(name, "shift", tuple(c), 6)
        return self._node("scale_shift", [value], **own)

    def _add(self, value):
        """A residual connection, or a sum of whatever has the shape; of three values at times."""
        shape = self._shapes[value]
        alike = [v for v, s in self._shapes.items() if s == shape]
        others = [self._rng.choice(alike)]
        if others[0] == value or self._rng.random() < 0.3:
            others = [self._grow(self._rng.choice(POINTWISE), value)]
        if self._rng.random() < 0.3:
            others.append(self._rng.choice(alike))
        return self._node("add", [value, *others])

    def _concat(self, value):
        shape = self._shapes[value]
        alike = [v for v, s in self._shapes.items() if s[:-1] == shape[:-1]]
        others = [self._rng.choice(alike)]
        if self._rng.random() < 0.5:
            others = [self._grow(self._rng.choice(POINTWISE), value)]
        if self._rng.random() < 0.3:
            others.append(self._rng.choice(alike))
        return self._node("concat", [value, *others])

    def _sample(self, value):
        spread = self._grow(self._rng.choice(POINTWISE), value)
        return self._node("sample", [value, spread])

    def _flatten(self, value):
        return self._node("flatten", [value], [int(np.prod(self._shapes[value]))])

    def _flat(self, value):
        return value if len(self._shapes[value]) == 1 else self._flatten(value)

    def _reshape(self, value):
        n = int(np.prod(self._shapes[value]))
        sizes = [(h, w) for h in range(1, 7) for w in range(1, 7) if n % (h * w) == 0]
        h, w = self._rng.choice(sizes)
        return self._node("reshape", [value], [h, w, n // (h * w)])

    def _image(self, value):
        return value if len(self._shapes[value]) == 3 else self._reshape(value)


def _both(rows, columns):
    """Attributes of a window from those along both axes, and the shape of its output."""
    keys = ("kernel", "stride", "dilation")
    window = {key: [rows[i], columns[i]] for i, key in enumerate(keys)}
    window["pad"] = [rows[3], columns[3], rows[4], columns[4]]
    return window, [rows[5], columns[5]]

"""Published rules of training in 8 bits, simulated in numpy on the network and data of scratch.py.

They are no part of the library: these rows say what it would be with other rules. Integers are
held in float32, products and sums are exact but for the last bits of the largest sums.

deutel     Deutel, Hannig, Mutschler and Teich (IEEE TCAD 2024), with the ranges of Deutel et al.
           (MCSoC 2025): uint8 weights, activations and errors with a scale and a zero point,
           s = (max - min) / 255, z = floor(-min / s). The ranges of activations and errors follow
           each batch's extremes by a share of 0.1; that of weights is taken anew at each update.
           Gradients are standardised per filter or row by a running mean and deviation (share 0.3
           a batch). The papers round down; variants round to nearest, or stochastically.
mixed      the same, but for the last layer, which is float32 (the paper does not say which).
qas        Lin et al., "On-Device Training Under 256KB Memory" (NeurIPS 2022): int8 weights with a
           fixed scale a filter or row, gradients times scale**-2 (quantization-aware scaling);
           activations int8, gradients float32. Weights are rounded to nearest at each update.

Where the papers say nothing: biases are float32 and take plain steps, batch and epochs are those
of scratch.py; the rate of standardised steps, 0.001, was not tuned.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scratch
import scratch_networks as networks
from rows import Row, Rows, table, told

PART = "published"
SEEDS = scratch.SEEDS
RANGE_SHARE, NORM_SHARE = 0.1, 0.3


class Rule(NamedTuple):
    """rounding: "floor", "nearest" or "stochastic". lr: at the start. float_layers:
    the last ones are float32. qas: float32 errors, fixed scales, no standardisation."""

    what: str
    rounding: str = "floor"
    lr: float = 0.001
    standardised: bool = True
    float_layers: int = 0
    qas: bool = False


RULES = {
    "float32": Rule("float32, as a check of the simulation", lr=0.05, float_layers=4),
    "deutel": Rule("uint8, rounded down, as the papers write it"),
    "deutel_nearest": Rule("uint8, rounded to nearest", "nearest"),
    "deutel_stochastic": Rule("uint8, weights rounded stochastically", "stochastic"),
    "deutel_plain": Rule(
        "uint8, rounded to nearest, gradients as they are", "nearest", 0.05, False
    ),
    "mixed": Rule("uint8, rounded down, float32 head", float_layers=1),
    "qas": Rule("int8 weights, float32 gradients", "nearest", 0.05, False, qas=True),
}


class Cell(NamedTuple):
    rule: str
    seed: int

    @property
    def key(self) -> str:
        return f"{PART}/{self.rule}/{self.seed}"


def cells(small: bool = False) -> Iterator[Cell]:
    for seed in () if small else SEEDS:
        for rule in RULES:
            yield Cell(rule, seed)


class Rounder:
    """Rounds to integers by a rule; what is no weight is never rounded stochastically."""

    def __init__(self, rounding: str, rng: np.random.Generator) -> None:
        self._rounding, self._rng = rounding, rng

    def __call__(self, x: np.ndarray, weights: bool = False) -> np.ndarray:
        if self._rounding == "floor":
            return np.floor(x)
        if self._rounding == "stochastic" and weights:
            return np.floor(x + self._rng.random(x.shape, np.float32))
        return np.rint(x)


class Range:
    """A scale and a zero point for values between two floats, 0 among them."""

    def __init__(self) -> None:
        self.low = self.high = None

    def follow(self, x: np.ndarray, share: float) -> None:
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        if self.low is None:
            self.low, self.high = low, high
        self.low += share * (low - self.low)
        self.high += share * (high - self.high)
        self.scale = max(self.high - self.low, 1e-12) / 255
        self.zero = np.floor(-self.low / self.scale)

    def stored(self, x: np.ndarray, rounded: Rounder, weights: bool = False) -> np.ndarray:
        """The real values that stand for x."""
        q = rounded(x / self.scale, weights) + self.zero
        return ((np.clip(q, 0, 255) - self.zero) * self.scale).astype(np.float32)


class Layer:
    """A convolution or dense layer as a product of rows with w (inputs, outputs)."""

    def __init__(self, node: dict, tensors: networks.Tensors, rule: Rule, behind: int) -> None:
        """behind: how many layers follow."""
        self.node, w = node, tensors[node["w"]]
        self.w = np.ascontiguousarray(w.reshape(len(w), -1).T)
        self.b = tensors[node["b"]].copy()
        self.rule, self.last = rule, not behind
        self.integer = behind >= rule.float_layers
        self.of_w, self.of_out, self.of_error = Range(), Range(), Range()
        self.mean = self.deviation = None
        if rule.qas:
            self.scales = 1.6 * np.abs(self.w).max(axis=0) / 127

    def rows(self, x: np.ndarray) -> np.ndarray:
        """(rows, inputs) of x (n, ...)."""
        self.shape = x.shape
        if self.node["op"] == "dense":
            return x.reshape(len(x), -1)
        top, left, bottom, right = self.node["pad"]
        x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, self.node["kernel"], (1, 2))
        windows = windows[:, :: self.node["stride"][0], :: self.node["stride"][1]]
        self.places = windows.shape[1:3]
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(self.w))

    def forward(self, x: np.ndarray, rounded: Rounder, learning: bool) -> np.ndarray:
        self.x = self.rows(x)
        out = self.x @ self.w + self.b
        if not self.last:
            out = np.maximum(out, 0)
        if self.integer and not (self.rule.qas and self.last):
            if learning or self.of_out.low is None:
                self.of_out.follow(out, RANGE_SHARE)
            out = self.of_out.stored(out, rounded)
        self.out = out
        return out if self.node["op"] == "dense" else out.reshape(-1, *self.places, out.shape[1])

    def backward(self, error: np.ndarray, rounded: Rounder, lr: float, first: bool):
        """The error below; takes the step."""
        error = error.reshape(len(self.x), -1)
        if not self.last:
            error = error * (self.out > 0)
        if self.integer and not self.rule.qas:
            self.of_error.follow(error, RANGE_SHARE)
            error = self.of_error.stored(error, rounded)
        below = None if first else self.folded(error @ self.w.T)
        self.step(self.x.T @ error, error.sum(axis=0), rounded, lr)
        return below

    def folded(self, rows: np.ndarray) -> np.ndarray:
        """Errors by the input of errors by its rows."""
        if self.node["op"] == "dense":
            return rows.reshape(self.shape)
        n, high, wide, channels = self.shape
        (top, left, bottom, right), (r, s) = self.node["pad"], self.node["kernel"]
        out = np.zeros((n, high + top + bottom, wide + left + right, channels), np.float32)
        rows = rows.reshape(n, *self.places, r, s, channels)
        down, across = self.node["stride"]
        for i in range(r):
            for j in range(s):
                out[:, i : i + down * self.places[0] : down,
                    j : j + across * self.places[1] : across] += rows[:, :, :, i, j]  # fmt: skip
        return out[:, top : top + high, left : left + wide]

    def step(self, gw: np.ndarray, gb: np.ndarray, rounded: Rounder, lr: float) -> None:
        plain = scratch.SETS["fashion"].lr * lr / self.rule.lr
        if not self.integer:
            self.w -= plain * gw
            self.b -= plain * gb
            return
        if self.rule.standardised:
            gw = self.standardised(gw)
        self.w -= lr * gw
        self.b -= plain * gb
        self.quantize(rounded)

    def quantize(self, rounded: Rounder) -> None:
        """Stores the weights."""
        if not self.integer:
            return
        if self.rule.qas:
            self.w = np.clip(np.rint(self.w / self.scales), -127, 127) * self.scales
            self.w = self.w.astype(np.float32)
            return
        self.of_w.follow(self.w, 1.0)
        self.w = self.of_w.stored(self.w, rounded, weights=True)

    def standardised(self, g: np.ndarray) -> np.ndarray:
        mean, deviation = g.mean(axis=0), g.std(axis=0)
        if self.mean is None:
            self.mean, self.deviation = mean, deviation
        self.mean = self.mean + NORM_SHARE * (mean - self.mean)
        self.deviation = self.deviation + NORM_SHARE * (deviation - self.deviation)
        return (g - self.mean) / (self.deviation + 1e-8)


def run(cell: Cell, how: scratch.Set | None = None) -> Row:
    """{"accuracy", "losses" by epoch, "lr", ...}; `simulated`."""
    how = how or scratch.SETS["fashion"]
    start_s, rule, data = time.perf_counter(), RULES[cell.rule], how.load()
    rng = np.random.default_rng(cell.seed)
    graph, tensors = networks.graph_of("", networks.SMALL_CNN, data.x_train.shape[1:], cell.seed)
    nodes = [node for node in graph["nodes"] if "w" in node]
    layers = [Layer(node, tensors, rule, len(nodes) - 1 - i) for i, node in enumerate(nodes)]
    rounded = Rounder(rule.rounding, rng)
    for layer in layers:
        layer.quantize(rounded)
    scale = np.float32(1 / data.x_train.max())
    total, done, losses = how.epochs * -(-len(data.x_train) // how.batch), 0, []
    for _ in range(how.epochs):
        order, loss = rng.permutation(len(data.x_train)), 0.0
        for at in range(0, len(order), how.batch):
            rows = order[at : at + how.batch]
            p = probabilities(forward(layers, data.x_train[rows] * scale, rounded, True))
            labels = data.y_train[rows]
            picked = np.arange(len(rows)), labels
            loss -= float(np.log(p[picked] + 1e-12).sum())
            p[picked] -= 1
            error = (p / len(rows)).astype(np.float32)
            for layer in reversed(layers):
                error = layer.backward(
                    error, rounded, rule.lr * (1 - done / total), layer is layers[0]
                )
            done += 1
        losses.append(round(loss / len(order), 4))
    right = 0
    for at in range(0, len(data.x_test), 500):
        x = data.x_test[at : at + 500] * scale
        answers = forward(layers, x, rounded, False).argmax(axis=1)
        right += int((answers == data.y_test[at : at + 500]).sum())
    return {
        **cell._asdict(), "accuracy": right / len(data.x_test), "losses": losses, "lr": rule.lr,
        "seconds": round(time.perf_counter() - start_s, 1), "kind": "simulated",
    }  # fmt: skip


def forward(layers: list[Layer], x: np.ndarray, rounded: Rounder, learning: bool) -> np.ndarray:
    for layer in layers:
        x = layer.forward(x, rounded, learning)
    return x


def probabilities(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


line = scratch.line


def section(rows: Rows) -> list[str]:
    """The part's text: one table."""
    body = []
    for name, rule in RULES.items():
        ours = rows.all_of(Cell(name, seed).key for seed in SEEDS)
        body.append([f"`{name}`", rule.what, rule.lr, told(ours, "accuracy")])
    head = ["rule", "what it is", "rate", "accuracy, %"]
    return ["### Published rules on the same network, data and epochs (`simulated`)",
            table(head, body)]  # fmt: skip

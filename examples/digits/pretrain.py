#!/usr/bin/env python3
"""Trains the digits network on the classes 0 to 4, in numpy, and writes its float weights.

    python examples/digits/pretrain.py [--seed 1] [--epochs 80] [--out digits_float.safetensors]

The board then meets 5 to 9 for the first time. Takes about ten seconds on one core; the same
seed gives the same network. The file is what `engram convert` reads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram_host.convert import model_file
from engram_host.convert.windows import windows
from engram_host.datasets import DIGITS_CLASSES, DIGITS_SHAPE, digits

F32 = NDArray[np.float32]

BASE_CLASSES = [0, 1, 2, 3, 4]
INPUT_SCALE = 1 / 16  # pixels are 0..16
CHANNELS = (16, 12, 32)  # of the three convolutions
STRIDES = (1, 2, 2)  # 8x8 -> 8x8 -> 4x4 -> 2x2
FROZEN = 2  # layers that become int8 and never change again
KERNEL, PAD = (3, 3), (1, 1, 1, 1)
BATCH = 32


class Tape(NamedTuple):
    """What one convolution keeps for its gradient."""

    columns: F32  # (n * OH * OW, R * S * C)
    out: F32  # (n, OH, OW, K), after ReLU
    in_shape: tuple[int, ...]


class Network:
    """conv 3x3 + ReLU, three times, then global average pool and a dense classifier.

    .params   [w1, b1, w2, b2, w3, b3, w, b]; w (K, 3, 3, C) or (classes, features)
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.params: list[F32] = []
        channels = DIGITS_SHAPE[2]
        for k in CHANNELS:
            fan_in = 9 * channels
            w = rng.standard_normal((k, *KERNEL, channels)) * np.sqrt(2 / fan_in)
            self.params += [w.astype(np.float32), np.zeros(k, np.float32)]
            channels = k
        w = rng.standard_normal((DIGITS_CLASSES, channels)) * 0.1 / np.sqrt(channels)
        self.params += [w.astype(np.float32), np.zeros(DIGITS_CLASSES, np.float32)]
        self.velocity = [np.zeros_like(p) for p in self.params]

    def forward(self, x: F32) -> tuple[F32, F32, list[Tape]]:
        """x (n, 8, 8, 1) -> logits (n, 10), pooled features (n, 32), tapes."""
        tapes = []
        for i, stride in enumerate(STRIDES):
            w, b = self.params[2 * i], self.params[2 * i + 1]
            view = windows(x, KERNEL, (stride, stride), PAD)
            n, oh, ow = view.shape[:3]
            columns = view.reshape(n * oh * ow, -1)
            out = np.maximum(columns @ w.reshape(len(w), -1).T + b, 0).reshape(n, oh, ow, -1)
            tapes.append(Tape(columns, out, x.shape))
            x = out
        pooled = x.mean(axis=(1, 2))
        return pooled @ self.params[-2].T + self.params[-1], pooled, tapes

    def gradients(self, x: F32, y: NDArray[np.intp]) -> list[F32]:
        """Gradients of the mean cross-entropy, in the order of params."""
        logits, pooled, tapes = self.forward(x)
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        d = e / e.sum(axis=1, keepdims=True)
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        grads = [d.T @ pooled, d.sum(axis=0)]
        out = tapes[-1].out
        area = out.shape[1] * out.shape[2]
        dout = np.broadcast_to((d @ self.params[-2] / area)[:, None, None], out.shape)
        for i in reversed(range(len(STRIDES))):
            tape, w = tapes[i], self.params[2 * i]
            rows = (dout * (tape.out > 0)).reshape(-1, len(w))
            grads = [(rows.T @ tape.columns).reshape(w.shape), rows.sum(axis=0), *grads]
            if i:
                dout = _fold(rows @ w.reshape(len(w), -1), tape, STRIDES[i])
        return grads

    def step(self, x: F32, y: NDArray[np.intp], lr: float, momentum: float, decay: float) -> None:
        """One step of stochastic gradient descent with momentum and weight decay."""
        for i, grad in enumerate(self.gradients(x, y)):
            v = momentum * self.velocity[i] + grad + decay * self.params[i]
            self.velocity[i] = v.astype(np.float32)
            self.params[i] = (self.params[i] - lr * v).astype(np.float32)


def _fold(columns: F32, tape: Tape, stride: int) -> F32:
    """The gradient of a convolution's input: columns added back to where they came from."""
    n, height, width, channels = tape.in_shape
    oh, ow = tape.out.shape[1:3]
    taps = columns.reshape(n, oh, ow, *KERNEL, channels)
    padded = np.zeros((n, height + 2, width + 2, channels), np.float32)
    for r in range(KERNEL[0]):
        for s in range(KERNEL[1]):
            rows, cols = slice(r, r + stride * oh, stride), slice(s, s + stride * ow, stride)
            padded[:, rows, cols] += taps[:, :, :, r, s]
    return padded[:, 1:-1, 1:-1]


def shifted(x: F32, rng: np.random.Generator) -> F32:
    """Each image moved by -1, 0 or 1 pixel in both directions: makes features more general."""
    out = np.empty_like(x)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for i, (dy, dx) in enumerate(rng.integers(0, 3, (len(x), 2))):
        out[i] = padded[i, dy : dy + x.shape[1], dx : dx + x.shape[2]]
    return out


def train(seed: int, epochs: int) -> Network:
    """A network trained on the base classes of the training split."""
    rng = np.random.default_rng(seed)
    network = Network(rng)
    pixels, labels = digits().train_of(BASE_CLASSES)
    x, y = (pixels * INPUT_SCALE).astype(np.float32), labels.astype(np.intp)
    batches = len(x) // BATCH
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for i in range(batches):
            chosen = order[i * BATCH : (i + 1) * BATCH]
            progress = (epoch * batches + i) / (epochs * batches)
            lr = 0.025 * (1 + np.cos(np.pi * progress))
            network.step(shifted(x[chosen], rng), y[chosen], lr, momentum=0.9, decay=1e-4)
    return network


def save(network: Network, path: Path) -> int:
    """Writes the float model file; returns its size in bytes."""
    tensors, layers = {}, []
    for i, stride in enumerate(STRIDES):
        name = f"conv{i + 1}"
        tensors[f"{name}.w"], tensors[f"{name}.b"] = network.params[2 * i : 2 * i + 2]
        layers.append(
            {
                "op": "conv2d",
                "w": f"{name}.w",
                "b": f"{name}.b",
                "kernel": KERNEL,
                "stride": [stride, stride],
                "pad": PAD,
                "relu": True,
            }
        )
    tensors["classifier.w"], tensors["classifier.b"] = network.params[-2:]
    layers.append({"op": "global_avgpool"})
    layers.append({"op": "dense", "w": "classifier.w", "b": "classifier.b"})
    source = {"shape": DIGITS_SHAPE, "dtype": "uint8", "scale": INPUT_SCALE, "zero_point": -128}
    graph = {
        "name": "digits",
        "classes": DIGITS_CLASSES,
        "input": source,
        "layers": layers,
        "frozen": FROZEN,
    }
    return model_file.write(path, tensors, {"engram_float": "1", "graph": json.dumps(graph)})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of weights and batches (1)")
    parser.add_argument("--epochs", type=int, default=80, help="passes over the data (80)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).with_name("digits_float.safetensors"),
        help="the float model file to write",
    )
    args = parser.parse_args()
    network = train(args.seed, args.epochs)
    data = digits()
    known = np.isin(data.y_test, BASE_CLASSES)
    logits = network.forward((data.x_test[known] * INPUT_SCALE).astype(np.float32))[0]
    accuracy = float((logits.argmax(axis=1) == data.y_test[known]).mean())
    size = save(network, args.out)
    print(f"accuracy on the test samples of classes 0 to 4: {accuracy:.3f}")
    print(f"wrote {args.out}, {size} bytes")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Trains the small network of this example on simulated windows and writes what a board takes.

    python examples/standalone/make_model.py --out out/standalone/model.safetensors

It has seen three states, off, steady and unbalanced, of a fan whose sensor is mounted as on the
desk, and has room for a fourth, which comes in the field. The same seed gives the same file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import engram_host.api as api
from engram_host.convert import model_file

sys.path.insert(0, str(Path(__file__).parent))
import features
import simulated

F32 = NDArray[np.float32]
KNOWN = 3  # states that it is trained on
STATES = len(simulated.STATES)
HIDDEN = 16
WINDOWS = 100  # of each state
STEPS, LR = 600, 0.5
LOW, HIGH = -1.25, 2.75  # of a feature: as a stored byte it is the nearest of 256 steps between
RANGE = {"scale": (HIGH - LOW) / 255, "zero_point": round(-128 - 255 * LOW / (HIGH - LOW))}


def windows(states: int, count: int, seed: int, mounting: object) -> tuple[F32, NDArray[np.uint8]]:
    """Features (states * count, FEATURES) and labels of simulated windows."""
    random, window = simulated.Random(seed), features.window()
    x, y = [], []
    for n in range(states * count):
        simulated.signal(window, n % states, random, mounting)
        x.append(np.array(features.of(window), np.float32))
        y.append(n % states)
    return np.stack(x), np.array(y, np.uint8)


def train(x: F32, y: NDArray[np.uint8], seed: int) -> dict[str, F32]:
    """Weights of dense, ReLU, dense after gradient descent on all windows at once."""
    rng = np.random.default_rng(seed)
    w1 = rng.normal(0, x.shape[1] ** -0.5, (HIDDEN, x.shape[1]))
    w2 = rng.normal(0, HIDDEN**-0.5, (STATES, HIDDEN))
    b1, b2 = np.zeros(HIDDEN), np.zeros(STATES)
    for _ in range(STEPS):
        hidden = np.maximum(x @ w1.T + b1, 0)
        logits = hidden @ w2.T + b2
        d = np.exp(logits - logits.max(axis=1, keepdims=True))
        d /= d.sum(axis=1, keepdims=True)
        d[np.arange(len(y)), y] -= 1
        d *= LR / len(y)
        below = (d @ w2) * (hidden > 0)
        w2 -= d.T @ hidden
        b2 -= d.sum(axis=0)
        w1 -= below.T @ x
        b1 -= below.sum(axis=0)
    tensors = {"hidden.w": w1, "hidden.b": b1, "states.w": w2, "states.b": b2}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def answers(weights: dict[str, F32], x: F32) -> NDArray[np.intp]:
    """The most probable state of each window."""
    hidden = np.maximum(x @ weights["hidden.w"].T + weights["hidden.b"], 0)
    return np.argmax(hidden @ weights["states.w"].T + weights["states.b"], axis=1)


def save(weights: dict[str, F32], path: Path) -> None:
    """Writes the float model file that `engram convert` reads."""
    graph = {
        "name": "fan",
        "classes": STATES,
        "input": {"shape": [features.FEATURES], "dtype": "float32", **RANGE},
        "nodes": [
            {"name": "hidden", "op": "dense", "in": ["input"], "w": "hidden.w", "b": "hidden.b",
             "relu": True},
            {"name": "states", "op": "dense", "in": ["hidden"], "w": "states.w", "b": "states.b"},
        ],
        "latent": "input",  # the features are what is stored; both layers learn
        "outputs": [{"node": "states", "objective": "classify"}],
    }
    model_file.write(path, weights, {"engram_float": "2", "graph": json.dumps(graph)})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the model file for the board")
    parser.add_argument("--seed", type=int, default=1, help="of windows and weights (1)")
    options = parser.parse_args()
    x, y = windows(KNOWN, WINDOWS, options.seed, simulated.DESK)
    weights = train(x, y, options.seed)
    for name, mounting in (("desk", simulated.DESK), ("field", simulated.FIELD)):
        test_x, test_y = windows(KNOWN, WINDOWS, options.seed + 1, mounting)
        right = (answers(weights, test_x) == test_y).mean()
        print(f"mounted as in the {name}: {100 * right:.1f} % of the known states are right")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    floats, calibration = options.out.with_suffix(".float"), options.out.with_suffix(".npz")
    save(weights, floats)
    np.savez(calibration, x=x, y=y)
    api.convert(floats, calibration, options.out)
    print(f"wrote {options.out}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()

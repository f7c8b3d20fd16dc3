#!/usr/bin/env python3
"""Backbones for Fashion-MNIST, trained on the classes 0 to 4 of the training split.

    python examples/backbones/fashion.py [--seed 1] [--epochs 12]

Pre-training tells 20 classes apart: five garments in four orientations. What tells a turned
trouser from an upright one also tells shoes and bags, which it never sees, from each other.
Both models have the same frozen stage, so their latents are interchangeable:

    fashion        learns a convolution and the classifier
    fashion_dense  learns the classifier only
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from deploy import deploy, int8_accuracy
from network import Block, Conv, Flatten, GlobalAverage, blocks, parameters
from torch import Tensor, nn
from training import Batches, accuracy, deterministic, fit, outputs, planes, shuffled

from engram_host.datasets import fashion_mnist

BASE = 5  # classes known to the network
CLASSES = 10
SCALE = 1 / 255
BATCH = 64
LATENT = 16  # channels of the 4x4 latent
FROZEN = (Conv(16, stride=(2, 2)), Conv(32), Conv(32, stride=(2, 2)), Conv(LATENT, stride=(2, 2)))
SHIFT = 2  # pixels


def varied(x: Tensor) -> Tensor:
    """Garments (B, 1, 28, 28): the batch moved by up to SHIFT pixels, half of it mirrored."""
    dy, dx = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
    x = torch.roll(x, (dy, dx), (2, 3))
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)


def turned(batches: Batches) -> Batches:
    """A quarter of each batch in each orientation; class c turned k times becomes 4 c + k."""
    for x, y in batches:
        parts = [torch.rot90(part, k, (2, 3)) for k, part in enumerate(x.chunk(4))]
        yield torch.cat(parts), 4 * y + torch.arange(4).repeat_interleave(len(x) // 4)


def pretrained(x: Tensor, y: Tensor, epochs: int) -> nn.Sequential:
    """The frozen stage."""
    frozen = blocks(1, FROZEN)
    head = nn.Sequential(Block(LATENT, Conv(64)), GlobalAverage(), nn.Linear(64, 4 * BASE))
    batches = turned(shuffled(x, y, BATCH, varied))
    steps = epochs * (len(x) // BATCH)
    fit(nn.Sequential(frozen, head), batches, steps, 0.1, smoothing=0.1)
    return frozen


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of weights and batches (1)")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the data (12)")
    options = parser.parse_args()
    deterministic(options.seed)
    data = fashion_mnist()
    x_base, y_base = data.train_of(list(range(BASE)))
    x, y = planes(x_base, SCALE), torch.from_numpy(y_base.astype(np.int64))
    frozen = pretrained(x, y, options.epochs)
    latents = outputs(frozen, x)

    known = data.y_test < BASE
    x_known, y_known = data.x_test[known], data.y_test[known]
    adaptive = {
        "fashion": nn.Sequential(
            Block(LATENT, Conv(32, (2, 2), (2, 2)), norm=False),
            GlobalAverage(),
            nn.Linear(32, CLASSES),
        ),
        "fashion_dense": nn.Sequential(Flatten(), nn.Linear(4 * 4 * LATENT, CLASSES)),
    }
    source = {"shape": [28, 28, 1], "dtype": "uint8", "scale": SCALE, "zero_point": -128}
    for name, stage in adaptive.items():
        fit(stage, shuffled(latents, y, BATCH), 3 * (len(x) // BATCH), 0.02)
        model = deploy(name, frozen, stage, source, x_base)
        whole = nn.Sequential(frozen, stage)
        real = accuracy(whole, planes(x_known, SCALE), torch.from_numpy(y_known.astype(np.int64)))
        print(
            f"{name}: {parameters(frozen)} + {parameters(stage)} parameters, test samples of the "
            f"classes 0 to 4: float {real:.4f}, int8 {int8_accuracy(model, x_known, y_known):.4f}"
        )


if __name__ == "__main__":
    main()

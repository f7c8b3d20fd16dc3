#!/usr/bin/env python3
"""A backbone for drawn characters: few-shot by nearest prototype, in alphabets it never saw.

    python examples/backbones/omniglot.py [--seed 1] [--steps 1500]

Prototypical networks (Snell, Swersky, Zemel 2017, https://arxiv.org/abs/1703.05175): each step is
a small task of WAYS random characters; SHOTS drawings of each make its prototype, QUERIES more
must lie nearest to it. A character turned by 90, 180 and 270 degrees counts as three more.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from deploy import deploy, latents
from network import Conv, Flatten, blocks, parameters
from torch import Tensor, nn
from training import deterministic, outputs, planes

from engram_host.datasets import omniglot_small
from engram_host.datasets.omniglot import HELD_OUT

SIDE = 28
SCALE = 1 / 255
FROZEN = (
    Conv(32, stride=(2, 2)),
    Conv(48, stride=(2, 2)),
    Conv(64),
    Conv(32, stride=(2, 2)),
)
WAYS, SHOTS, QUERIES = 40, 5, 5
TURN, STRETCH, SLANT, MOVE = 0.25, 0.15, 0.2, 0.125  # radians; shares of the side
DRAWERS = 20
CLASSES = 20  # rows of the classifier on the board, all zero: it knows no character
LATENT = 512
RATE = 2e-3


def bent(x: Tensor) -> Tensor:
    """Drawings (B, 1, H, W), each turned, stretched, slanted and moved a little."""
    n = len(x)

    def spread(most: float) -> Tensor:
        return (2 * torch.rand(n) - 1) * most

    angle = spread(TURN)
    grid = torch.zeros(n, 2, 3)
    grid[:, 0, 0] = angle.cos() * (1 + spread(STRETCH))
    grid[:, 0, 1] = -angle.sin() + spread(SLANT)
    grid[:, 1, 0] = angle.sin()
    grid[:, 1, 1] = angle.cos() * (1 + spread(STRETCH))
    grid[:, 0, 2], grid[:, 1, 2] = spread(MOVE), spread(MOVE)
    places = nn.functional.affine_grid(grid, list(x.shape), align_corners=False)
    return nn.functional.grid_sample(x, places, align_corners=False)


def by_character(x: Tensor, label: np.ndarray) -> Tensor:
    """x (n, ...) -> (characters, DRAWERS, ...)."""
    return torch.stack([x[torch.from_numpy(np.flatnonzero(label == c))] for c in np.unique(label)])


def pretrained(characters: Tensor, steps: int) -> nn.Sequential:
    """The frozen stage, from drawings (characters, DRAWERS, 1, SIDE, SIDE)."""
    known = torch.cat([torch.rot90(characters, k, (3, 4)) for k in range(4)])
    frozen = blocks(1, FROZEN)
    net = nn.Sequential(frozen, Flatten())
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    target = torch.arange(WAYS).repeat_interleave(QUERIES)
    for step in range(1, steps + 1):
        task = torch.stack(
            [
                known[c, torch.randperm(DRAWERS)[: SHOTS + QUERIES]]
                for c in torch.randperm(len(known))[:WAYS]
            ]
        )
        places = net(bent(task.flatten(0, 1))).view(WAYS, SHOTS + QUERIES, -1)
        prototypes, queries = places[:, :SHOTS].mean(dim=1), places[:, SHOTS:].flatten(0, 1)
        distance = torch.cdist(queries, prototypes).square() / LATENT**0.5
        loss = nn.functional.cross_entropy(-distance, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
        if step % (steps // 10) == 0:
            print(f"  step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    return frozen


def few_shot(places: np.ndarray, ways: int, shots: int, tasks: int = 1000) -> float:
    """Accuracy of nearest prototypes over random tasks; places (characters, DRAWERS, elements)."""
    rng = np.random.default_rng(11)
    right = []
    for _ in range(tasks):
        task = places[rng.permutation(len(places))[:ways]][:, rng.permutation(DRAWERS)]
        prototypes = task[:, :shots].mean(axis=1)
        near = task[:, shots:] @ prototypes.T - np.square(prototypes).sum(axis=1) / 2
        right.append((near.argmax(axis=2) == np.arange(ways)[:, None]).mean())
    return float(np.mean(right))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of weights and tasks (1)")
    parser.add_argument("--steps", type=int, default=1500, help="tasks to train on (1500)")
    options = parser.parse_args()
    deterministic(options.seed)
    data = omniglot_small()
    is_test, pixels = data.of_alphabets(HELD_OUT), data.pixels(SIDE)
    frozen = pretrained(
        by_character(planes(pixels[~is_test], SCALE), data.label[~is_test]), options.steps
    )
    frozen.eval()

    adaptive = nn.Sequential(Flatten(), nn.Linear(LATENT, CLASSES))
    nn.init.zeros_(adaptive[1].weight)
    nn.init.zeros_(adaptive[1].bias)
    source = {"shape": [SIDE, SIDE, 1], "dtype": "uint8", "scale": SCALE, "zero_point": -128}
    model = deploy("omniglot", frozen, adaptive, source, pixels[~is_test])
    print(f"omniglot: {parameters(frozen)} + {parameters(adaptive)} parameters")
    labels = data.label[is_test]
    real = outputs(nn.Sequential(frozen, Flatten()), planes(pixels[is_test], SCALE))
    whole = latents(model, pixels[is_test]).reshape(len(labels), -1).astype(np.float32)
    for shots in (5, 1):
        scores = [
            few_shot(by_character(torch.as_tensor(places), labels).numpy(), 20, shots)
            for places in (real, whole)
        ]
        print(f"omniglot: 20-way {shots}-shot: float {scores[0]:.4f}, int8 {scores[1]:.4f}")


if __name__ == "__main__":
    main()

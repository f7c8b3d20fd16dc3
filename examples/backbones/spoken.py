#!/usr/bin/env python3
"""Backbones for spoken words, 49 x 10 MFCCs of a second: FSDD digits and Speech Commands.

    python examples/backbones/spoken.py digits [--seed 1] [--epochs 40]
    python examples/backbones/spoken.py words  [--seed 1] [--epochs 40]

Each knows only the first group of its protocol's classes: the digits 0 to 5, or four words and
the two rejection classes. Beside each model stands one, `_dense`, with the same frozen stage that
learns the classifier only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from deploy import deploy, int8_accuracy
from network import Block, Conv, Flatten, GlobalAverage, blocks, parameters
from torch import Tensor, nn
from training import accuracy, deterministic, fit, outputs, planes, shuffled

from engram_host.datasets import fsdd, speech_commands
from engram_host.datasets.mfcc import FRAMES, STEPS_A_DEVIATION, as_input
from engram_host.datasets.speech import CLASSES, SILENCE, UNKNOWN
from engram_host.datasets.spoken_digits import TEST_TAKES

SCALE = 1 / STEPS_A_DEVIATION  # features in standard deviations
MIDDLE = 128  # the uint8 that is zero
BATCH = 64
FROZEN = (
    Conv(32, (5, 3), (2, 1)),
    Conv(48, (5, 3), (2, 2)),
    Conv(48, (3, 3), (2, 2)),
    Conv(16, (3, 3), (1, 1)),
)
LATENT = (7, 3, 16)
LATER, MASK = 6, 8  # frames that a sound may be moved, or loses, in training


class Task(NamedTuple):
    """Samples x uint8 (n, 49, 10, 1) and labels of both sides, and the classes known at first."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int
    known: list[int]


def digits() -> Task:
    """FSDD; takes 0 to 4 of every speaker are the test."""
    clips = fsdd()
    x, y, test = as_input(clips.features()), clips.label, clips.take < TEST_TAKES
    return Task("spoken_digits", x[~test], y[~test], x[test], y[test], 10, list(range(6)))


def words() -> Task:
    """Speech Commands' test set; 70 of 100 speakers to train on, the others to test."""
    data = speech_commands()
    x, y, train = as_input(data.features), data.label, data.of_training()
    known = [0, 1, 2, 3, UNKNOWN, SILENCE]
    return Task("spoken_words", x[train], y[train], x[~train], y[~train], len(CLASSES), known)


TASKS: dict[str, Callable[[], Task]] = {"digits": digits, "words": words}


def varied(x: Tensor) -> Tensor:
    """Features (B, 1, 49, 10): moved in time, louder, coloured, noisier, with a gap.

    The gap is one of SpecAugment's masks, https://arxiv.org/abs/1904.08779.
    """
    n, at = len(x), torch.arange(FRAMES)
    source = (at - torch.randint(-LATER, LATER + 1, (n, 1))).clamp(0, FRAMES - 1)
    x = torch.gather(x, 2, source[:, None, :, None].expand(-1, 1, -1, x.shape[3]))
    x = x * (1 + 0.15 * torch.randn(n, 1, 1, 1)) + 0.35 * torch.randn(n, 1, 1, x.shape[3])
    x = x + 0.25 * torch.randn_like(x)
    first = torch.randint(0, FRAMES - MASK, (n, 1))
    gap = (at >= first) & (at < first + torch.randint(0, MASK, (n, 1)))
    return x * ~gap[:, None, :, None]


def pretrained(x: Tensor, y: Tensor, epochs: int) -> nn.Sequential:
    """The frozen stage; y counts the known classes from 0."""
    frozen = blocks(1, FROZEN)
    classifier = nn.Linear(64, int(y.max()) + 1)
    head = nn.Sequential(Block(LATENT[2], Conv(64)), GlobalAverage(), nn.Dropout(0.2), classifier)
    steps = epochs * (len(x) // BATCH)
    fit(nn.Sequential(frozen, head), shuffled(x, y, BATCH, varied), steps, 0.1, smoothing=0.1)
    return frozen


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--seed", type=int, default=1, help="of weights and batches (1)")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the data (40)")
    options = parser.parse_args()
    deterministic(options.seed)
    task = TASKS[options.task]()
    base, is_known = np.isin(task.y_train, task.known), np.isin(task.y_test, task.known)
    x_base = task.x_train[base]
    x, y = planes(x_base, SCALE, MIDDLE), torch.from_numpy(task.y_train[base])
    frozen = pretrained(x, torch.searchsorted(torch.tensor(task.known), y), options.epochs)
    latents = outputs(frozen, x)

    adaptive = {
        task.name: nn.Sequential(
            Block(LATENT[2], Conv(32, (2, 2), (2, 1)), norm=False),
            Flatten(),
            nn.Linear(3 * 2 * 32, task.classes),
        ),
        f"{task.name}_dense": nn.Sequential(
            Flatten(), nn.Linear(int(np.prod(LATENT)), task.classes)
        ),
    }
    source = {"shape": [FRAMES, 10, 1], "dtype": "uint8", "scale": SCALE, "zero_point": 0}
    x_known, y_known = task.x_test[is_known], task.y_test[is_known]
    for name, stage in adaptive.items():
        fit(stage, shuffled(latents, y, 32), 10 * (len(x) // 32), 0.03, decay=1e-3)
        model = deploy(name, frozen, stage, source, x_base)
        whole = nn.Sequential(frozen, stage)
        real = accuracy(whole, planes(x_known, SCALE, MIDDLE), torch.from_numpy(y_known))
        print(
            f"{name}: {parameters(frozen)} + {parameters(stage)} parameters, {len(y_known)} test "
            f"samples of the known classes: float {real:.4f}, "
            f"int8 {int8_accuracy(model, x_known, y_known):.4f}"
        )


if __name__ == "__main__":
    main()

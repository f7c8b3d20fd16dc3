"""What the training of all backbones has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

Batches = Iterator[tuple[Tensor, Tensor]]


def deterministic(seed: int) -> None:
    """One thread and one seed: the same machine then gives the same weights."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)


def fit(
    net: nn.Module,
    batches: Batches,
    steps: int,
    lr: float,
    decay: float = 5e-4,
    smoothing: float = 0.0,
) -> None:
    """SGD with Nesterov momentum under a one-cycle rate; prints the loss ten times.

    batches: endless pairs of inputs (B, ...) and classes (B,). lr: the highest rate.
    smoothing: of the labels, https://arxiv.org/abs/1512.00567
    """
    net.train()
    optimiser = torch.optim.SGD(
        net.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=decay
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    total = 0.0
    for step in range(1, steps + 1):
        x, y = next(batches)
        loss = nn.functional.cross_entropy(net(x), y, label_smoothing=smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
        total += loss.item()
        if step * 10 // steps > (step - 1) * 10 // steps:
            print(f"  step {step} of {steps}: mean loss {total / step:.3f} so far", flush=True)
    net.eval()


def shuffled(
    x: Tensor, y: Tensor, batch: int, change: Callable[[Tensor], Tensor] = lambda x: x
) -> Batches:
    """Endless batches: every sample once a round, each batch through `change`."""
    while True:
        order = torch.randperm(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            rows = order[start : start + batch]
            yield change(x[rows]), y[rows]


def outputs(net: nn.Module, x: Tensor, batch: int = 500) -> Tensor:
    """net(x) without gradients, a batch at a time."""
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part) for part in x.split(batch)])


def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of samples whose highest output is their class."""
    return float((outputs(net, x).argmax(dim=1) == y).float().mean())


def planes(x: np.ndarray, scale: float, offset: int = 0) -> Tensor:
    """Samples uint8 (n, H, W, C) -> float32 (n, C, H, W) = (x - offset) * scale."""
    real = (torch.from_numpy(np.ascontiguousarray(x)).float() - offset) * scale
    return real.permute(0, 3, 1, 2).contiguous()

"""The networks of the backbones in PyTorch, and the way from there to the float model file.

A network is a frozen part of blocks (convolution, batch normalisation, ReLU) and an adaptive part
of layers. Batch normalisation exists while training only: it is folded into the convolution when
the model is written, because the board's kernels have none.

    w' = w * gamma / sqrt(var + eps),  b' = beta - mean * gamma / sqrt(var + eps)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engram_host.convert import model_file


class Conv(NamedTuple):
    """One convolution: output channels, kernel, stride, and whether it goes channel by channel."""

    channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    depthwise: bool = False


class Block(nn.Module):
    """Convolution, batch normalisation, ReLU. An odd kernel is padded by half its size.

    source: channels of the input. norm: False leaves out the normalisation, as the board trains.
    """

    def __init__(self, source: int, conv: Conv, norm: bool = True) -> None:
        super().__init__()
        self.spec = conv
        self.pad = ((conv.kernel[0] - 1) // 2, (conv.kernel[1] - 1) // 2)
        self.conv = nn.Conv2d(
            source,
            conv.channels,
            conv.kernel,
            conv.stride,
            self.pad,
            groups=source if conv.depthwise else 1,
            bias=not norm,
        )
        self.norm = nn.BatchNorm2d(conv.channels) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) -> (B, K, OH, OW)"""
        return torch.relu(self.norm(self.conv(x)))

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (K, R, S, C), or (R, S, C) of a depthwise block, and bias (K), float32."""
        norm, w, b = self.norm, self.conv.weight.detach(), self.conv.bias
        if isinstance(norm, nn.BatchNorm2d):
            factor = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
            w, b = w * factor[:, None, None, None], norm.bias - norm.running_mean * factor
        order = w[:, 0].permute(1, 2, 0) if self.spec.depthwise else w.permute(0, 2, 3, 1)
        return order.contiguous().numpy(), b.detach().numpy()

    def entry(self, name: str) -> dict[str, Any]:
        """This block in the graph of a float model file."""
        return {
            "op": "depthwise" if self.spec.depthwise else "conv2d",
            "w": f"{name}.w",
            "b": f"{name}.b",
            "kernel": self.spec.kernel,
            "stride": self.spec.stride,
            "pad": [*self.pad, *self.pad],
            "relu": True,
        }


class GlobalAverage(nn.Module):
    """The mean over all positions."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) -> (B, C)"""
        return x.mean(dim=(2, 3))


class Flatten(nn.Module):
    """All elements of a sample in the board's order: rows, columns, channels."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) -> (B, H W C)"""
        return x.permute(0, 2, 3, 1).flatten(1)


def blocks(source: int, convs: Sequence[Conv]) -> nn.Sequential:
    """A row of blocks; source: channels of the input."""
    row = []
    for conv in convs:
        row.append(Block(source, conv))
        source = conv.channels
    return nn.Sequential(*row)


def _plain(index: int, layer: nn.Module) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Graph entry and tensors of one layer, whose name gets its index."""
    if isinstance(layer, Block):
        name = f"conv{index}"
        w, b = layer.folded()
        return layer.entry(name), {f"{name}.w": w, f"{name}.b": b}
    if isinstance(layer, nn.Linear):
        tensors = {
            "classifier.w": layer.weight.detach().numpy(),
            "classifier.b": layer.bias.detach().numpy(),
        }
        return {"op": "dense", "w": "classifier.w", "b": "classifier.b"}, tensors
    return {"op": {GlobalAverage: "global_avgpool", Flatten: "flatten"}[type(layer)]}, {}


def write(
    path: Path,
    name: str,
    frozen: nn.Sequential,
    adaptive: nn.Sequential,
    source: dict[str, Any],
) -> int:
    """Writes the float model file; returns its size in bytes.

    source: the graph's input, {"shape": [H, W, C], "dtype", "scale", "zero_point"}.
    """
    entries, tensors = [], {}
    for index, layer in enumerate([*frozen, *adaptive]):
        entry, own = _plain(index, layer)
        entries.append(entry)
        tensors.update(own)
    graph = {
        "name": name,
        "classes": adaptive[-1].out_features,
        "input": source,
        "layers": entries,
        "frozen": len(frozen),
    }
    return model_file.write(path, tensors, {"engram_float": "1", "graph": json.dumps(graph)})


def parameters(*parts: nn.Sequential) -> int:
    """Weights and biases once batch normalisation is folded."""
    return sum(
        tensor.size
        for part in parts
        for i, layer in enumerate(part)
        for tensor in _plain(i, layer)[1].values()
    )

"""RAM that learning takes, by the library's own plan: `model`."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from engram.continual.config import Config
from engram.nn.model import ModelSpec

# Options of Learner that decide what memory it takes.
PLANNED = (
    "strategy",
    "scope",
    "optimiser",
    "momentum",
    "clip",
    "micro",
    "keep",
    "skip",
    "format",
    "rounding",
)


def of(raw: bytes, batch: int, options: Mapping[str, Any] = {}, micro: int = 1) -> dict[str, int]:
    """{"train_bytes"} of a model file: weights, gradients and activations in one block, for a
    micro-batch of one sample, and of its frozen stage where it has one."""
    chosen = {name: options[name] for name in PLANNED if name in options}
    config = Config(ModelSpec(BytesIO(raw)), batch, **{"micro": micro, "momentum": 0.0, **chosen})
    return {"train_bytes": config.plan().layout.block_bytes}

"""Latents that a model file carries for replay: a few of each class that the model knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError
from engram.store.format import NO_CLASS
from engram_host.samples.data import Samples

from .model_file import Tensors
from .reference import DeviceModel

PER_CLASS = 20  # unless another number is asked for
PREFIX = "rehearsal."


def carried(device: DeviceModel, samples: Samples, per_class: int = PER_CLASS) -> Tensors:
    """The tensors of the latents that a model file carries, as engram.nn.model describes them.

    samples: of the classes that the model knows. per_class: at most so many of each class, chosen
    by herding (herded()); the first of each class come first, then the second, so that any number
    of them is balanced. Raises DataError on samples that the model does not learn from.
    """
    head, values = device.classes, device.targets
    if not len(samples):
        raise DataError("expected samples of the classes that the model knows, got none")
    samples.check(head, values)
    if per_class < 1:
        raise DataError(f"expected at least 1 latent per class, got {per_class}")
    if head and samples.labels.max() >= head:
        raise DataError(
            f"expected samples of the {head} classes that the model knows, from 0 to {head - 1}, "
            f"got label {samples.labels.max()}"
        )
    shape = device.graph["input"]["shape"]
    if samples.x[0].size != np.prod(shape):
        raise DataError(
            f"expected samples of {np.prod(shape)} values to rehearse, as the model takes them, "
            f"got samples of {samples.x[0].size}"
        )
    latents = device.latents(samples.x.reshape(-1, *shape)).reshape(len(samples), -1)
    real = device.latent_scale.dequantize(latents)
    labels = np.full(len(samples), NO_CLASS) if samples.y is None else samples.labels
    ranks = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ranks += list(enumerate(rows[herded(real[rows], per_class)]))
    selection = [int(row) for _, row in sorted(ranks, key=lambda pair: pair[0])]
    tensors: Tensors = {
        PREFIX + "latents": latents[selection],
        PREFIX + "labels": labels[selection].astype(np.uint8).view(np.int8),
    }
    if samples.targets is not None:
        tensors[PREFIX + "targets"] = samples.targets[selection]
    return tensors


def herded(vectors: NDArray[np.float32], count: int) -> list[int]:
    """The rows of vectors (n, elements), at most `count`, whose mean stays closest to that of all:
    herding as in iCaRL (Rebuffi et al., CVPR 2017, algorithm 4), on vectors of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths == 0, 1, lengths)
    mean, total = unit.mean(axis=0), np.zeros(unit.shape[1])
    rows: list[int] = []
    for k in range(1, min(count, len(unit)) + 1):
        distances = np.linalg.norm(mean - (total + unit) / k, axis=1)
        distances[rows] = np.inf
        rows.append(int(distances.argmin()))
        total += unit[rows[-1]]
    return rows

"""The joint-training bound: what the same model reaches when it sees all classes at once.

The same device library trains the same adaptive stage from the same int8 latents with the same
optimiser, on this computer, with the training data of every class mixed. What a continual learner
lacks to this bound is what learning one class after the other costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..convert import DeviceModel
from ..datasets import Dataset
from ..learning.latent_store import LatentStore
from ..report.schema import Joint

Progress = Callable[[int, int], None]  # (steps done, of)


def joint_training(
    model_path: Path | str,
    data: Dataset,
    groups: Sequence[Sequence[int]],
    *,
    epochs: int,
    batch: int = 16,
    lr: float = 0.03,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    seed: int = 1,
    progress: Progress | None = None,
) -> Joint:
    """Accuracy of joint training on the first group, on the first two, and so on to all.

    groups: the classes that each session brings. Each entry starts from the model file again and
    is tested on the test samples of the classes it was trained on. Raises DataError on samples
    that the model does not take.
    """
    latents = DeviceModel(model_path).latents(data.x_train)
    members = [np.isin(data.y_train, _flat(groups[: i + 1])) for i in range(len(groups))]
    total = sum(epochs * -(-int(rows.sum()) // batch) for rows in members)
    steps = 0
    accuracy = []
    for i, mask in enumerate(members):
        store = LatentStore.of(latents[mask], data.y_train[mask])
        learner = _learner(
            model_path,
            store,
            batch=batch,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            seed=seed,
        )
        for _ in learner.steps(epochs=epochs, replay=False):
            steps += 1
            if progress:
                progress(steps, total)
        tests = np.isin(data.y_test, _flat(groups[: i + 1]))
        result = learner.evaluate(_samples(data.x_test[tests], data.y_test[tests]))
        accuracy.append(result["correct"] / result["n"])
    return {"accuracy": accuracy}


def _learner(model_path, store: LatentStore, **options):  # type: ignore[no-untyped-def]
    # Imported here: everything else of the host works without the kernels being built.
    from engram.continual.learner import Learner
    from engram.nn.model import ModelSpec

    with open(model_path, "rb") as stream:
        return Learner(ModelSpec(stream), store, budget=store.capacity, **options)


def _samples(x: NDArray[np.generic], y: NDArray[np.uint8]) -> Iterator[tuple[memoryview, int]]:
    """Samples as the learner takes them: flat buffers."""
    for row, label in zip(np.ascontiguousarray(x).reshape(len(x), -1), y.tolist()):
        yield memoryview(row), label


def _flat(groups: Sequence[Sequence[int]]) -> list[int]:
    return [c for group in groups for c in group]

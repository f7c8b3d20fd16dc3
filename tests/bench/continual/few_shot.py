"""P11 through the device library: 20-way few-shot learning with nearest class means.

A learner with the strategy `ncm` observes the support of an episode, takes one pass over it and
predicts the queries. Each episode is a new learner: nothing is left from the one before.
"""

from __future__ import annotations

from collections.abc import Iterator

import cells
import latents
import latents_protocols as protocols
import numpy as np

from engram.backend import kernels
from engram.continual.learner import Learner
from engram.nn.model import ModelSpec
from engram_host.learning.latent_store import LatentStore

WAYS, TASKS = 20, 100
MODEL = latents.MODELS / "omniglot.safetensors"


def rows(folder=None) -> Iterator[dict]:
    """A row for 1 and 5 shots, 8 and 4 bits, and each seed: the mean over TASKS episodes."""
    drawings = protocols.drawings()
    values = latents.cached(MODEL, drawings.x, folder or latents.CACHE)
    for shots, bits in ((5, 8), (1, 8), (5, 4)):
        for seed in cells.SEEDS:
            tasks = protocols.episodes(drawings.label, drawings.drawer, WAYS, shots, TASKS, seed)
            right = [episode_accuracy(values, task, bits, seed) for task in tasks]
            yield {
                "row": "few_shot",
                "protocol": "P11",
                "model": MODEL.stem,
                "setting": f"{WAYS}-way {shots}-shot, {bits} bits",
                "seed": seed,
                "accuracy": float(np.mean(right)),
                "kind": "host",
            }


def episode_accuracy(values: np.ndarray, task: protocols.Episode, bits: int, seed: int) -> float:
    """Share of the queries that a learner gets right after one pass over the support."""
    ways, shots = task.support.shape
    store = LatentStore(ways * shots, values.shape[1], bits)
    with open(MODEL, "rb") as stream:
        learner = Learner(
            ModelSpec(stream), store, batch=ways, strategy="ncm", seed=seed, budget=ways * shots
        )
    packed = bytearray(store.latent_bytes)
    for label, members in enumerate(task.support):
        for i in members:
            kernels.pack_s8(packed, values[i].view(np.uint8), bits)
            store.append(packed, label, 0)
    learner.learn(epochs=1)
    queries = values[task.query.reshape(-1)]
    labels = np.repeat(np.arange(ways), task.query.shape[1])
    return latents.accuracy(MODEL, learner, queries, labels)

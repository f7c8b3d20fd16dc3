"""A pre-trained network and a drift of its camera: what fine-tuning of all layers starts from."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import scratch
import situations
from variants import REFERENCE, VARIANTS

from engram.nn.model import ModelSpec
from engram_host.datasets import Dataset, fashion_mnist

AMOUNT = 0.6  # turned by 36 degrees, 0.7 as bright, noise of deviation 12
SAMPLES = 5000  # that come from the camera as it is now
PRETRAINED = scratch.Set("", fashion_mnist, 4)


def images(seed: int) -> Dataset:
    """Fashion-MNIST after the drift: SAMPLES to learn, 10,000 to test."""
    data, rng = fashion_mnist(), np.random.default_rng(seed)
    rows = rng.permutation(len(data.x_train))[:SAMPLES]
    x_train, x_test = (
        situations.drifted(x.reshape(-1, 28, 28), AMOUNT, rng)[..., None]
        for x in (data.x_train[rows], data.x_test)
    )
    return Dataset(x_train, data.y_train[rows], x_test, data.y_test)


def model(seed: int, folder: Path) -> bytes:
    """The file of SMALL_CNN that has learned clean Fashion-MNIST; kept in a folder."""
    path = folder / f"fashion-{seed}.safetensors"
    if not path.is_file():
        data, variant = fashion_mnist(), VARIANTS[REFERENCE]
        raw = bytearray(scratch.untrained(data, seed))
        _, learner = scratch.learned(bytes(raw), data, PRETRAINED, variant, seed)
        put_weights(raw, learner)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return path.read_bytes()


def put_weights(raw: bytearray, learner: scratch.Learner) -> None:
    """The float32 model file of a learner, its weights those that were learned."""
    params = np.frombuffer(learner.stage.params, np.float32)
    rows = np.array(learner.stage.origins).reshape(-1, 3)
    for first, offset, n in rows:
        raw[offset : offset + 4 * n] = params[first : first + n].astype("<f4").tobytes()


def accuracy_before(raw: bytes, data: Dataset) -> float:
    """The accuracy of the model file as it is, on the pictures after the drift."""
    learner = scratch.Learner(ModelSpec(BytesIO(raw)), batch=1)
    return scratch.right(learner, data) / len(data.y_test)

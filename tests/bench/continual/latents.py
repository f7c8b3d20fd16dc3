"""int8 latents of a data set, by the device library's frozen stage with the C kernels; cached.

    python tests/bench/continual/latents.py P1 [P3 P5 P11]

The frozen stage never changes, so a benchmark over many seeds, budgets and policies needs each
latent once. They are kept in out/latents/, under the identity of the frozen stage and of the data,
so a new model or another split is never mistaken for an old one. The command also trains the
adaptive stage on the latents of all classes at once, which is the bound for a learner that meets
them one after the other.
"""

from __future__ import annotations

import argparse
import sys
from binascii import crc32
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host")]

import latents_protocols as protocols  # noqa: E402

from engram.backend import kernels  # noqa: E402
from engram.continual.learner import Learner  # noqa: E402
from engram.nn.model import ModelSpec  # noqa: E402
from engram_host.learning.latent_store import LatentStore  # noqa: E402

MODELS = ROOT / "examples" / "backbones" / "models"
CACHE = ROOT / "out" / "latents"


def frozen_latents(model: Path, x: np.ndarray) -> np.ndarray:
    """int8 (n, latent elements) of samples x (n, ...) of the model's input dtype."""
    with open(model, "rb") as stream:
        spec = ModelSpec(stream)
        learner = Learner(spec, batch=1)
    out = np.empty((len(x), spec.latent_elems), np.int8)
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    if rows.shape[1] != spec.input_elems or rows.dtype != spec.graph["input"]["dtype"]:
        raise ValueError(
            f"{model.name}: {spec.input_elems} {spec.graph['input']['dtype']} a sample expected, "
            f"{rows.shape[1]} {rows.dtype} came"
        )
    for latent, row in zip(out, rows):
        latent[:] = np.frombuffer(learner.latent(row), np.int8)
    return out


def cached(model: Path, x: np.ndarray, folder: Path = CACHE) -> np.ndarray:
    """frozen_latents(model, x), kept in a folder from one run to the next."""
    with open(model, "rb") as stream:
        identity = ModelSpec(stream).latent_id
    rows = np.ascontiguousarray(x)
    file = folder / f"{model.stem}-{identity:08x}-{crc32(rows.data):08x}-{len(rows)}.npz"
    if file.is_file():
        with np.load(file) as arrays:
            return arrays["latents"]
    folder.mkdir(parents=True, exist_ok=True)
    values = frozen_latents(model, rows)
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, latents=values)
    part.replace(file)
    return values


def joint_learner(
    model: Path,
    latents: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    batch: int = 16,
    lr: float = 0.03,
    seed: int = 1,
) -> Learner:
    """A learner whose adaptive stage was trained on all latents at once, in mixed order.

    latents: int8 (n, elements), labels (n,), n at most 65535.
    """
    store = LatentStore.of(latents, labels.astype(np.uint8))
    with open(model, "rb") as stream:
        learner = Learner(
            ModelSpec(stream), store, batch=batch, lr=lr, seed=seed, budget=len(labels)
        )
    for _ in learner.steps(epochs=epochs, replay=False):
        pass
    return learner


def logits(model: Path, learner: Learner, latents: np.ndarray) -> np.ndarray:
    """float32 (n, classes): what the learner of a model says to int8 latents (n, elements)."""
    with open(model, "rb") as stream:
        qp = ModelSpec(stream).quantization("latent")
    out = np.empty((len(latents), learner.classes), np.float32)
    batch, stage = learner.batch, learner.stage
    filled = np.zeros((batch, latents.shape[1]), np.int8)
    for start in range(0, len(latents), batch):
        part = latents[start : start + batch]
        filled[: len(part)] = part
        kernels.dequantize_s8(stage.x, filled.reshape(-1).view(np.uint8), qp)
        stage.forward()
        answers = np.frombuffer(stage.outputs[learner.head_name], np.float32)
        answers = answers.reshape(batch, learner.classes)
        out[start : start + len(part)] = answers[: len(part)]
    return out


def accuracy(model: Path, learner: Learner, latents: np.ndarray, labels: np.ndarray) -> float:
    """Share of latents (n, elements) whose class is their label."""
    return float((logits(model, learner, latents).argmax(axis=1) == labels).mean())


def joint(name: str, epochs: int, lr: float, seed: int) -> None:
    """Prints what joint training reaches, for each model of a class-incremental protocol."""
    stream = protocols.CLASS_INCREMENTAL[name]()
    for model in protocols.MODELS[name]:
        path = MODELS / f"{model}.safetensors"
        train, test = cached(path, stream.x_train), cached(path, stream.x_test)
        learner = joint_learner(path, train, stream.y_train, epochs, lr=lr, seed=seed)
        print(
            f"{name} {model}: {train.shape[1]} bytes a latent; joint training on {len(train)} "
            f"latents, {epochs} epochs: {accuracy(path, learner, test, stream.y_test):.4f} "
            f"of {len(test)} (host, seed {seed})"
        )


def few_shot(tasks: int, seed: int) -> None:
    """Prints what nearest prototypes reach on P11's alphabets."""
    drawings = protocols.drawings()
    values = cached(MODELS / "omniglot.safetensors", drawings.x)
    for shots in (1, 5):
        right = [
            protocols.prototype_accuracy(values, episode)
            for episode in protocols.episodes(
                drawings.label, drawings.drawer, 20, shots, tasks, seed
            )
        ]
        print(
            f"P11 omniglot: {values.shape[1]} bytes a latent; 20-way {shots}-shot "
            f"{np.mean(right):.4f}, standard deviation {np.std(right):.4f} over {tasks} tasks "
            f"(host, seed {seed})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("protocols", nargs="+", choices=sorted(protocols.MODELS))
    parser.add_argument("--epochs", type=int, default=3, help="of joint training (3)")
    parser.add_argument("--lr", type=float, default=0.03, help="of joint training (0.03)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=1000, help="of few-shot learning (1000)")
    options = parser.parse_args()
    for name in options.protocols:
        if name in protocols.CLASS_INCREMENTAL:
            joint(name, options.epochs, options.lr, options.seed)
        else:
            few_shot(options.tasks, options.seed)


if __name__ == "__main__":
    main()

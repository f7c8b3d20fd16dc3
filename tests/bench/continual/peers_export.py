"""What the peer's job needs: latents, labels, order and first weights of P1, as numpy files.

    python tests/bench/continual/peers_export.py out/bench/peers

A file a seed, with exactly the samples and the order that a cell of that seed observes.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host")]

import cells  # noqa: E402
import latents_protocols as protocols  # noqa: E402
import numpy as np  # noqa: E402
import peers_settings  # noqa: E402
import streams  # noqa: E402

from engram.nn.model import ModelSpec  # noqa: E402


def export(folder: Path) -> None:
    """seed-<n>.npz for the benchmark's seeds and for those to choose settings with."""
    folder.mkdir(parents=True, exist_ok=True)
    data = streams.data_of(protocols.fashion(), cells.DENSE["P1"])
    with open(data.model, "rb") as stream:
        spec = ModelSpec(stream)
        scale, zero = spec.quantization("latent")
        weights = np.empty((spec.classes, data.x_train.shape[1]), np.float32)
        biases = np.empty(spec.classes, np.float32)
        head = spec.net.head
        spec.file.read_into(head["w"], weights.reshape(-1).view(np.uint8))
        spec.file.read_into(head["b"], biases.view(np.uint8))
    test = (data.x_test.astype(np.float32) - zero) * scale
    for seed in (*peers_settings.TUNING_SEEDS, *peers_settings.SEEDS):
        brings = streams.drawn(data, cells.EACH["P1"], seed)
        rows = np.concatenate(brings)
        np.savez_compressed(
            folder / f"seed-{seed}.npz",
            x=(data.x_train[rows].astype(np.float32) - zero) * scale,
            y=data.y_train[rows].astype(np.int64),
            ends=np.cumsum([len(b) for b in brings]),
            x_test=test,
            y_test=data.y_test.astype(np.int64),
            known=len(data.groups[0]),
            w=weights,
            b=biases,
        )


if __name__ == "__main__":
    export(Path(sys.argv[1]))

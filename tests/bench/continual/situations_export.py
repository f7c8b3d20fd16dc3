"""The situations as .npz files, for a library with a Python of its own.

python tests/bench/continual/situations_export.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host")]

import defaults  # noqa: E402
import situations  # noqa: E402


def arrays(situation: situations.Situation) -> dict[str, np.ndarray]:
    """Head, memory, sessions and tests; latents as the float32 values that they stand for."""
    table, start = situations.tensors(situation.model)
    graph = json.loads(table["__metadata__"]["graph"])
    head, latent = graph["adaptive"][-1], graph["latent"]

    def tensor(name: str) -> np.ndarray:
        first, end = (start + at for at in table[name]["data_offsets"])
        raw = np.frombuffer(situation.model[first:end], np.float32)
        return raw.reshape(table[name]["shape"])

    def values(x: np.ndarray) -> np.ndarray:
        return ((x.astype(np.float32) - latent["zero_point"]) * latent["scale"]).astype(np.float32)

    out = {"w": tensor(head["w"]), "b": tensor(head["b"]), "known": np.array(situation.known)}
    parts = {"memory": [situation.memory], "session": situation.sessions, "test": situation.tests}
    for name, several in parts.items():
        for i, part in enumerate(several):
            out[f"{name}{i}_x"], out[f"{name}{i}_y"] = values(part.x), part.y.astype(np.int64)
    return out


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    get = defaults.Situations()
    for name in defaults.NAMES:
        for seed in defaults.TUNING_SEEDS + defaults.SEEDS:
            np.savez(folder / f"{name}-{seed}.npz", **arrays(get(name, seed)))
        print(f"{name}: wrote {folder}/{name}-*.npz")


if __name__ == "__main__":
    main()

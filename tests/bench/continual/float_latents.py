"""Latents that are not quantized: the 32-bit reference of the benchmark.

The frozen stage runs in float32 with the weights that the device has (int8 values times their
scale): no activation is rounded, and none is cut at the upper end of int8. A replay store for
them keeps the float32 values beside the records, on this computer only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engram.nn.formats import s8
from engram.nn.model import ModelSpec


def _tensor(spec: ModelSpec, name: str, shape, dtype) -> np.ndarray:
    out = np.empty(shape, dtype)
    spec.file.read_into(name, out.reshape(-1).view(np.uint8))
    return out


def _windows(x: np.ndarray, layer: dict) -> np.ndarray:
    """(n, H', W', R, S, C) windows of x (n, H, W, C), its padding filled with zeros."""
    (r, s), (dy, dx), (top, left, bottom, right) = layer["kernel"], layer["stride"], layer["pad"]
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (r, s), (1, 2))
    view = view[:, ::dy, ::dx][:, : layer["out"][0], : layer["out"][1]]
    return view.transpose(0, 1, 2, 4, 5, 3)


def _layer(spec: ModelSpec, layer: dict, x: np.ndarray) -> np.ndarray:
    """One layer, in units of the int8 steps of its output above its zero point."""
    op = layer["op"]
    _, zero, low, _ = layer["q"]
    if op in ("avgpool", "global_avgpool"):
        return _windows(x, layer).mean(axis=(3, 4)) if op == "avgpool" else x.mean((1, 2), None)
    kinds = {"I8": np.int8, "I32": np.int32}
    w, bias, mult, shift = (
        _tensor(spec, name, shape, kinds[dtype]).astype(np.float64)
        for name, dtype, shape in ((layer[k], d, n) for k, d, n in s8.tensors(layer))
    )
    if op == "dense":
        sums = x.reshape(len(x), -1) @ w.T
    elif op == "depthwise":
        sums = np.einsum("nhwrsc,rsc->nhwc", _windows(x, layer), w)
    else:
        patches = _windows(x, layer)
        flat = patches.reshape(-1, w[0].size).astype(np.float32) @ w.reshape(len(w), -1).T.astype(
            np.float32
        )
        sums = flat.reshape(*patches.shape[:3], len(w))
    return np.maximum((sums + bias) * mult * 2.0 ** (shift - 31), low - zero)


def float_latents(model: Path, x: np.ndarray, part: int = 2000) -> np.ndarray:
    """float32 (n, elements): the latents of uint8 samples x (n, H, W, C)."""
    with open(model, "rb") as stream:
        spec = ModelSpec(stream)
        scale = spec.graph["latent"]["scale"]
        out = np.empty((len(x), spec.latent_elems), np.float32)
        for at in range(0, len(x), part):
            # u8_to_s8 takes 128 away; the zero point goes too, so that padding is zero
            value = x[at : at + part].astype(np.float32) - 128 - spec.graph["input"]["zero_point"]
            for layer in spec.net.frozen:
                value = _layer(spec, layer, value.reshape(len(value), *layer["shapes"][0]))
            out[at : at + part] = value.reshape(len(value), -1) * scale
    return out


class FloatReader:
    """Reads float32 latents into the rows of a batch, as continual.reading.LatentReader does.

    values: float32 (slots of the store, elements), filled by the caller.
    """

    def __init__(self, learner, values: np.ndarray) -> None:
        self.values = values
        self._store, self._slots = learner.store, learner.slots
        self._labels = learner.labels
        self._out = np.frombuffer(learner.stage.x, np.float32).reshape(learner.batch, -1)

    def rows(self) -> None:
        """There is no tape that reads these."""

    def read(self, at: int, count: int) -> int:
        for row in range(at, at + count):
            slot = self._slots[row]
            self._out[row] = self.values[slot]
            self._labels[row] = self._store.labels[slot]
        return at + count

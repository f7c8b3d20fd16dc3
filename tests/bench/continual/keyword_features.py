"""Pooled features of the MLPerf Tiny keyword model on clean and noisy clips: protocol P12.

The weights are read from its float .tflite (Apache-2.0); the forward pass is numpy. Kept in
out/latents.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engram_host.datasets import place
from engram_host.imports import kinds, pipeline
from engram_host.imports.network import Layer

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / "out" / "latents"
SNR_DB = (5, 0)
ADAPT_FOLDS = (1, 2)  # of the noise; the others are for the test


class Features(NamedTuple):
    """float32 (n, 64) features. part: 0 to adapt, 1 to test; noisy: by name of the noise."""

    clean: np.ndarray
    noisy: dict[str, np.ndarray]
    y: np.ndarray
    part: np.ndarray


def _front_end():
    """The data folder's features.py: the front end that the model was trained with."""
    path = place.given("", "features.py")
    if path is None:
        raise place.DataUnavailable("P12: expected features.py in ENGRAM_DATA, got none")
    sys.path.insert(0, str(path.parent))
    import features

    return features


class Network:
    """DS-CNN: conv 10x4, four blocks of depthwise 3x3 and pointwise, mean. Float32."""

    def __init__(self, path: Path) -> None:
        self._layers = []
        for layer in pipeline.read(path).layers:
            if layer.op in ("conv2d", "depthwise"):
                deep = layer.op == "depthwise"
                w, b = real_weights(layer)
                down, right = layer.attributes["stride"]
                self._layers.append((deep, w[None] if deep else w, b, down, right))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x float32 (n, 49, 10) -> (n, 64): the mean over all places of the last block."""
        y = x[..., None].astype(np.float32)
        for deep, w, b, down, right in self._layers:
            y = np.maximum(_convolved(y, w, b, down, right, deep), 0)
        return y.mean(axis=(1, 2))


def real_weights(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of a layer, float32; the file holds large weights as int8 with scales."""
    axes = kinds.channel_axes(layer.op)
    w, b = (tensor.real(axes[key]) for key, tensor in layer.tensors.items())
    return w, b


def _convolved(x, w, b, down, right, deep):
    """A convolution with padding "same". w: (out, h, w, in), depthwise (1, h, w, channels)."""
    high, wide = w.shape[1:3]
    pads = [_same(x.shape[1], high, down), _same(x.shape[2], wide, right)]
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (high, wide), (1, 2))
    windows = windows[:, ::down, ::right]  # (n, rows, columns, channels, h, w)
    if deep:
        return np.einsum("nrcihw,hwi->nrci", windows, w[0], optimize=True) + b
    flat = windows.reshape(*windows.shape[:3], -1)
    return flat @ w.transpose(3, 1, 2, 0).reshape(-1, len(w)) + b


def _same(size, kernel, stride):
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def features(noises: tuple[str, ...]) -> Features:
    """The features of all clips of audio_8k, clean and in each noise at SNRs of SNR_DB in turn."""
    file = CACHE / f"keywords-{'-'.join(noises)}.npz"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, **_computed(noises))
    with np.load(file) as arrays:
        return Features(
            arrays["clean"], {n: arrays[n] for n in noises}, arrays["y"], arrays["part"]
        )


def _computed(noises: tuple[str, ...]) -> dict[str, np.ndarray]:
    front = _front_end()
    paths = [
        place.given("speech_commands_test", "audio_8k.npz"),
        place.given("noise", "noise_8k.npz"),
        place.given("mlperf_tiny", "kws_ref_model_float32.tflite"),
    ]
    if None in paths:
        raise place.DataUnavailable(
            "P12: expected speech_commands_test/audio_8k.npz, noise/noise_8k.npz and "
            "mlperf_tiny/kws_ref_model_float32.tflite in ENGRAM_DATA"
        )
    network = Network(paths[2])
    with np.load(paths[0]) as arrays:
        audio, y, part = arrays["audio"], arrays["label"].astype(int), arrays["part"]
    out = {"y": y, "part": part, "clean": _features(network, front, audio)}
    with np.load(paths[1]) as arrays:
        names = list(arrays["class_names"])
        for name in noises:
            of = arrays["label"] == names.index(name)
            folds = np.isin(arrays["fold"], ADAPT_FOLDS)
            tracks = arrays["audio"][of & folds], arrays["audio"][of & ~folds]
            rng = np.random.default_rng(1)
            mixed = [
                front.mix(clip, tracks[p][i % len(tracks[p])], SNR_DB[i // 7 % len(SNR_DB)], rng)
                for i, (clip, p) in enumerate(zip(audio, part))
            ]
            out[name] = _features(network, front, np.stack(mixed))
    return out


def _features(network, front, audio) -> np.ndarray:
    inputs = np.stack([front.kws_input(clip) for clip in audio]).astype(np.float32)
    real = (inputs - front.KWS_ZERO_POINT) * front.KWS_SCALE
    return np.concatenate([network(real[i : i + 100]) for i in range(0, len(real), 100)])

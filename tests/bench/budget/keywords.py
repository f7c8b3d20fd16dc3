"""DS-CNN S, the keyword model of MLPerf Tiny, cut in two places: latents, and what learns on them.

    head    the mean over all places of the last block (64) -> dense 12
    block   the output of the block before (25, 5, 64) -> depthwise 3x3, pointwise, mean, dense 12

Weights of its float .tflite (Apache-2.0), the clips of Speech Commands as it takes them. The
frozen stage is computed once here, in numpy, and quantized to int8: a step of learning does not
run it. Batch normalisation lies in the weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keyword_features
import numpy as np
import scratch_networks as networks

from engram_host.datasets import Dataset, place
from engram_host.imports import pipeline

CLASSES, CHANNELS, PLACES = 12, 64, [25, 5, 64]
CLIPS = 64  # of which latents are made
CACHE = keyword_features.CACHE


class Cut(NamedTuple):
    """raw: the model file, its latent its input. x: uint8 (n, ...), y: (n,) labels."""

    raw: bytes
    x: np.ndarray
    y: np.ndarray


def cut(where: str) -> Cut:
    """The model from "head" or "block" on. Raises DataUnavailable."""
    model = place.given("mlperf_tiny", "kws_ref_model_float32.tflite")
    clips = place.given("speech_commands_test", "kws_reference_inputs.npz")
    if model is None or clips is None:
        raise place.DataUnavailable(
            "DS-CNN S: expected mlperf_tiny/kws_ref_model_float32.tflite and "
            "speech_commands_test/kws_reference_inputs.npz in ENGRAM_DATA"
        )
    file = CACHE / f"ds_cnn_s-{where}-{CLIPS}.npz"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, **_computed(where, model, clips))
    with np.load(file) as arrays:
        return Cut(arrays["raw"].tobytes(), arrays["x"], arrays["y"])


def _computed(where: str, model: Path, clips: Path) -> dict[str, Any]:
    front = keyword_features._front_end()
    layers = keyword_features.Network(model)._layers
    last = len(layers) if where == "head" else len(layers) - 2
    with np.load(clips) as arrays:
        rows = np.random.default_rng(1).permutation(len(arrays["label"]))[:CLIPS]
        inputs, y = arrays["x"][rows], arrays["label"][rows]
    values = _passed(layers[:last], inputs, front)
    if where == "head":
        values = values.mean(axis=(1, 2))
    scale = float(np.percentile(values, 99.9)) / 255
    graph, tensors = _rest(where, layers[last:], scale)
    raw = np.frombuffer(networks.file_of(graph, tensors), np.uint8)
    return {"raw": raw, "x": _bytes(values, scale), "y": y}


def _passed(layers: list, inputs: np.ndarray, front: Any) -> np.ndarray:
    """The outputs of some layers for the model's int8 inputs, float32 (n, 25, 5, 64)."""
    out = []
    for at in range(0, len(inputs), 100):
        part = inputs[at : at + 100].astype(np.float32)
        real = ((part - front.KWS_ZERO_POINT) * front.KWS_SCALE)[..., None]
        for deep, w, b, down, right in layers:
            real = np.maximum(keyword_features._convolved(real, w, b, down, right, deep), 0)
        out.append(real)
    return np.concatenate(out)


def _bytes(values: np.ndarray, scale: float) -> np.ndarray:
    return np.clip(np.rint(values / scale), 0, 255).astype(np.uint8)


class Room(NamedTuple):
    """The model from the last block on, its head as trained, and a noisy room.

    data: bytes (n, 25, 5, 64): clips as they are and in the noise to learn, 960 in the noise to
    test, of other speakers. clean: the 960 without it.
    """

    raw: bytes
    data: Dataset
    clean: Dataset


def room(noise: str = "rain") -> Room:
    """The adaptation of protocol P12, for more than the head. Raises DataUnavailable."""
    paths = [
        place.given(*names)
        for names in (
            ("mlperf_tiny", "kws_ref_model_float32.tflite"),
            ("speech_commands_test", "audio_8k.npz"),
            ("noise", "noise_8k.npz"),
        )
    ]
    if None in paths:
        raise place.DataUnavailable(
            "DS-CNN S in a room: expected mlperf_tiny, speech_commands_test, noise in ENGRAM_DATA"
        )
    file = CACHE / f"ds_cnn_s-room-{noise}.npz"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, **_in_room(noise, *paths))
    with np.load(file) as arrays:
        clean, noisy, y, adapt = (arrays[n] for n in ("clean", "noisy", "y", "adapt"))
        both = np.concatenate([clean[adapt], noisy[adapt]])
        labels = np.concatenate([y[adapt], y[adapt]])
        tests = [Dataset(both, labels, x[~adapt], y[~adapt]) for x in (noisy, clean)]
        return Room(arrays["raw"].tobytes(), *tests)


def _in_room(noise: str, model: Path, clips: Path, noises: Path) -> dict[str, Any]:
    front = keyword_features._front_end()
    layers = keyword_features.Network(model)._layers
    with np.load(clips) as arrays:
        audio, y, adapt = arrays["audio"], arrays["label"], arrays["part"] == 0
    with np.load(noises) as arrays:
        of = arrays["label"] == list(arrays["class_names"]).index(noise)
        folds = np.isin(arrays["fold"], keyword_features.ADAPT_FOLDS)
        tracks = arrays["audio"][of & ~folds], arrays["audio"][of & folds]
    rng = np.random.default_rng(1)
    mixed = []
    for i, (clip, learns) in enumerate(zip(audio, adapt)):
        track = tracks[int(learns)]
        snr_db = keyword_features.SNR_DB[i // 7 % len(keyword_features.SNR_DB)]
        mixed.append(front.mix(clip, track[i % len(track)], snr_db, rng))
    clean, noisy = (
        _passed(layers[:-2], np.stack([front.kws_input(clip) for clip in part]), front)
        for part in (audio, mixed)
    )
    scale = float(np.percentile(clean, 99.9)) / 255
    graph, tensors = _rest("block", layers[-2:], scale)
    tensors["head.w"], tensors["head.b"] = _head(model)
    raw = np.frombuffer(networks.file_of(graph, tensors), np.uint8)
    return {"raw": raw, "clean": _bytes(clean, scale), "noisy": _bytes(noisy, scale), "y": y,
            "adapt": adapt}  # fmt: skip


def _head(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Weights (12, 64) and biases (12) of the model's dense layer."""
    (dense,) = (layer for layer in pipeline.read(path).layers if layer.op == "dense")
    return keyword_features.real_weights(dense)


def _rest(where: str, layers: list, scale: float) -> tuple[dict, networks.Tensors]:
    """Graph and tensors of what learns; the head begins at zero, as for words that are new."""
    shape = [CHANNELS] if where == "head" else PLACES
    nodes: list[dict[str, Any]] = []
    tensors: networks.Tensors = {
        "head.w": np.zeros((CLASSES, CHANNELS), np.float32),
        "head.b": np.zeros(CLASSES, np.float32),
    }
    value = "input"

    def put(name: str, **node: Any) -> None:
        nonlocal value
        nodes.append({"name": name, "in": [value], **node})
        value = name

    for deep, w, b, _, _ in layers:
        name = "depthwise" if deep else "pointwise"
        tensors[f"{name}.w"] = np.ascontiguousarray(w[0] if deep else w, np.float32)
        tensors[f"{name}.b"] = np.ascontiguousarray(b, np.float32)
        side = 1 if deep else 0
        put(name, op="depthwise" if deep else "conv2d", w=f"{name}.w", b=f"{name}.b",
            kernel=list(w.shape[1:3]), stride=[1, 1], pad=[side] * 4, out=PLACES)  # fmt: skip
        put(f"{name}.relu", op="relu")
    if where == "block":
        put("mean", op="global_avgpool")
    put("head", op="dense", w="head.w", b="head.b", out=[CLASSES])
    quantized = {"shape": shape, "scale": scale, "zero_point": -128}
    graph = {
        "name": f"ds_cnn_s_{where}",
        "classes": CLASSES,
        "input": {**quantized, "dtype": "uint8"},
        "latent": {**quantized, "node": "input"},
        "nodes": nodes,
        "outputs": [{"node": "head", "objective": "classify"}],
    }
    return graph, tensors

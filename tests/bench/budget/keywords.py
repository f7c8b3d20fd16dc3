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
import networks
import numpy as np

from engram_host.datasets import place

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
    network = keyword_features.Network(model)
    with np.load(clips) as arrays:
        rows = np.random.default_rng(1).permutation(len(arrays["label"]))[:CLIPS]
        inputs, y = arrays["x"][rows].astype(np.float32), arrays["label"][rows]
    real = ((inputs - front.KWS_ZERO_POINT) * front.KWS_SCALE)[..., None]
    layers = network._layers
    last = len(layers) if where == "head" else len(layers) - 2
    for deep, w, b, down, right in layers[:last]:
        real = np.maximum(keyword_features._convolved(real, w, b, down, right, deep), 0)
    values = real.mean(axis=(1, 2)) if where == "head" else real
    scale = float(np.percentile(values, 99.9)) / 255
    x = np.clip(np.rint(values / scale), 0, 255).astype(np.uint8)
    graph, tensors = _rest(where, layers[last:], scale)
    raw = np.frombuffer(networks.file_of(graph, tensors), np.uint8)
    return {"raw": raw, "x": x, "y": y}


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

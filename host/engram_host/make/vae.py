"""Auto-encoders that were never trained: encoder, code, decoder, and a classifier on the code.

A variational auto-encoder minimises, per sample of N values, the reconstruction loss + beta times
the divergence of its code from standard normal (Kingma and Welling, "Auto-Encoding Variational
Bayes", ICLR 2014; beta: Higgins et al., "beta-VAE", ICLR 2017). The file has all of it divided by
N, so that learning rates do not depend on the size of a sample.

The convolutional network is that of Deutel et al. (MCSoC 2025): two convolutions, a dense layer,
dense layers for mean and spread, and the way back; filters and kernels, which they do not give,
are those with which its memory is that of their table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.convert import model_file
from engram_host.errors import InputError

from .layers import Layers

KERNEL = 4
_ENCODER = ("conv", "dense", "code_")  # prefixes of its tensors
# Choices low and high of a Recipe for what the front end of vibration makes: -4 to 3.97, so that
# a step of int8 is 1/32.
STEPS_OF_FEATURES = {"low": -128 / 32, "high": 127 / 32}
LIKELIHOODS = {"bernoulli": "bernoulli", "gaussian": "reconstruct"}  # the objective of each


@dataclass
class Recipe:
    """The choices of an auto-encoder.

    shape        of an input: [n], [length, channels] or [height, width, channels]
    code         units of the code
    filters, strides   of the convolutions of the encoder; the decoder has them the other way round
    hidden       units of the dense layers between the input, or the convolutions, and the code
    variational  False: a plain auto-encoder, without a divergence
    likelihood   a name of LIKELIHOODS; bernoulli: values from 0 to 1
    beta, warm_up   weight of the divergence, and steps in which it grows to that
    noise        standard deviation that a gaussian likelihood expects of a value, in units of the
                 values' own (1: all that varies may be noise)
    classes, classifier   classes, and hidden units, of a classifier that learns from the code and
                 leaves it as it is; 0 classes: none
    low, high    range of an input of float32 values; None: bytes, which stand for 0 to 1
    spread       standard deviation of the float32 values
    front_end    what makes inputs of raw data, for the model file; "": the data as they are
    """

    shape: list[int]
    code: int = 10
    filters: Sequence[int] = (8, 64)
    strides: Sequence[int] = (2, 3)
    hidden: Sequence[int] = (32,)
    variational: bool = True
    likelihood: str = "bernoulli"
    beta: float = 1.0
    warm_up: int = 0
    noise: float = 0.3
    classes: int = 0
    classifier: int = 20
    low: float | None = None
    high: float | None = None
    spread: float = 1.0
    front_end: str = ""
    seed: int = 1
    name: str = "vae"


def graph_of(recipe: Recipe) -> tuple[dict[str, Any], dict[str, Any]]:
    """(graph, tensors) of a model file. Raises InputError."""
    _check(recipe)
    shape = _image(recipe.shape)
    layers = Layers(shape, recipe.seed)
    features, sizes = _encoder(layers, recipe)
    mean = layers.dense("code_mean", features, recipe.code, gain=1)
    code, outputs = mean, []
    if recipe.variational:
        spread = layers.dense("code_spread", features, recipe.code, gain=0.1)
        code = layers.op("code", "sample", mean, spread)
        outputs = [_divergence(recipe, mean, "kl_mean"), _divergence(recipe, spread, "kl_spread")]
    image = _decoder(layers, recipe, code, sizes)
    outputs.insert(0, {"node": image, "objective": LIKELIHOODS[recipe.likelihood]})
    if recipe.classes:
        value = layers.op("seen", "stop", mean)
        if recipe.classifier:
            value = layers.dense("hint", value, recipe.classifier)
            value = layers.op("hint_relu", "relu", value)
        value = layers.dense("classes", value, recipe.classes, gain=1)
        outputs.append({"node": value, "objective": "classify"})
    quantized = _quantization(recipe)
    graph = {
        "name": recipe.name,
        "classes": recipe.classes,
        "input": {"shape": shape, **quantized[0]},
        "latent": {"node": "input", "shape": shape, **quantized[1]},
        "nodes": layers.nodes,
        "outputs": outputs,
    }
    return graph, layers.tensors


def write(path: Path, recipe: Recipe) -> int:
    """Writes a model file; its size in bytes. Raises InputError."""
    graph, tensors = graph_of(recipe)
    metadata = {"engram_model": "2", "graph": json.dumps(graph, separators=(",", ":"))}
    if recipe.front_end:
        metadata["front_end"] = recipe.front_end
    return model_file.write(path, tensors, metadata)


def parameters(recipe: Recipe) -> dict[str, int]:
    """{"parameters", "encoder"}: how many numbers learn, and those of the encoder."""
    _, tensors = graph_of(recipe)
    sizes = {name: int(tensor.size) for name, tensor in tensors.items()}
    own = [n for name, n in sizes.items() if name.startswith(_ENCODER)]
    return {"parameters": sum(sizes.values()), "encoder": sum(own)}


def sizes_of(values: NDArray[Any]) -> dict[str, float]:
    """The choices low, high and spread of a Recipe for samples of float values."""
    if not np.isfinite(values).all() or values.min() == values.max():
        raise InputError(
            "expected samples of finite values that differ, got "
            + ("NaN or infinity" if not np.isfinite(values).all() else f"{values.min():g} alone")
        )
    return {
        "low": float(values.min()), "high": float(values.max()), "spread": float(values.std()),
    }  # fmt: skip


def _check(recipe: Recipe) -> None:
    if not 1 <= len(recipe.shape) <= 3 or min(recipe.shape) < 1:
        raise InputError(
            "expected an input of 1 to 3 sizes of at least 1 (values; length x channels; height x "
            f"width x channels), got {'x'.join(map(str, recipe.shape))}"
        )
    if len(recipe.filters) != len(recipe.strides):
        raise InputError(
            f"expected a stride per convolution, {len(recipe.filters)} of them, "
            f"got {len(recipe.strides)}"
        )
    if recipe.likelihood not in LIKELIHOODS:
        raise InputError(
            f"expected a likelihood of {', '.join(LIKELIHOODS)}, got {recipe.likelihood}"
        )
    if recipe.likelihood == "bernoulli" and recipe.low is not None:
        raise InputError(
            "expected inputs of bytes, which stand for 0 to 1, with the likelihood bernoulli, got "
            "a range of float values; take --likelihood gaussian"
        )


def _image(shape: Sequence[int]) -> list[int]:
    """The shape of a value as the ops have it: [n], or [height, width, channels]."""
    return [shape[0], 1, shape[1]] if len(shape) == 2 else list(shape)


def _sides(recipe: Recipe, size: int) -> list[int]:
    """A kernel or stride of a size, along the axes that an input has."""
    return [size, 1] if len(recipe.shape) == 2 else [size, size]


def _encoder(layers: Layers, recipe: Recipe) -> tuple[str, list[list[int]]]:
    """(the value that mean and spread read, the shapes on the way there)"""
    value = "input"
    shapes = [layers.shapes[value]]
    if len(recipe.shape) > 1:
        for i, (filters, stride) in enumerate(zip(recipe.filters, recipe.strides)):
            value = layers.conv(
                f"conv{i}", value, filters, _sides(recipe, KERNEL), _sides(recipe, stride)
            )
            if min(layers.shapes[value]) < 1:
                raise InputError(
                    f"expected an input that convolutions of {KERNEL} with strides "
                    f"{','.join(map(str, recipe.strides))} fit into, got "
                    f"{'x'.join(map(str, recipe.shape))}; choose smaller --strides"
                )
            shapes.append(layers.shapes[value])
            value = layers.op(f"conv{i}_relu", "relu", value)
    for i, units in enumerate(recipe.hidden):
        value = layers.dense(f"dense{i}", value, units)
        value = layers.op(f"dense{i}_relu", "relu", value)
    return value, shapes


def _decoder(layers: Layers, recipe: Recipe, code: str, shapes: list[list[int]]) -> str:
    """The value that reconstructs the input."""
    value, last = code, len(shapes) - 1
    hidden = recipe.hidden if last == 0 else ()  # a dense decoder mirrors the encoder
    for i, units in enumerate(reversed(hidden)):
        value = layers.dense(f"back{i}", value, units)
        value = layers.op(f"back{i}_relu", "relu", value)
    if last == 0:
        return layers.dense("again", value, int(np.prod(shapes[0])), gain=1)
    value = layers.dense("back", value, int(np.prod(shapes[last])))
    value = layers.op("back_relu", "relu", value)
    value = layers.reshape("back_image", value, shapes[last])
    for i in range(last, 0, -1):
        name = "again" if i == 1 else f"deconv{i - 1}"
        value = layers.transposed(
            name, value, shapes[i - 1], _sides(recipe, KERNEL),
            _sides(recipe, recipe.strides[i - 1]), gain=1 if i == 1 else 2,
        )  # fmt: skip
        if i > 1:
            value = layers.op(f"deconv{i - 1}_relu", "relu", value)
    return value


def _divergence(recipe: Recipe, value: str, objective: str) -> dict[str, Any]:
    """A part of the divergence as an output, in units in which the reconstruction weighs 1."""
    n = int(np.prod(recipe.shape))
    scale = 1 if recipe.likelihood == "bernoulli" else 2 * recipe.noise**2
    output: dict[str, Any] = {
        "node": value, "objective": objective, "weight": recipe.beta * scale / n,
    }  # fmt: skip
    if recipe.warm_up:
        output["warm_up"] = recipe.warm_up
    return output


def _quantization(recipe: Recipe) -> tuple[dict[str, Any], dict[str, Any]]:
    """(of the input, of the latent): the latent is in units of the values' standard deviation."""
    if recipe.low is None or recipe.high is None:
        own = {"scale": 1 / 255, "zero_point": -128}
        return {"dtype": "uint8", **own}, own
    low, high = min(recipe.low, 0.0), max(recipe.high, 0.0)
    scale = (high - low) / 255
    zero = int(round(-128 - low / scale))
    return (
        {"dtype": "float32", "scale": scale, "zero_point": zero},
        {"scale": scale / recipe.spread, "zero_point": zero},
    )

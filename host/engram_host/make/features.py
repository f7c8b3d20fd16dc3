"""Features of images that were learned without labels: filters for the frozen stage of a model.

The filters are the centres of patches of unlabelled images: patches less their mean, divided by
their contrast, whitened, in spherical k-means (Coates, Lee and Ng, "An analysis of single-layer
networks in unsupervised feature learning", AISTATS 2011; Coates and Ng, "Learning feature
representations with k-means", 2012). Mean and whitening are linear, so they are in the filters;
the board computes a convolution, a ReLU, a tanh and means over cells of a grid, all in int8. The
tanh lets a faint edge count almost as much as a sharp one, as dividing by the contrast would, and
takes a table alone. What learns there is one dense layer on these means, from few labels.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.convert import DeviceModel, convert, model_file
from engram_host.errors import InputError

from .layers import Layers

F32 = NDArray[np.float32]
PATCHES, ROUNDS = 40_000, 15  # of k-means
CALIBRATION = 300  # images
_FLAT = 0.05  # contrast, in units of the images' own, below which a patch shows nothing
_CONTRAST = 0.1  # added to the variance of a patch, in units of the patches' mean variance
_WHITE = 0.1  # added to each eigenvalue: without it noise counts as much as edges
_SHARP = 6.0  # standard deviation of a filter's response, in units of what the tanh tells apart
# Of the features of a sample, the mean squared distance from their mean: with it the learner's
# default rate suits the head, whatever the number of features.
SPREAD = 45.0


@dataclass
class Recipe:
    """The choices of features.

    classes   room in the head
    filters, kernel   how many, and their size along an axis
    grid      cells along an axis, at most, in which the mean is taken
    """

    classes: int
    filters: int = 32
    kernel: int = 5
    grid: int = 7
    seed: int = 1
    name: str = "features"


def write(path: Path, images: NDArray[Any], recipe: Recipe) -> int:
    """Writes a device model; its size in bytes. images: (n, height, width) or (n, height, width,
    channels) of bytes or float32. Raises InputError, DataError."""
    images = _checked(images, recipe)
    graph, tensors = float_graph(images, recipe)
    rng = np.random.default_rng(recipe.seed)
    some = rng.permutation(len(images))[:CALIBRATION]
    with tempfile.TemporaryDirectory(prefix="engram-features-") as folder:
        path_of_floats = Path(folder) / "float.safetensors"
        metadata = {"engram_float": "2", "graph": json.dumps(graph)}
        model_file.write(path_of_floats, tensors, metadata)
        # the head is made of zeros: there is nothing to agree on
        convert(path_of_floats, images[some], path, min_agreement=0)
    return _spread(path, images[some])


def _spread(path: Path, images: NDArray[Any]) -> int:
    """Gives the latents of a model file a unit in which those of these images have SPREAD; the
    file's size in bytes."""
    device = DeviceModel(path)
    latents = device.latent_scale.dequantize(device.latents(images))
    variance = float(latents.reshape(len(images), -1).var(axis=0).sum())
    tensors, metadata = model_file.read(path)
    graph = json.loads(metadata["graph"])
    graph["latent"]["scale"] *= float(np.sqrt(SPREAD / variance)) if variance else 1.0
    text = json.dumps(graph, separators=(",", ":"))
    return model_file.write(path, tensors, {**metadata, "graph": text})


def float_graph(images: NDArray[Any], recipe: Recipe) -> tuple[dict[str, Any], dict[str, F32]]:
    """(graph, tensors) of a float model file. images: (n, height, width, channels)."""
    shape = list(images.shape[1:])
    values = images.astype(np.float32)
    if images.dtype == np.uint8:
        values /= 255
    layers = Layers(shape, recipe.seed)
    value = layers.conv("filters", "input", recipe.filters, [recipe.kernel] * 2, [1, 1])
    value = layers.op("seen", "relu", value)
    value = layers.op("evened", "tanh", value)
    cells = [-(-side // recipe.grid) for side in shape[:2]]
    value = layers.pool("means", value, cells)
    layers.dense("classes", value, recipe.classes)
    layers.tensors["classes.w"][:] = 0
    w = filters(values, recipe)
    layers.tensors["filters.w"] = w * (_SHARP / _responses(values[:CALIBRATION], w))
    source: dict[str, Any] = {"shape": shape, "dtype": str(images.dtype)}
    if images.dtype == np.uint8:
        source |= {"scale": 1 / 255, "zero_point": -128}
    graph = {
        "name": recipe.name,
        "classes": recipe.classes,
        "input": source,
        "nodes": layers.nodes,
        "latent": value,
        "outputs": [{"node": "classes", "objective": "classify"}],
    }
    return graph, layers.tensors


def filters(images: F32, recipe: Recipe) -> F32:
    """Filters (filters, kernel, kernel, channels) of images (n, height, width, channels), each of
    a sum of 0, so that an even patch has no response."""
    rng = np.random.default_rng(recipe.seed)
    size, channels = recipe.kernel, images.shape[3]
    patches = _patches(images, size, rng)
    variance = patches.var(axis=1)
    kept = variance > (_FLAT * images.std()) ** 2
    if kept.sum() < 10 * recipe.filters:
        raise InputError(
            f"expected images with edges, got {int(kept.sum())} patches of {size} x {size} that "
            f"are not flat of {len(patches)}; give more images, or ask for fewer filters"
        )
    patches, variance = patches[kept], variance[kept]
    patches = patches / np.sqrt(variance + _CONTRAST * variance.mean())[:, None]
    size_of, axes = np.linalg.eigh(np.cov(patches.T))
    whitening = (axes / np.sqrt(np.maximum(size_of, 0) + _WHITE)) @ axes.T
    w = _centres((patches @ whitening).astype(np.float32), recipe.filters, rng) @ whitening
    w = w - w.mean(axis=1, keepdims=True)
    return np.ascontiguousarray(w.reshape(-1, size, size, channels), np.float32)


def _patches(images: F32, size: int, rng: np.random.Generator) -> F32:
    """(PATCHES, size * size * channels) at random places, each less its mean."""
    n, height, width, channels = images.shape
    which = rng.integers(0, n, PATCHES)
    top = rng.integers(0, height - size + 1, PATCHES)
    left = rng.integers(0, width - size + 1, PATCHES)
    step = np.arange(size)
    rows, columns = (top[:, None] + step)[:, :, None], (left[:, None] + step)[:, None, :]
    out = images[which[:, None, None], rows, columns].reshape(PATCHES, size * size * channels)
    return out - out.mean(axis=1, keepdims=True)


def _centres(x: F32, count: int, rng: np.random.Generator) -> F32:
    """(count, n) of unit length: of spherical k-means on rows x (many, n)."""
    centres = x[rng.choice(len(x), count, replace=False)]
    centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    for _ in range(ROUNDS):
        nearest = (x @ centres.T).argmax(axis=1)
        for i in range(count):
            own = x[nearest == i]
            total = own.sum(axis=0) if len(own) else x[rng.integers(len(x))]
            centres[i] = total / np.linalg.norm(total)
    return centres


def _responses(images: F32, w: F32) -> F32:
    """Standard deviation (filters, 1, 1, 1) of the response of each filter."""
    size = w.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    response = np.einsum("nhwcrs,krsc->knhw", windows, w, optimize=True)
    out: F32 = response.std(axis=(1, 2, 3))[:, None, None, None]
    return out


def _checked(images: NDArray[Any], recipe: Recipe) -> NDArray[Any]:
    """Images as (n, height, width, channels). Raises InputError."""
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4:
        raise InputError(
            "expected images (n, height, width) or (n, height, width, channels), got an array of "
            f"shape {'x'.join(map(str, images.shape))}"
        )
    if recipe.kernel % 2 == 0 or recipe.kernel > min(images.shape[1:3]):
        raise InputError(
            f"expected a kernel of an odd size of at most {min(images.shape[1:3])}, "
            f"got {recipe.kernel}"
        )
    return images

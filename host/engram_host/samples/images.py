"""Images as inputs, by Pillow: height x width x channels, uint8 from 0 to 255."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from engram_host.errors import InputError

from .inputs import Input

_GREY = ("1", "L", "LA", "I;16", "I", "F")


def decode(path: Path, model: Input | None) -> NDArray[Any]:
    """(1, height, width, 1 or 3) uint8 of an image file, without its transparency.

    Grey or colour as the model has elements for; without a model as the file has it. An image is
    never resized. Raises InputError.
    """
    try:
        with Image.open(path) as image:
            image.load()
            modes = ["L" if image.mode in _GREY else "RGB"]
            pixels = image.width * image.height
            if model is not None:
                modes = [mode for mode, n in (("L", 1), ("RGB", 3)) if n * pixels == model.elems]
            if not modes:
                raise InputError(
                    f"{path}: expected an image of {model.elems if model else 0} values, as the "
                    f"model takes, got {image.width} x {image.height} pixels; resize it, or "
                    "convert a model for this size"
                )
            array = np.asarray(image.convert(modes[0]))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as e:
        raise InputError(f"{path}: expected an image, got something else or a part of one") from e
    return array.reshape(1, *array.shape[:2], -1)

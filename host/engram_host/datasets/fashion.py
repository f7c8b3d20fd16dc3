"""Fashion-MNIST: 70,000 grey pictures of clothes, 28x28, ten classes (MIT, arXiv:1708.07747)."""

from __future__ import annotations

import gzip
import struct
from math import prod
from pathlib import Path

import numpy as np

from . import place
from .splits import U8, Dataset

NAME = "fashion_mnist"
_BASE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_FILES = {
    "train-images-idx3-ubyte.gz": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    "train-labels-idx1-ubyte.gz": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
    ),
}
_UINT8 = 0x08  # the type byte of an idx file


def fashion_mnist() -> Dataset:
    """The official split: x uint8 (60000 and 10000, 28, 28, 1). Raises DataUnavailable."""
    x_train, y_train, x_test, y_test = (
        idx(
            place.given(NAME, name)
            or place.fetched(NAME, place.Remote(_BASE + name, sha256))
        )
        for name, sha256 in _FILES.items()
    )
    return Dataset(x_train[..., None], y_train, x_test[..., None], y_test)


def idx(path: Path) -> U8:
    """A gzipped idx file of bytes, as an array.

    Raises DataUnavailable when it is not one: http://yann.lecun.com/exdb/mnist/
    """
    try:
        content = gzip.decompress(path.read_bytes())
        kind, dims = struct.unpack(">xxBB", content[:4])
        shape = struct.unpack(f">{dims}I", content[4 : 4 + 4 * dims])
    except (OSError, EOFError, struct.error) as error:
        raise place.DataUnavailable(f"{path} is no gzipped idx file ({error})") from error
    start = 4 + 4 * dims
    if kind != _UINT8 or len(content) - start != prod(shape):
        raise place.DataUnavailable(
            f"{path}: expected {prod(shape)} bytes behind its header, got {len(content) - start}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)

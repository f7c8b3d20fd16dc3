"""Omniglot, the two small background sets: 242 characters of 8 alphabets, 20 drawers (MIT).

Lake, Salakhutdinov, Tenenbaum: Science 350 (2015).
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import place
from .splits import U8

NAME = "omniglot_small"
SIDE = 105  # pixels
# What a backbone must not see, so that few-shot learning is tested on it: 72 characters. The
# other five alphabets have 170.
HELD_OUT = ["Early_Aramaic", "Greek", "Latin"]
_BASE = "https://github.com/brendenlake/omniglot/raw/master/python/"
_FILES = (
    place.Remote(
        _BASE + "images_background_small1.zip",
        "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    ),
    place.Remote(
        _BASE + "images_background_small2.zip",
        "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
    ),
)


class Characters(NamedTuple):
    """Drawn characters.

    ink       bool (n, 105, 105), True where the pen was
    label     int (n,), alphabets and their characters in the order of their names
    drawer    int (n,), 1 to 20
    alphabet  name of the alphabet of each label
    """

    ink: NDArray[np.bool_]
    label: NDArray[np.int64]
    drawer: NDArray[np.int64]
    alphabet: NDArray[np.str_]

    def of_alphabets(self, names: list[str]) -> NDArray[np.bool_]:
        """A mask (n,) of the drawings that belong to the named alphabets."""
        return np.isin(self.alphabet[self.label], names)

    def pixels(self, side: int) -> U8:
        """uint8 (n, side, side, 1): how much of each pixel's area is ink, 0 to 255."""
        weights = area_weights(SIDE, side)
        cover = np.einsum("ab,nbc,dc->nad", weights, self.ink.astype(np.float32), weights)
        return np.rint(cover * 255).clip(0, 255).astype(np.uint8)[..., None]


def area_weights(source: int, target: int) -> NDArray[np.float32]:
    """(target, source): the share of each source pixel in each target pixel; rows sum to 1."""
    edges = np.arange(target + 1) * source / target
    at = np.arange(source)
    overlap = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return (np.maximum(overlap, 0) * target / source).astype(np.float32)


def omniglot_small() -> Characters:
    """Both small sets together, 4,840 drawings. Raises DataUnavailable."""
    path = place.given(NAME, "omniglot_small.npz")
    return _from_npz(path) if path else _from_zips([place.fetched(NAME, f) for f in _FILES])


def _from_npz(path: Path) -> Characters:
    with np.load(path) as arrays:
        bits = np.unpackbits(arrays["ink_packed"], axis=1, count=SIDE * SIDE)
        return Characters(
            bits.reshape(-1, SIDE, SIDE).astype(bool),
            arrays["label"].astype(np.int64),
            arrays["drawer"].astype(np.int64),
            arrays["class_alphabet"],
        )


def _from_zips(paths: list[Path]) -> Characters:
    """Pictures <set>/<alphabet>/character<nn>/<nnnn>_<drawer>.png; some are in both sets."""
    from matplotlib.image import imread

    pictures: dict[tuple[str, str, int], NDArray[np.bool_]] = {}
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".png") and "__MACOSX" not in name:
                    alphabet, character, file = name.split("/")[-3:]
                    drawer = int(file.removesuffix(".png").rsplit("_", 1)[1])
                    picture = imread(io.BytesIO(archive.read(name)), format="png")
                    pictures[alphabet, character, drawer] = (
                        np.asarray(picture) < 0.5
                    )  # ink is black
    classes = sorted({key[:2] for key in pictures})
    number = {key: i for i, key in enumerate(classes)}
    keys = sorted(pictures)
    return Characters(
        np.stack([pictures[key] for key in keys]),
        np.array([number[key[:2]] for key in keys]),
        np.array([key[2] for key in keys]),
        np.array([alphabet for alphabet, _ in classes]),
    )

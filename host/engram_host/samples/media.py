"""Images and sounds as samples: one file, a folder with a sub-folder per class, or a list of both.

What of a file becomes an input depends on the model that takes it: see images.py and sounds.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.errors import InputError

from .data import Samples, make
from .inputs import Input

Decoder = Callable[[Path, Input | None], NDArray[Any]]


def _image(path: Path, model: Input | None) -> NDArray[Any]:
    from . import images  # Pillow is loaded where there are images

    return images.decode(path, model)


def _sound(path: Path, model: Input | None) -> NDArray[Any]:
    from . import sounds

    return sounds.decode(path, model)


# A decoder makes inputs (k, ...) of a file: an image is one, a sound may be cut into several.
DECODERS: dict[str, Decoder] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm"), _image),
    ".wav": _sound,
}


def read_file(path: Path, model: Input | None) -> Samples:
    """The inputs of one file, without labels."""
    return make(DECODERS[path.suffix.lower()](path, model))


def read_folder(folder: Path, model: Input | None) -> Samples:
    """The inputs of all files in the sub-folders of a folder, which are classes by their name.

    Raises InputError.
    """
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if not classes:
        return _unlabelled(folder, model)
    files = {name: _files(folder / name) for name in classes}
    empty = [name for name, paths in files.items() if not paths]
    if empty:
        raise InputError(
            f"{folder}: expected images or .wav files in each sub-folder, got none in "
            f"{', '.join(empty)}; remove what is no class"
        )
    pairs = [(path, name) for name in classes for path in files[name]]
    return read_list(pairs, model)


def _unlabelled(folder: Path, model: Input | None) -> Samples:
    """Files that lie in the folder itself."""
    paths = _files(folder)
    if not paths:
        raise InputError(
            f"{folder}: expected a sub-folder of images or .wav files per class, got none"
        )
    return read_list([(path, None) for path in paths], model)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in DECODERS)


def read_list(pairs: Sequence[tuple[Path, str | None]], model: Input | None) -> Samples:
    """The inputs of (file, name of its class or None) pairs, all of one shape.

    Samples.class_names are the names in their order; y are places in it. Raises InputError.
    """
    parts: list[NDArray[Any]] = []
    for path, _ in pairs:
        decoder = DECODERS.get(path.suffix.lower())
        if decoder is None or not path.is_file():
            raise InputError(
                f"{path}: expected a file that ends in {', '.join(DECODERS)}, got "
                + ("another" if path.is_file() else "no file")
            )
        part = decoder(path, model)
        if parts and part.shape[1:] != parts[0].shape[1:]:
            raise InputError(
                f"{path}: expected the size of the files before it, "
                f"{_size(parts[0])}, got {_size(part)}; bring all to one size"
            )
        parts.append(part)
    x = np.concatenate(parts)
    names = [name for _, name in pairs if name is not None]
    if not names:
        return make(x)
    classes = sorted(set(names))
    y = np.repeat([classes.index(name) for name in names], [len(part) for part in parts])
    return make(x, y).with_names(classes)


def _size(part: NDArray[Any]) -> str:
    return "x".join(map(str, part.shape[1:]))

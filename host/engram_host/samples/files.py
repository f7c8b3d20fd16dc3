"""Samples from files and folders: which reader takes which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engram_host.errors import InputError

from . import media, numpy_files, table, vibration
from .data import Samples
from .inputs import Input

Reader = Callable[[Path, Input | None], Samples]


def _arrays(path: Path, model: Input | None, labels: Path | None = None) -> Samples:
    if model is not None and vibration.is_front_end(model.front_end):
        return numpy_files.read(path, labels, vibration.Windows(model).make)
    return numpy_files.read(path, labels)


def _table(path: Path, model: Input | None) -> Samples:
    if model is not None and vibration.is_front_end(model.front_end):
        windows = vibration.Windows(model)
        return table.read(path, model, windows.make, windows.widths)
    return table.read(path, model)


READERS: dict[str, Reader] = {
    ".npz": _arrays,
    ".npy": _arrays,
    ".csv": _table,
    **dict.fromkeys(media.DECODERS, media.read_file),
}


def load(
    path: Path | str, labels: Path | str | None = None, model: Input | None = None
) -> Samples:
    """Samples of a file, or of a folder with a sub-folder of images or sounds per class.

    A file is an .npz or .npy of numpy, a .csv table, an image or a .wav. labels: an .npy of
    labels or targets, beside an .npy of inputs. model: the input of the model that takes them;
    None where none is known. Raises InputError.
    """
    path = Path(path)
    need(path)
    if path.is_dir():
        return media.read_folder(path, model)
    if labels is not None:
        return _arrays(path, model, Path(labels))
    return READERS[path.suffix.lower()](path, model)


def need(path: Path | str) -> None:
    """Raises InputError unless a folder is there, or a file that some reader takes."""
    path = Path(path)
    if path.is_dir():
        return
    if not path.is_file():
        raise InputError(
            f"{path}: expected an .npz, .npy or .csv file of samples, or a folder with a "
            "sub-folder per class, got no file"
        )
    if path.suffix.lower() not in READERS:
        raise InputError(
            f"{path}: expected a file that ends in {', '.join(READERS)}, got "
            f"{path.suffix or 'no ending'}; save it as one of these"
        )

"""User C modules of a build: ours, then those in the folders that $EXTRA_C_MODULES names.

Every port takes them by MicroPython's own USER_C_MODULES: a folder of folders with a
micropython.mk where make builds, a micropython.cmake where CMake does.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..boards import home
from ..errors import BuildError

MAKE, CMAKE = "micropython.mk", "micropython.cmake"


def ours(name: str) -> list[Path]:
    """The files MAKE or CMAKE of our own modules."""
    return sorted((home() / "firmware" / "usermod").glob("*/" + name))


def with_extra(own: Iterable[Path], name: str) -> list[Path]:
    """The files `own`, then those of that name below $EXTRA_C_MODULES. Raises BuildError."""
    paths = list(own)
    for folder in filter(None, os.environ.get("EXTRA_C_MODULES", "").split(os.pathsep)):
        here = sorted(Path(folder).resolve().glob("*/" + name))
        if not here:
            raise BuildError(
                f"EXTRA_C_MODULES: expected folders with a {name} in {folder}, got none"
            )
        paths += here
    return paths


def for_make(makefiles: list[Path], folder: Path, values: Mapping[str, Path] = {}) -> Path:
    """`folder`, with a folder for each module that sets variables and includes its makefile where
    it is."""
    sources = {makefile.parent.name: makefile for makefile in makefiles}
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {path.name for path in folder.iterdir()} - sources.keys():
        shutil.rmtree(folder / stale)
    for name, makefile in sources.items():
        lines = [f"{variable} := {value}\n" for variable, value in values.items()]
        text = "".join(lines) + f"USERMOD_DIR := {makefile.parent}\ninclude {makefile}\n"
        (folder / name).mkdir(exist_ok=True)
        write_changed(folder / name / MAKE, text)
    return folder


def for_cmake(files: list[Path], folder: Path, values: Mapping[str, Path]) -> Path:
    """One file in `folder` that sets variables and includes them all."""
    lines = [f"set({name} {value})\n" for name, value in values.items()]
    lines += [f"include({file})\n" for file in files]
    write_changed(folder / CMAKE, "".join(lines))
    return folder / CMAKE


def write_changed(path: Path, text: str) -> None:
    """Leave a file alone that is as it should be: make goes by its date."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)

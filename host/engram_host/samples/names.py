"""Names of classes: a text file with a line per class, in the order of their labels."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engram_host.errors import EngramWarning, InputError

MOST = 254  # classes of a model


def read(path: Path | str) -> list[str]:
    """The names in a text file. Raises InputError."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a text file with a name per line, got no file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: expected names as UTF-8 text, got other bytes") from e
    return checked([line.strip() for line in text.rstrip().splitlines()], str(path))


def checked(names: Sequence[str], where: str = "class names") -> list[str]:
    """The names as a list. Raises InputError where one is empty or is there twice."""
    if not 1 <= len(names) <= MOST:
        raise InputError(f"{where}: expected 1 to {MOST} names, got {len(names)}")
    if "" in names:
        raise InputError(
            f"{where}: expected a name per line, got none in line {names.index('') + 1}"
        )
    for name, times in Counter(names).items():
        if times > 1:
            raise InputError(f"{where}: expected names that differ, got {name!r} {times} times")
    return list(names)


def check_count(names: Sequence[str], classes: int) -> None:
    """Raises InputError where a model of so many classes has some without a name."""
    if not classes:
        raise InputError("expected a model that tells classes apart for class names, got another")
    if len(names) < classes:
        raise InputError(
            f"expected {classes} class names, one per class of the model, got {len(names)}"
        )


def labels(texts: Sequence[str], names: Sequence[str], classes: int | None) -> list[int]:
    """The label of each name that samples tell, as a model counts its classes.

    texts: in alphabetical order. names: of the model's classes, in the order of labels; a name
    that is not there gets the next label, and a warning. Without names: numbers are labels; other
    names are counted from 0 where the model has as many classes. Raises InputError.
    """
    if names:
        new = [name for name in texts if name not in names]
        if new:
            warnings.warn(
                f"expected classes of {', '.join(names)}; got {', '.join(new)}, which the model "
                f"learns as {', '.join(str(len(names) + i) for i in range(len(new)))}; push the "
                "model with --class-names to name them",
                EngramWarning,
                stacklevel=4,
            )
        return [[*names, *new].index(name) for name in texts]
    if all(name.isdigit() and int(name) < MOST for name in texts):
        return [int(name) for name in texts]
    if classes == len(texts):
        return list(range(len(texts)))
    state = "no model is open" if classes is None else f"the model has {classes} classes, no names"
    raise InputError(
        f"expected class names to find the labels of {', '.join(texts)}, got none, and {state}; "
        "push the model with --class-names FILE, or name the classes by their labels"
    )


def shown(label: int, names: Sequence[str]) -> str:
    """The name of a class, its number where it has none."""
    return names[label] if label < len(names) else str(label)

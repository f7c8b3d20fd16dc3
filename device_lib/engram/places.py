"""Where the files are that a program names, and model files opened where they are."""

import os

from .compat import board_of, mapped, mapping
from .errors import ModelError, StoreError

IN_FLASH = "flash:"  # before the name of a model that lies in memory-mapped flash


def find(name, root, error, advice):
    """The path of a file: below `root`, where a host puts what it pushes, else as it is named.

    root: "" on a PC. Raises `error` where there is no file, with `advice` for the host of a board.
    """
    name = str(name)
    if name.startswith(IN_FLASH):
        return name
    paths = [name]
    if not root:
        advice = "give its path"
    elif name[0] != "/":
        paths.insert(0, root + "/" + name)
    for path in paths:
        try:
            os.stat(path)
            return path
        except OSError:
            pass
    raise error(
        "expected a file %s, got none (the current folder is %s); %s"
        % (" or ".join(paths), os.getcwd(), advice)
    )


def opened(path, in_place=False, board=None):
    """A model file as a binary stream. What lies in memory has it as .mapped.

    path: as find() gives it. in_place: True asks for that memory; on a PC it is that of the file.
    board: as slots_of() takes it. Raises ModelError where a file on a board has none, StoreError
    where flash holds no such model.
    """
    if path.startswith(IN_FLASH):
        return slots_of(board).open(path[len(IN_FLASH) :])
    stream = mapped(path) if in_place else open(path, "rb")
    if in_place and mapping(stream) is None:
        raise ModelError(
            "expected a model in memory-mapped flash, got the file %s; push it with --place flash"
            % path
        )
    return stream


def slots_of(board=None, beat=None, make_way=None):
    """The model slots of a board: store.slots.Slots. Raises StoreError where it has none.

    board: a module or object like engram_board; None: the one that runs. beat, make_way: as
    Slots takes them.
    """
    board = board or board_of(IN_FLASH, {})
    if not hasattr(board, "model_device"):
        raise StoreError(
            "expected flash that the processor reads as memory, got firmware that keeps all in "
            "files; push the model as a file, or build firmware (engram build)"
        )
    from .store.slots import Slots

    return Slots(board.model_device(), board.PROGRAM_BYTES, beat, make_way)

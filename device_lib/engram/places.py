"""Where the files are that a program names."""

import os


def find(name, root, error, advice):
    """The path of a file: below `root`, where a host puts what it pushes, else as it is named.

    root: "" on a PC. Raises `error` where there is no file, with `advice` for the host of a board.
    """
    name = str(name)
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

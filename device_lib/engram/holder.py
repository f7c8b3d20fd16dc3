"""The learner that is open on a board: there is memory for one, and one may write to its flash."""

from .compat import reference

_rows = []  # (references to board, its flash and learner, path of the model file, options)


def hold(board, learner, path, options):
    """Notes the learner that was opened on a board. options: as open_learner() takes them."""
    _rows[:] = [row for row in _rows if _open(row) and row[2]() is not learner]
    _rows.append(
        (reference(board), reference(board.store_device()), reference(learner), path, options)
    )


def held(board):
    """(learner, path, options) of a board, or None. Boards of one flash are one."""
    device = board.store_device()
    for row in _rows:
        if _open(row) and (row[0]() is board or row[1]() is device):
            return row[2](), row[3], row[4]
    return None


def release(board):
    """Closes the learner of a board, if one is open: its memory is free then."""
    row = held(board)
    if row:
        row[0].close()
    _rows[:] = [row for row in _rows if _open(row)]


def _open(row):
    learner = row[2]()
    return learner is not None and learner.is_open

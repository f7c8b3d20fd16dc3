"""Number formats: a file each, with rows for the ops that the format has. Found by name."""

from ...errors import ModelError

NAMES = ("f32", "s8", "q8")


def load(name):
    """The module of a format: INTEGER, rows(op), some(op), kind(node), variant(node),
    tensors(node). Raises ModelError."""
    if name not in NAMES:
        raise ModelError("expected a number format of %s, got %s" % (", ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("ROWS",))


def rows_of(node):
    """(rows forward, rows backward, rows backward where only the bias learns) of a node."""
    form = load(node["format"])
    return form.rows(form.variant(node))

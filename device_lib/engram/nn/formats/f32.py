"""Float32: what the table of ops says, with gradients."""

from ..ops import OPS, SOME
from ..ops import tensors as of_op

ITEM_BYTES = 4  # of a value
INTEGER = False  # its learning, where it has any, is in float32


def rows(op):
    """(rows forward, rows backward, rows backward where only the bias learns) of an op."""
    return OPS[op][3:]


def some(op):
    """(rows backward, bias rows) of an op where samples keep some of its structures, or None."""
    return SOME.get(op)


def tensors(node):
    """[(key, dtype in the file, shape)] that a node owns."""
    return [(key, "F32", shape) for key, shape in of_op(node)]


def kind(node):
    """The kind of a node's values."""
    return "f32"


def variant(node):
    """The name of a node's rows: its op."""
    return node["op"]

"""Int8 with TensorFlow Lite's semantics: forward alone, so nothing learns below such a node.

A value has a scale and a zero point, weights have a scale per output channel, biases and sums are
int32. A function of one number is a table of 256 entries, which the converter computes.
"""

from ...errors import ModelError
from ..ops import OPS
from ..ops import tensors as of_op

ITEM_BYTES = 1  # of a value
INTEGER = False  # its learning, where it has any, is in float32

_TABLE = ("lookup_s8 out=x x table",)
_VIEW = ("view out x",)


def _conv(kernel):
    return ("%s out x w bias mult shift geom q B" % kernel,)


ROWS = {
    "conv2d": _conv("conv2d_s8"),
    "pointwise": _conv("conv2d_s8"),
    "depthwise": _conv("depthwise_s8"),
    "conv2d_t": _conv("conv2d_t_s8"),
    "dense": ("dense_s8 out x w bias mult shift q B N M",),
    "maxpool": ("maxpool_s8 out x geom q B",),
    "avgpool": ("avgpool_s8 out x geom q B",),
    "global_avgpool": ("avgpool_s8 out x geom q B",),
    "add": ("add_s8 out=x x x2 q",),
    "concat": (
        "copy_channels_s8 out x B*P K C 0 0 C",  # values of one scale
        "copy_channels_s8 out x2 B*P K C2 C 0 C2",
    ),
    "scale_shift": ("depthwise_s8 out x scale bias mult shift line q B",),
    "pad": ("pad_s8 out x zp B H W C OH OW TOP LEFT",),
    "relu": _TABLE,
    "relu6": _TABLE,
    "leaky_relu": _TABLE,
    "hard_swish": _TABLE,
    "sigmoid": _TABLE,
    "tanh": _TABLE,
    "softmax": ("softmax_s8 out=x x table B*P C",),
    "flatten": _VIEW,
    "reshape": _VIEW,
    "cast": ("quantize_s8 out x qp",),
}


def rows(op):
    """(rows forward, (), ()) of an op: int8 has no gradients. Raises ModelError."""
    if op not in ROWS:
        raise ModelError("expected an int8 op of %s, got %s" % (", ".join(sorted(ROWS)), op))
    return ROWS[op], (), ()


def some(op):
    """None: nothing of it is chosen, as it has no gradients."""


def texts(op):
    """The tensors of an op as nn/ops.py writes them, in the order of dimensions that int8 has:
    output channels first, or last where each channel goes by itself."""
    return {"conv2d_t": "w:K,R,S,C b:K"}.get(op, OPS[op][1])


def tensors(node):
    """[(key, dtype in the file, shape)] that a node owns."""
    op = node["op"]
    if " table" in rows(op)[0][0]:
        return [("table", "I8" if ROWS[op] == _TABLE else "I32", (256,))]
    own = of_op(node, texts(op))
    if not own:
        return []
    (key, shape), (_, channels) = own
    return [(key, "I8", shape)] + [(name, "I32", channels) for name in ("bias", "mult", "shift")]


def kind(node):
    """The kind of a node's values."""
    return "i8"


def variant(node):
    """The name of a node's rows: its op."""
    return node["op"]

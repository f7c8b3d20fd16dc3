"""Fully quantized training: int8 values, gradients and weights, int32 sums and biases.

A value is q * 2**-e, with an exponent per tensor that follows what the tensor holds
(memory/record.py): no float but where two formats meet and in the outputs. A step changes the
weights where their gradient is computed, so there are no gradients to keep.

The model file has the weights as float32; integers.py says where they lie as integers.
"""

from ...errors import ModelError
from ..ops import OPS
from ..ops import tensors as of_op

ITEM_BYTES = 1  # of a value
INTEGER = True  # its rows name records, and steps in the place of gradients of tensors

# Ops whose output is of the exponent of their input.
KEEPS = ("relu", "relu6", "maxpool", "flatten", "reshape")
# Ops of which a sample can keep some structures.
_CHOOSABLE = ("dense", "conv2d", "pointwise", "depthwise")

_VIEW = ("view out x",), ("view dx dout",), ()
_VALUES = "%s_fwd_q8 out so x sx w sw b %s"
_GRADIENT = "%s_bwd_dx_q8 dx sdx dout sdout w sw %s"
_STEP = "%s_step_q8 w rest sw b dout sdout x sx rates %s"
_BIAS = ("dense_step_q8 none8 none8 sw b dout sdout none8 sx rates B*Q 0 K",)


def _weighted(kernel, sizes, bias=_BIAS):
    values = (_VALUES % (kernel, sizes),)
    return values, (_STEP % (kernel, sizes), _GRADIENT % (kernel, sizes)), bias


_DENSE = _weighted(
    "dense", "B N M", ("dense_step_q8 none8 none8 sw b dout sdout none8 sx rates B 0 M",)
)
_AVERAGE = (
    ("avgpool_fwd_q8 out so x sx geom B",), ("avgpool_bwd_dx_q8 dx sdx dout sdout geom B",), (),
)
_LINE = [
    tuple([text.replace(" w ", " scale ").replace(" b ", " shift ") for text in texts])
    for texts in _weighted("depthwise", "line B")
]


def _output(forward, backward, bias):
    """The rows of an output: float32, and so is the gradient by it; e: that gradient as integers.
    forward: rows that write the output."""
    both = [
        ("quantize_q8 e se dout",) + tuple([text.replace("dout sdout", "e se") for text in texts])
        for texts in (backward, bias)
    ]
    return (forward,) + tuple(both)


_CONV_T = _weighted("conv2d_t", "geom B")

ROWS = {
    "dense": _DENSE,
    "dense.out": _output(("dense_logits_q8 out x sx w sw b B N M",), _DENSE[1], _DENSE[2]),
    "conv2d": _weighted("conv2d", "geom B"),
    "pointwise": _weighted("dense", "B*P C K"),
    "depthwise": _weighted("depthwise", "geom B"),
    "conv2d_t": _CONV_T,
    # Its values are of the exponent so as integers, v, and then in float32.
    "conv2d_t.out": _output(
        (_CONV_T[0][0].replace(" out ", " v "), "dequantize_q8 out v so"), _CONV_T[1], _CONV_T[2]
    ),
    "scale_shift": tuple(_LINE),
    "maxpool": (
        ("maxpool_s8 out x geom full B",), ("maxpool_bwd_dx_q8 dx sdx dout sdout x geom B",), (),
    ),
    "avgpool": _AVERAGE,
    "global_avgpool": _AVERAGE,
    "relu": (("relu_fwd_q8 out=x x",), ("relu_bwd_dx_q8 dx=dout dout out",), ()),
    "relu6": (("relu6_fwd_q8 out=x x sx",), ("relu6_bwd_dx_q8 dx=dout dout out sx",), ()),
    "add": (("add_q8 out=x so x sx x2 sx2",), ("view dx dout", "view dx2 dout"), ()),
    "flatten": _VIEW,
    "reshape": _VIEW,
    "cast": (("quantize_q8 out so x",), ("dequantize_q8 dx dout sdout",), ()),
    "uncast": (("dequantize_q8 out x sx",), ("quantize_q8 dx sdx dout",), ()),
}


def rows(op):
    """(rows forward, rows backward, rows backward where only the bias learns) of an op. Raises
    ModelError."""
    if op not in ROWS:
        raise ModelError("expected a q8 op of %s, got %s" % (", ".join(sorted(ROWS)), op))
    return ROWS[op]


def kind(node):
    """The kind of a node's values: "i8"; "f32" where they leave the format."""
    return "f32" if node.get("is_output") or node["op"] == "uncast" else "i8"


def scaled(node):
    """Whether a node has an exponent of its own for its values."""
    return node["op"] not in KEEPS and variant(node) not in ("dense.out", "uncast")


def variant(node):
    """The name of a node's rows: its op, or another where the node makes an output."""
    return node["op"] + (".out" if node.get("is_output") else "")


def tensors(node):
    """[(key, dtype in the file, shape)] that a node owns: weights, then biases."""
    return [(key, "F32", shape) for key, shape in of_op(node)]


def suits(node, is_output):
    """Whether a float32 node can be of this format. An output can, where it is dense or a
    transposed convolution."""
    name = node["op"] + (".out" if is_output else "")
    return name in ROWS and node["op"] in OPS


def some(op):
    """(rows backward, bias rows) of an op where samples keep some of its structures, or None. They
    are those of the whole pass: keep_largest_q8 sets the other errors to 0, which cost little."""
    return rows(op)[1:] if op in _CHOOSABLE else None

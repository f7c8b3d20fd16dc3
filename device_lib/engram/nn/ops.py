"""The table of ops: all that tells one layer from another, written once.

An entry is (shape rule, tensors, multiply-accumulates, rows forward, rows backward, bias rows).

* The shape rule is a function of geometry.py: (node, shapes of its inputs) -> shape of its output.
* Tensors are written `key:dimensions`; the last one is the bias, where there are two.
* Multiply-accumulates of one sample are a product of dimensions; "" is 0.
* A row is a kernel of firmware/kernels/engram_kernels.def and its arguments, as symbols:

      out x x2            output and inputs of the node
      dout dx dx2         gradients of the loss by them
      w b scale shift     tensors of the node; dw db dscale dshift: gradients of the loss by them
      noise stream        the noise in a code, kept for the backward pass; where its numbers go on
      geom q slope table  constants of the node; none: a float32 buffer without elements
      B*P                 integers and products of dimensions
      out=x               out may take the memory of x, if nothing reads x later

  The row `view out x` is no kernel: out is x under another shape.
* Bias rows replace the rows that write gradients of tensors where only the bias learns.

Dimensions: B batch; C K channels (last axis) of input and output, C2 of the second input; N M
elements of input and output; P Q positions (elements per channel) of input and output; H W OH OW
height and width of input and output; R S of the kernel; TOP LEFT of the padding.

These rows are float32, the definition of an op. Another number format is a file in formats/ with
rows for the ops that it has.
"""

from . import geometry as shape

_SUM_ROWS = ("dense_bwd_dw none db dout none B*Q 0 K",)


def _window(kernel, tensors, macs):
    return (
        shape.window,
        tensors,
        macs,
        (kernel + "_fwd out x w b geom B",),
        (kernel + "_bwd_dw dw db dout x geom B", kernel + "_bwd_dx dx dout w geom B"),
        _SUM_ROWS,
    )


def _activation(kernel, attribute=""):
    return (
        shape.same,
        "",
        "",
        ("%s_fwd out=x x%s" % (kernel, attribute),),
        ("%s_bwd_dx dx=dout dout out%s" % (kernel, attribute),),
        (),
    )


_VIEW = ("view out x",), ("view dx dout",), ()

OPS = {
    "dense": (
        shape.dense,
        "w:M,N b:M",
        "N*M",
        ("dense_fwd out x w b B N M",),
        ("dense_bwd_dw dw db dout x B N M", "dense_bwd_dx dx dout w B N M"),
        ("dense_bwd_dw none db dout none B 0 M",),
    ),
    "conv2d": _window("conv2d", "w:K,R,S,C b:K", "Q*K*R*S*C"),
    "pointwise": (
        shape.window,
        "w:K,R,S,C b:K",
        "Q*K*C",
        ("dense_fwd out x w b B*P C K",),
        ("dense_bwd_dw dw db dout x B*P C K", "dense_bwd_dx dx dout w B*P C K"),
        _SUM_ROWS,
    ),
    "depthwise": _window("depthwise", "w:R,S,C b:C", "Q*R*S*C"),
    "conv2d_t": (shape.transposed,) + _window("conv2d_t", "w:C,R,S,K b:K", "P*C*R*S*K")[1:],
    "maxpool": (
        shape.window,
        "",
        "",
        ("maxpool_fwd out x geom B",),
        ("maxpool_bwd_dx dx dout x geom B",),
        (),
    ),
    "avgpool": (
        shape.window,
        "",
        "",
        ("avgpool_fwd out x geom B",),
        ("avgpool_bwd_dx dx dout geom B",),
        (),
    ),
    "global_avgpool": (
        shape.whole,
        "",
        "",
        ("global_avgpool_fwd out x B P C",),
        ("global_avgpool_bwd_dx dx dout B P C",),
        (),
    ),
    "relu": _activation("relu"),
    "relu6": _activation("relu6"),
    "leaky_relu": _activation("leaky_relu", " slope"),
    "hard_swish": (
        shape.same, "", "", ("hard_swish_fwd out=x x",), ("hard_swish_bwd_dx dx=dout dout x",), (),
    ),
    "sigmoid": _activation("sigmoid"),
    "tanh": _activation("tanh"),
    "softmax": (
        shape.same,
        "",
        "",
        ("softmax_fwd out=x x B*P C",),
        ("softmax_bwd_dx dx=dout dout out B*P C",),
        (),
    ),
    "add": (
        shape.alike,
        "",
        "",
        ("add_f32 out=x x x2",),
        ("view dx dout", "view dx2 dout"),
        (),
    ),
    "concat": (
        shape.concat,
        "",
        "",
        ("copy_channels out x B*P K C 0 0 C", "copy_channels out x2 B*P K C2 C 0 C2"),
        ("copy_channels dx dout B*P C K 0 0 C", "copy_channels dx2 dout B*P C2 K 0 C C2"),
        (),
    ),
    "scale_shift": (
        shape.same,
        "scale:C shift:C",
        "N",
        ("scale_shift_fwd out=x x scale shift B*P C",),
        (
            "scale_shift_bwd_dw dscale dshift dout x B*P C",
            "scale_shift_bwd_dx dx=dout dout scale B*P C",
        ),
        ("dense_bwd_dw none dshift dout none B*P 0 C",),
    ),
    "pad": (
        shape.pad,
        "",
        "",
        ("pad_fwd out x B H W C OH OW TOP LEFT",),
        ("pad_bwd_dx dx dout B H W C OH OW TOP LEFT",),
        (),
    ),
    # A code drawn from the normal distributions of a mean and a spread, the logarithm of the
    # variance: Kingma and Welling, "Auto-Encoding Variational Bayes" (ICLR 2014), section 2.4.
    "sample": (
        shape.alike,
        "",
        "",
        ("sample_code out noise stream x x2",),
        ("view dx dout", "sample_code_bwd_dx dx2 dout x2 noise"),
        (),
    ),
    # The same values, from which no gradient goes down.
    "stop": (shape.same, "", "", ("view out x",), (), ()),
    "flatten": (shape.flat, "", "") + _VIEW,
    "reshape": (shape.reshape, "", "") + _VIEW,
    # Between two number formats, into the one and out of it; the graph puts them where they meet.
    "cast": (shape.same, "", "", ("dequantize_s8 out x qp",), (), ()),
    "uncast": (shape.same, "", "", (), (), ()),
}



def _some(kernel):
    return (
        (kernel + "_bwd_dw_some dw db dout x kept geom B",
         kernel + "_bwd_dx_some dx dout w kept geom B"),
        ("dense_bwd_dw_some none db dout none kept B Q 0 K",),
    )


# Rows backward and bias rows where each sample has a list of structures, kept (B, K or M): of the
# other structures it computes nothing (partial.py). An op without them has no weights, or computes
# all of them.
SOME = {
    "dense": (
        ("dense_bwd_dw_some dw db dout x kept B 1 N M",
         "dense_bwd_dx_some dx dout w kept B 1 N M"),
        ("dense_bwd_dw_some none db dout none kept B 1 0 M",),
    ),
    "conv2d": _some("conv2d"),
    "pointwise": (
        ("dense_bwd_dw_some dw db dout x kept B P C K",
         "dense_bwd_dx_some dx dout w kept B P C K"),
        ("dense_bwd_dw_some none db dout none kept B P 0 K",),
    ),
    "depthwise": _some("depthwise"),
}

ITEM_BYTES = {"F32": 4, "I32": 4, "I8": 1}


def dims(node):
    """{dimension: value} of a node whose shapes are known, but for B."""
    source, target = node["shapes"][0], node["out"]
    n, m = shape.elems(source), shape.elems(target)
    out = {"C": source[-1], "K": target[-1], "N": n, "M": m}
    out["P"], out["Q"] = n // source[-1], m // target[-1]
    if len(node["shapes"]) > 1:
        out["C2"] = node["shapes"][1][-1]
    if "kernel" in node:
        out["R"], out["S"] = node["kernel"]
    if len(source) == 3 and len(target) == 3:
        out["H"], out["W"], out["OH"], out["OW"] = source[0], source[1], target[0], target[1]
    if "pad" in node:
        out["TOP"], out["LEFT"] = node["pad"][:2]
    return out


def product(text, sizes):
    """The product that a text such as "Q*K*C" says; sizes: {dimension: value}."""
    n = 1
    for name in text.split("*"):
        n *= sizes[name] if name in sizes else int(name)
    return n


def macs(node):
    """Multiply-accumulates of one sample through a node."""
    text = OPS[node["op"]][2]
    return product(text, dims(node)) if text else 0


def bias(op):
    """Key of the bias among the tensors of an op; None without."""
    words = OPS[op][1].split()
    return words[-1].split(":")[0] if len(words) > 1 else None


def tensors(node, texts=None):
    """[(key, shape)] of the tensors that a node owns: weights, then bias.

    texts: as the table has them, of a format that orders dimensions otherwise.
    """
    out = []
    sizes = dims(node)
    for word in (texts or OPS[node["op"]][1]).split():
        key, names = word.split(":")
        out.append((key, tuple([sizes[name] for name in names.split(",")])))
    return out


def arity(op):
    """How many values an op reads: as many as its rows name."""
    return 2 if op in OPS and " x2" in " ".join(OPS[op][3]) else 1

"""Shapes: the rule of each kind of op, and geometry as the kernels take it.

A shape is a list [H, W, C] or [N]. geom, array('i') of 14:
    H W C     height, width, channels of the input
    K R S     channels of the output, height and width of the kernel
    stride_h stride_w pad_top pad_left dil_h dil_w
    OH OW     height and width of the output
"""

from array import array

from ..errors import ModelError


def out_size(size, pad_before, pad_after, kernel, stride, dilation=1):
    """Length of one output axis; ModelError where the kernel does not fit."""
    free = size + pad_before + pad_after - dilation * (kernel - 1) - 1
    if free < 0 or stride < 1:
        raise ModelError(
            "a kernel of %d with stride %d does not fit an axis of %d" % (kernel, stride, size)
        )
    return free // stride + 1


def elems(shape):
    """Product of the dimensions."""
    n = 1
    for d in shape:
        n *= d
    return n


# ---- shape rules: (node, shapes of its inputs) -> shape of its output ----------------------


def same(node, shapes):
    return list(shapes[0])


def alike(node, shapes):
    if list(shapes[0]) != list(shapes[1]):
        raise ModelError("expected inputs of one shape, got %s and %s" % tuple(shapes))
    return list(shapes[0])


def dense(node, shapes):
    return [elems(node["out"])]


def flat(node, shapes):
    return [elems(shapes[0])]


def reshape(node, shapes):
    if elems(node["out"]) != elems(shapes[0]):
        raise ModelError("expected %d elements, got %s" % (elems(shapes[0]), node["out"]))
    return list(node["out"])


def concat(node, shapes):
    a, b = shapes
    if list(a[:-1]) != list(b[:-1]):
        raise ModelError("expected inputs that differ in channels alone, got %s and %s" % (a, b))
    return list(a[:-1]) + [a[-1] + b[-1]]


def whole(node, shapes):
    h, w, c = _image(shapes[0])
    node["kernel"] = node["stride"] = [h, w]
    node["pad"] = [0, 0, 0, 0]
    return [1, 1, c]


def pad(node, shapes):
    h, w, c = _image(shapes[0])
    top, left, bottom, right = node["pad"]
    return [h + top + bottom, w + left + right, c]


def window(node, shapes):
    """Convolution or pool; the op's channels are those of `out`, or of the input."""
    h, w, c = _image(shapes[0])
    k = node["out"][2] if "w" in node and node["op"] != "depthwise" else c
    return _slide(node, h, w) + [k]


def transposed(node, shapes):
    h, w, c = _image(shapes[0])
    target = list(_image(node["out"]))
    if _slide(node, target[0], target[1]) != [h, w]:
        raise ModelError("a convolution of its output %s does not give %s" % (target, shapes[0]))
    return target


def _image(shape):
    if len(shape) != 3:
        raise ModelError("expected a shape [height, width, channels], got %s" % (shape,))
    return shape


def _slide(node, h, w):
    (r, s), (sh, sw) = node["kernel"], node["stride"]
    top, left, bottom, right = node["pad"]
    dh, dw = node.get("dilation", (1, 1))
    return [out_size(h, top, bottom, r, sh, dh), out_size(w, left, right, s, sw, dw)]


def geom(node):
    """The kernels' geometry of a node whose shapes are known."""
    wide, narrow = node["shapes"][0], node["out"]
    if node["op"] == "conv2d_t":
        wide, narrow = narrow, wide
    (r, s), (sh, sw) = node["kernel"], node["stride"]
    top, left = node["pad"][:2]
    dh, dw = node.get("dilation", (1, 1))
    return array(
        "i", (wide[0], wide[1], wide[2], narrow[2], r, s, sh, sw, top, left, dh, dw)
        + (narrow[0], narrow[1])
    )


def line(node):
    """The geometry that takes a node's input as one row of positions, each by itself."""
    channels = node["out"][-1]
    positions = elems(node["out"]) // channels
    row = (1, positions, channels, channels)
    return array("i", row + (1, 1, 1, 1, 0, 0, 1, 1) + (1, positions))

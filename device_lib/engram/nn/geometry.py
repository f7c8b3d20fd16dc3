"""The geometry of a convolution or pool, as the kernels take it.

geom, array('i') of 14:
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


def geom(layer):
    """The kernels' geometry of a graph layer; ModelError where its shapes disagree.

    layer: dict with in [H,W,C], out [OH,OW,K], kernel [R,S], stride [h,w],
    pad [top,left,bottom,right].
    """
    h, w, c = layer["in"]
    oh, ow, k = layer["out"]
    r, s = layer["kernel"]
    sh, sw = layer["stride"]
    top, left, bottom, right = layer["pad"]
    expected = [out_size(h, top, bottom, r, sh), out_size(w, left, right, s, sw), k]
    if expected != [oh, ow, k]:
        raise ModelError(
            "%s: output %s expected from its input, kernel, stride and pad, %s came"
            % (layer["op"], expected, layer["out"])
        )
    return array("i", (h, w, c, k, r, s, sh, sw, top, left, 1, 1, oh, ow))


def elems(shape):
    """Product of the dimensions."""
    n = 1
    for d in shape:
        n *= d
    return n

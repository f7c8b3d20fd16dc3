"""What the kernels of layers demand of their arguments."""

from .need import buffer, channel_ranges, expect, finite, frame, geometry, ints, same


def depthwise_fwd(out, x, w, b, geom, B):
    kernel = "depthwise_fwd"
    ints(kernel, ("B", B, 0))
    H, W, C, _, R, S, _, _, _, _, _, _, OH, OW = geometry(kernel, geom, True)
    buffer(kernel, "F", "out", out, B * OH * OW * C)
    buffer(kernel, "f", "x", x, B * H * W * C)
    buffer(kernel, "f", "w", w, R * S * C)
    buffer(kernel, "o", "b", b, C)
    return tuple(geom)


def depthwise_bwd_dx(dx, dout, w, geom, B):
    kernel = "depthwise_bwd_dx"
    ints(kernel, ("B", B, 0))
    H, W, C, _, R, S, _, _, _, _, _, _, OH, OW = geometry(kernel, geom, True)
    buffer(kernel, "F", "dx", dx, B * H * W * C)
    buffer(kernel, "f", "dout", dout, B * OH * OW * C)
    buffer(kernel, "f", "w", w, R * S * C)
    return tuple(geom)


def depthwise_bwd_dw(dw, db, dout, x, geom, B):
    kernel = "depthwise_bwd_dw"
    ints(kernel, ("B", B, 0))
    H, W, C, _, R, S, _, _, _, _, _, _, OH, OW = geometry(kernel, geom, True)
    buffer(kernel, "F", "dw", dw, R * S * C)
    buffer(kernel, "F", "db", db, C)
    buffer(kernel, "f", "dout", dout, B * OH * OW * C)
    buffer(kernel, "f", "x", x, B * H * W * C)
    return tuple(geom)


def conv2d_t_fwd(out, x, w, b, geom, B):
    kernel = "conv2d_t_fwd"
    ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry(kernel, geom)
    buffer(kernel, "F", "out", out, B * H * W * C)
    buffer(kernel, "f", "x", x, B * OH * OW * K)
    buffer(kernel, "f", "w", w, K * R * S * C)
    buffer(kernel, "o", "b", b, C)
    return tuple(geom)


def conv2d_t_bwd_dx(dx, dout, w, geom, B):
    kernel = "conv2d_t_bwd_dx"
    ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry(kernel, geom)
    buffer(kernel, "F", "dx", dx, B * OH * OW * K)
    buffer(kernel, "f", "dout", dout, B * H * W * C)
    buffer(kernel, "f", "w", w, K * R * S * C)
    return tuple(geom)


def conv2d_t_bwd_dw(dw, db, dout, x, geom, B):
    kernel = "conv2d_t_bwd_dw"
    ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry(kernel, geom)
    buffer(kernel, "F", "dw", dw, K * R * S * C)
    buffer(kernel, "F", "db", db, C)
    buffer(kernel, "f", "dout", dout, B * H * W * C)
    buffer(kernel, "f", "x", x, B * OH * OW * K)
    return tuple(geom)


def maxpool_fwd(out, x, geom, B):
    return _pool("maxpool_fwd", geom, B, ("F", "out", out), ("f", "x", x))


def maxpool_bwd_dx(dx, dout, x, geom, B):
    kernel = "maxpool_bwd_dx"
    ints(kernel, ("B", B, 0))
    H, W, C, _, _, _, _, _, _, _, _, _, OH, OW = geometry(kernel, geom, True)
    buffer(kernel, "F", "dx", dx, B * H * W * C)
    buffer(kernel, "f", "dout", dout, B * OH * OW * C)
    buffer(kernel, "f", "x", x, B * H * W * C)
    return tuple(geom)


def avgpool_fwd(out, x, geom, B):
    return _pool("avgpool_fwd", geom, B, ("F", "out", out), ("f", "x", x))


def avgpool_bwd_dx(dx, dout, geom, B):
    kernel = "avgpool_bwd_dx"
    ints(kernel, ("B", B, 0))
    H, W, C, _, _, _, _, _, _, _, _, _, OH, OW = geometry(kernel, geom, True)
    buffer(kernel, "F", "dx", dx, B * H * W * C)
    buffer(kernel, "f", "dout", dout, B * OH * OW * C)
    return tuple(geom)


def _pool(kernel, geom, B, out, x):
    ints(kernel, ("B", B, 0))
    H, W, C, _, _, _, _, _, _, _, _, _, OH, OW = geometry(kernel, geom, True)
    buffer(kernel, *out, B * OH * OW * C)
    buffer(kernel, *x, B * H * W * C)
    return tuple(geom)


def relu6_fwd(out, x):
    return same("relu6_fwd", ("F", "out", out), ("f", "x", x))


def relu6_bwd_dx(dx, dout, out):
    return same("relu6_bwd_dx", ("F", "dx", dx), ("f", "dout", dout), ("f", "out", out))


def _slope(kernel, slope):
    buffer(kernel, "f", "slope", slope, 1)
    right = slope[0] >= 0 and finite(slope[0])
    expect(kernel, "slope", right, "a finite number that is not negative")
    return slope[0]


def leaky_relu_fwd(out, x, slope):
    n = same("leaky_relu_fwd", ("F", "out", out), ("f", "x", x))
    return n, _slope("leaky_relu_fwd", slope)


def leaky_relu_bwd_dx(dx, dout, out, slope):
    n = same("leaky_relu_bwd_dx", ("F", "dx", dx), ("f", "dout", dout), ("f", "out", out))
    return n, _slope("leaky_relu_bwd_dx", slope)


def sigmoid_fwd(out, x):
    return same("sigmoid_fwd", ("F", "out", out), ("f", "x", x))


def sigmoid_bwd_dx(dx, dout, out):
    return same("sigmoid_bwd_dx", ("F", "dx", dx), ("f", "dout", dout), ("f", "out", out))


def tanh_fwd(out, x):
    return same("tanh_fwd", ("F", "out", out), ("f", "x", x))


def tanh_bwd_dx(dx, dout, out):
    return same("tanh_bwd_dx", ("F", "dx", dx), ("f", "dout", dout), ("f", "out", out))


def softmax_bwd_dx(dx, dout, out, B, K):
    kernel = "softmax_bwd_dx"
    ints(kernel, ("B", B, 0), ("K", K, 1))
    buffer(kernel, "F", "dx", dx, B * K)
    buffer(kernel, "f", "dout", dout, B * K)
    buffer(kernel, "f", "out", out, B * K)


def add_f32(out, a, b):
    return same("add_f32", ("F", "out", out), ("f", "a", a), ("f", "b", b))


def mul_f32(out, a, b):
    return same("mul_f32", ("F", "out", out), ("f", "a", a), ("f", "b", b))


def scale_shift_fwd(out, x, scale, shift, P, C):
    kernel = "scale_shift_fwd"
    ints(kernel, ("P", P, 0), ("C", C, 0))
    buffer(kernel, "F", "out", out, P * C)
    buffer(kernel, "f", "x", x, P * C)
    buffer(kernel, "f", "scale", scale, C)
    buffer(kernel, "f", "shift", shift, C)


def scale_shift_bwd_dx(dx, dout, scale, P, C):
    kernel = "scale_shift_bwd_dx"
    ints(kernel, ("P", P, 0), ("C", C, 0))
    buffer(kernel, "F", "dx", dx, P * C)
    buffer(kernel, "f", "dout", dout, P * C)
    buffer(kernel, "f", "scale", scale, C)


def scale_shift_bwd_dw(dscale, dshift, dout, x, P, C):
    kernel = "scale_shift_bwd_dw"
    ints(kernel, ("P", P, 0), ("C", C, 0))
    buffer(kernel, "F", "dscale", dscale, C)
    buffer(kernel, "F", "dshift", dshift, C)
    buffer(kernel, "f", "dout", dout, P * C)
    buffer(kernel, "f", "x", x, P * C)


def copy_channels(out, x, P, M, N, to, at, C):
    kernel = "copy_channels"
    channel_ranges(kernel, P, M, N, to, at, C)
    buffer(kernel, "F", "out", out, P * M)
    buffer(kernel, "f", "x", x, P * N)


def pad_fwd(out, x, B, H, W, C, OH, OW, top, left):
    kernel = "pad_fwd"
    frame(kernel, B, H, W, C, OH, OW, top, left)
    buffer(kernel, "F", "out", out, B * OH * OW * C)
    buffer(kernel, "f", "x", x, B * H * W * C)


def pad_bwd_dx(dx, dout, B, H, W, C, OH, OW, top, left):
    kernel = "pad_bwd_dx"
    frame(kernel, B, H, W, C, OH, OW, top, left)
    buffer(kernel, "F", "dx", dx, B * H * W * C)
    buffer(kernel, "f", "dout", dout, B * OH * OW * C)

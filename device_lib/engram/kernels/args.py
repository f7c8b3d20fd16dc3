"""What every kernel demands of its arguments, for the backends written in Python.

One function a kernel, with the kernel's name and arguments. ValueError and TypeError name the
kernel, the argument, what was expected and what came, in the words of the C kernels; nothing has
been written by then. Where it helps the caller, the checked geometry or scalars are returned.
"""

from .args_audio import *  # noqa: F403
from .args_int8 import *  # noqa: F403
from .args_layers import *  # noqa: F403
from .args_replay import *  # noqa: F403
from .args_train import *  # noqa: F403
from .need import buffer as _buffer
from .need import channels as _channels
from .need import entry as _entry
from .need import expect as _expect
from .need import finite as _finite
from .need import geometry as _geom
from .need import ints as _ints
from .need import quantization as _q
from .need import same as _same
from .need import scale_and_zero as _quant

# ---- one a kernel -------------------------------------------------------------------------


def dense_fwd(out, x, w, b, B, N, M):
    kernel = "dense_fwd"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "F", "out", out, B * M)
    _buffer(kernel, "f", "x", x, B * N)
    _buffer(kernel, "f", "w", w, M * N)
    _buffer(kernel, "o", "b", b, M)


def dense_bwd_dx(dx, dout, w, B, N, M):
    kernel = "dense_bwd_dx"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "F", "dx", dx, B * N)
    _buffer(kernel, "f", "dout", dout, B * M)
    _buffer(kernel, "f", "w", w, M * N)


def dense_bwd_dw(dw, db, dout, x, B, N, M):
    kernel = "dense_bwd_dw"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "F", "dw", dw, M * N)
    _buffer(kernel, "F", "db", db, M)
    _buffer(kernel, "f", "dout", dout, B * M)
    _buffer(kernel, "f", "x", x, B * N)


def conv2d_fwd(out, x, w, b, geom, B):
    kernel = "conv2d_fwd"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry = _geom(kernel, geom)
    _buffer(kernel, "F", "out", out, B * OH * OW * K)
    _buffer(kernel, "f", "x", x, B * H * W * C)
    _buffer(kernel, "f", "w", w, K * R * S * C)
    _buffer(kernel, "o", "b", b, K)
    return geometry


def conv2d_bwd_dx(dx, dout, w, geom, B):
    kernel = "conv2d_bwd_dx"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry = _geom(kernel, geom)
    _buffer(kernel, "F", "dx", dx, B * H * W * C)
    _buffer(kernel, "f", "dout", dout, B * OH * OW * K)
    _buffer(kernel, "f", "w", w, K * R * S * C)
    return geometry


def conv2d_bwd_dw(dw, db, dout, x, geom, B):
    kernel = "conv2d_bwd_dw"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry = _geom(kernel, geom)
    _buffer(kernel, "F", "dw", dw, K * R * S * C)
    _buffer(kernel, "F", "db", db, K)
    _buffer(kernel, "f", "dout", dout, B * OH * OW * K)
    _buffer(kernel, "f", "x", x, B * H * W * C)
    return geometry


def relu_fwd(out, x):
    n = _buffer("relu_fwd", "F", "out", out)
    _buffer("relu_fwd", "f", "x", x, n)
    return n


def relu_bwd_dx(dx, dout, out):
    n = _buffer("relu_bwd_dx", "F", "dx", dx)
    _buffer("relu_bwd_dx", "f", "dout", dout, n)
    _buffer("relu_bwd_dx", "f", "out", out, n)
    return n


def global_avgpool_fwd(out, x, B, P, C):
    kernel = "global_avgpool_fwd"
    _ints(kernel, ("B", B, 0), ("P", P, 1), ("C", C, 0))
    _buffer(kernel, "F", "out", out, B * C)
    _buffer(kernel, "f", "x", x, B * P * C)


def global_avgpool_bwd_dx(dx, dout, B, P, C):
    kernel = "global_avgpool_bwd_dx"
    _ints(kernel, ("B", B, 0), ("P", P, 1), ("C", C, 0))
    _buffer(kernel, "F", "dx", dx, B * P * C)
    _buffer(kernel, "f", "dout", dout, B * C)


def softmax_xent(dlogits, stats, logits, labels, B, K):
    kernel = "softmax_xent"
    _ints(kernel, ("B", B, 0), ("K", K, 1))
    _buffer(kernel, "F", "dlogits", dlogits, B * K)
    _buffer(kernel, "F", "stats", stats, 2)
    _buffer(kernel, "f", "logits", logits, B * K)
    _buffer(kernel, "b", "labels", labels, B)
    chosen = [v & 255 for v in labels]
    for i in range(B):
        _entry(kernel, "labels", chosen, i, 0, K - 1)
    return chosen


def softmax_fwd(out, x, B, K):
    _ints("softmax_fwd", ("B", B, 0), ("K", K, 1))
    _buffer("softmax_fwd", "F", "out", out, B * K)
    _buffer("softmax_fwd", "f", "x", x, B * K)


def sgd_step(p, v, g, hyper):
    kernel = "sgd_step"
    n = _buffer(kernel, "F", "p", p)
    _buffer(kernel, "F", "v", v, n)
    _buffer(kernel, "f", "g", g, n)
    _buffer(kernel, "f", "hyper", hyper, 3)
    lr, momentum, weight_decay = hyper[0], hyper[1], hyper[2]
    for h in (lr, momentum, weight_decay):
        if not (h >= 0 and h - h == 0):
            raise ValueError(
                "sgd_step: hyper: expected lr, momentum and weight_decay"
                " to be finite and not negative"
            )
    return n, lr, momentum, weight_decay


def sgd_plain(p, g, hyper):
    n = _same("sgd_plain", ("F", "p", p), ("f", "g", g))
    _buffer("sgd_plain", "f", "hyper", hyper, 2)
    lr, weight_decay = hyper[0], hyper[1]
    right = lr >= 0 and _finite(lr) and weight_decay >= 0 and _finite(weight_decay)
    _expect("sgd_plain", "hyper", right, "lr and weight_decay to be finite and not negative")
    return n, lr, weight_decay


def quantize_s8(out, x, qp):
    scale, zero_point = _quant("quantize_s8", qp)
    n = _buffer("quantize_s8", "B", "out", out)
    _buffer("quantize_s8", "f", "x", x, n)
    return scale, zero_point, n


def dequantize_s8(out, x, qp):
    scale, zero_point = _quant("dequantize_s8", qp)
    n = _buffer("dequantize_s8", "F", "out", out)
    _buffer("dequantize_s8", "b", "x", x, n)
    return scale, zero_point, n


def u8_to_s8(out, x):
    n = _buffer("u8_to_s8", "B", "out", out)
    _buffer("u8_to_s8", "b", "x", x, n)
    return n


def conv2d_s8(out, x, w, bias, mult, shift, geom, q, B):
    kernel = "conv2d_s8"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry = _geom(kernel, geom)
    _buffer(kernel, "B", "out", out, B * OH * OW * K)
    _buffer(kernel, "b", "x", x, B * H * W * C)
    _buffer(kernel, "b", "w", w, K * R * S * C)
    _channels(kernel, bias, mult, shift, K)
    return geometry, _q(kernel, q)


def depthwise_s8(out, x, w, bias, mult, shift, geom, q, B):
    kernel = "depthwise_s8"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry = _geom(kernel, geom, True)
    _buffer(kernel, "B", "out", out, B * OH * OW * C)
    _buffer(kernel, "b", "x", x, B * H * W * C)
    _buffer(kernel, "b", "w", w, R * S * C)
    _channels(kernel, bias, mult, shift, C)
    return geometry, _q(kernel, q)


def dense_s8(out, x, w, bias, mult, shift, q, B, N, M):
    kernel = "dense_s8"
    _ints(kernel, ("B", B, 0), ("N", N, 0), ("M", M, 0))
    _buffer(kernel, "B", "out", out, B * M)
    _buffer(kernel, "b", "x", x, B * N)
    _buffer(kernel, "b", "w", w, M * N)
    _channels(kernel, bias, mult, shift, M)
    return _q(kernel, q)


def avgpool_s8(out, x, geom, q, B):
    kernel = "avgpool_s8"
    _ints(kernel, ("B", B, 0))
    H, W, C, K, R, S, _, _, _, _, _, _, OH, OW = geometry = _geom(kernel, geom, True)
    _buffer(kernel, "B", "out", out, B * OH * OW * C)
    _buffer(kernel, "b", "x", x, B * H * W * C)
    return geometry, _q(kernel, q)


def zero_f32(out):
    return _buffer("zero_f32", "F", "out", out)


def copy_f32(out, x):
    return _same("copy_f32", ("F", "out", out), ("f", "x", x))


def check_finite(x):
    return _buffer("check_finite", "f", "x", x)

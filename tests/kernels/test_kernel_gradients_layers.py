"""The gradients of the layers beyond dense and conv2d against finite differences, in float64."""

from array import array

import kernels_check as cases
import pytest

from kernels.common import reference, rows
from kernels.differences import close, close_at_some, slope, values, zeros

GEOMETRIES = pytest.mark.parametrize("geom", cases.GEOM, ids=str)
B = 2


def apart(n):
    """n numbers of which no two are closer than a difference's step, so that no maximum moves."""
    return array("d", [(i * 7919 % n - n / 2) / n + 0.5 / n for i in range(n)])


@GEOMETRIES
def test_depthwise(geom):
    geom = cases.channelwise(geom)
    X, Y, W, C = cases.sizes(geom, B)
    W //= C
    g = array("i", geom)
    x, w, b, dout = values(X, 1), values(W, 2), values(C, 3), values(Y, 4)

    def forward(x=x, w=w, b=b):
        return reference("depthwise_fwd", (zeros(Y), x, w, b, g, B))[0]

    dx = reference("depthwise_bwd_dx", (zeros(X), dout, w, g, B))[0]
    dw, db = reference("depthwise_bwd_dw", (zeros(W), zeros(C), dout, x, g, B))[:2]
    close_at_some(dx, x, lambda v: forward(x=v), dout)
    close_at_some(dw, w, lambda v: forward(w=v), dout)
    close_at_some(db, b, lambda v: forward(b=v), dout)


@GEOMETRIES
def test_conv2d_transposed(geom):
    Y, X, W, _ = cases.sizes(geom, B)  # from the small to the whole
    C = geom[2]
    g = array("i", geom)
    x, w, b, dout = values(X, 1), values(W, 2), values(C, 3), values(Y, 4)

    def forward(x=x, w=w, b=b):
        return reference("conv2d_t_fwd", (zeros(Y), x, w, b, g, B))[0]

    dx = reference("conv2d_t_bwd_dx", (zeros(X), dout, w, g, B))[0]
    dw, db = reference("conv2d_t_bwd_dw", (zeros(W), zeros(C), dout, x, g, B))[:2]
    close_at_some(dx, x, lambda v: forward(x=v), dout)
    close_at_some(dw, w, lambda v: forward(w=v), dout)
    close_at_some(db, b, lambda v: forward(b=v), dout)


@GEOMETRIES
def test_pools(geom):
    geom = cases.channelwise(geom)
    X, Y, _, _ = cases.sizes(geom, B)
    g = array("i", geom)
    x, dout = apart(X), values(Y, 4)
    dx = reference("maxpool_bwd_dx", (zeros(X), dout, x, g, B))[0]
    close_at_some(dx, x, lambda v: reference("maxpool_fwd", (zeros(Y), v, g, B))[0], dout)
    dx = reference("avgpool_bwd_dx", (zeros(X), dout, g, B))[0]
    close_at_some(dx, x, lambda v: reference("avgpool_fwd", (zeros(Y), v, g, B))[0], dout)


def test_code():
    """The noise is that of the forward pass."""
    mean, spread, dout = values(30, 1), values(30, 2), values(30, 3)
    stream = array("i", (7, 3, 1))

    def forward(mean=mean, spread=spread):
        return reference("sample_code", (zeros(30), zeros(30), stream, mean, spread))

    noise = forward()[1]
    dspread = reference("sample_code_bwd_dx", (zeros(30), dout, spread, noise))[0]
    close_at_some(dout, mean, lambda v: forward(mean=v)[0], dout)
    close_at_some(dspread, spread, lambda v: forward(spread=v)[0], dout)
    stream[2] = 0
    assert list(forward()[0]) == list(mean)


@pytest.mark.parametrize("name", ["kl_mean", "kl_spread"])
def test_divergence(name):
    x = values(30, 1)
    dx, stats, *_ = reference(name, (zeros(30), zeros(11), x, 3, 10))
    assert stats[0] == pytest.approx(sum(stats[1:]))

    def loss(v):
        return array("d", [reference(name, (zeros(30), zeros(11), v, 3, 10))[1][0] / 3])

    close_at_some(dx, x, loss, array("d", [1]))


def test_reconstruction_of_values_from_0_to_1():
    x, target = array("d", [4 * v for v in values(30, 1)]), values(30, 2)

    def both(v):
        return reference("logistic_xent", (zeros(30), zeros(1), v, target, 3, 10))

    close_at_some(both(x)[0], x, lambda v: array("d", [both(v)[1][0] / 3]), array("d", [1]))


def test_a_sample_without_an_answer_has_no_gradient():
    x, stats = values(12, 1), zeros(2)
    labels = bytes((1, 254, 3))
    dx, stats, *_ = reference("softmax_xent", (zeros(12), stats, x, labels, 3, 4))
    assert list(dx[4:8]) == [0] * 4 and any(dx[:4]) and any(dx[8:])
    loss = 0
    for i in (0, 2):
        row = x[4 * i : 4 * i + 4], labels[i : i + 1]
        loss += reference("softmax_xent", (zeros(4), zeros(2), *row, 1, 4))[1][0]
    assert stats[0] == pytest.approx(loss)


# relu6's kinks are at 0 and 6; these are off both
ACTIVATIONS = ("relu6", "leaky_relu", "sigmoid", "tanh")


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("size", [1, 7])
def test_activation(name, size):
    x, dout = array("d", [v * size for v in values(30, 1)]), values(30, 2)
    more = (array("d", [0.25]),) if name == "leaky_relu" else ()

    def forward(v):
        return reference(f"{name}_fwd", (zeros(30), v, *more))[0]

    dx = reference(f"{name}_bwd_dx", (zeros(30), dout, forward(x), *more))[0]
    close(dx, slope(forward, x, dout))


def test_hard_swish():
    x, dout = array("d", [6 * v for v in values(30, 1)]), values(30, 2)  # some beyond -3 and 3
    dx = reference("hard_swish_bwd_dx", (zeros(30), dout, x))[0]
    close(dx, slope(lambda v: reference("hard_swish_fwd", (zeros(30), v))[0], x, dout))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_softmax(shape):
    samples, K = shape
    n = samples * K
    x, dout = values(n, 1), values(n, 2)

    def forward(v):
        return reference("softmax_fwd", (zeros(n), v, *shape))[0]

    dx = reference("softmax_bwd_dx", (zeros(n), dout, forward(x), *shape))[0]
    close(dx, slope(forward, x, dout))


def test_scale_shift():
    P, C = 4, 3
    x, scale, shift, dout = values(P * C, 1), values(C, 2), values(C, 3), values(P * C, 4)

    def forward(x=x, scale=scale, shift=shift):
        return reference("scale_shift_fwd", (zeros(P * C), x, scale, shift, P, C))[0]

    dx = reference("scale_shift_bwd_dx", (zeros(P * C), dout, scale, P, C))[0]
    start = zeros(C), zeros(C)
    dscale, dshift = reference("scale_shift_bwd_dw", (*start, dout, x, P, C))[:2]
    close(dx, slope(lambda v: forward(x=v), x, dout))
    close(dscale, slope(lambda v: forward(scale=v), scale, dout))
    close(dshift, slope(lambda v: forward(shift=v), shift, dout))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_mean_squared_error(shape):
    samples, N = shape
    n = samples * N
    pred, target = values(n, 1), values(n, 2)

    def loss(v):
        """The mean over the batch: what dpred is the gradient of."""
        return [reference("mse", (zeros(n), zeros(1), v, target, *shape))[1][0] / samples]

    dpred = reference("mse", (zeros(n), zeros(1), pred, target, *shape))[0]
    close(dpred, slope(loss, pred, [1.0]))


def test_concatenation_goes_back_by_the_same_kernel():
    """copy_channels moves numbers only: its gradient is itself with the two ends exchanged."""
    P, M, N, to, at, C = 3, 7, 5, 2, 1, 4
    x, dout = values(P * N, 1), values(P * M, 2)

    def forward(v):
        return reference("copy_channels", (zeros(P * M), v, P, M, N, to, at, C))[0]

    dx = reference("copy_channels", (zeros(P * N), dout, P, N, M, at, to, C))[0]
    close(dx, slope(forward, x, dout))


def test_padding():
    shape = samples, H, W, C, OH, OW, top, left = 2, 3, 2, 3, 6, 4, 1, 2
    small, large = samples * H * W * C, samples * OH * OW * C
    x, dout = values(small, 1), values(large, 2)

    def forward(v):
        return reference("pad_fwd", (zeros(large), v, *shape))[0]

    close(reference("pad_bwd_dx", (zeros(small), dout, *shape))[0], slope(forward, x, dout))


def test_every_gradient_kernel_is_here_or_with_the_first_ones():
    """Names in this folder's two files of differences: a new *_bwd_* kernel needs its test.

    Those of some structures are held to these ones in test_kernel_some.py, the integer ones to
    gradients of what their integers mean in test_kernel_q8.py."""
    from pathlib import Path

    here = Path(__file__).parent.glob("test_kernel_gradients*.py")
    text = "".join(path.read_text() for path in here)
    names = {f"{name}_bwd_dx" for name in ACTIVATIONS}
    names |= {name for name in rows() if f'"{name}"' in text}
    whole = {name for name in rows() if "_bwd_" in name and not name.endswith(("_some", "_q8"))}
    assert whole <= names

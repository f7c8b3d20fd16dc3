"""Every gradient against finite differences of its forward kernel, in float64.

The definition is what is checked here; the other backends are held to it elsewhere.
"""

from array import array

import kernels_check as cases
import pytest

from kernels.common import reference
from kernels.differences import close, close_at_some, slope, values, zeros


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (5, 4, 3)])
def test_dense(shape):
    B, N, M = shape
    x, w, b, dout = values(B * N, 1), values(M * N, 2), values(M, 3), values(B * M, 4)

    def forward(x=x, w=w, b=b):
        return reference("dense_fwd", (zeros(B * M), x, w, b, *shape))[0]

    dx = reference("dense_bwd_dx", (zeros(B * N), dout, w, *shape))[0]
    dw, db = reference("dense_bwd_dw", (zeros(M * N), zeros(M), dout, x, *shape))[:2]
    close(dx, slope(lambda v: forward(x=v), x, dout))
    close(dw, slope(lambda v: forward(w=v), w, dout))
    close(db, slope(lambda v: forward(b=v), b, dout))


@pytest.mark.parametrize("geom", cases.GEOM, ids=str)
def test_conv2d(geom):
    B = 2
    X, Y, W, K = cases.sizes(geom, B)
    g = array("i", geom)
    x, w, b, dout = values(X, 1), values(W, 2), values(K, 3), values(Y, 4)

    def forward(x=x, w=w, b=b):
        return reference("conv2d_fwd", (zeros(Y), x, w, b, g, B))[0]

    dx = reference("conv2d_bwd_dx", (zeros(X), dout, w, g, B))[0]
    dw, db = reference("conv2d_bwd_dw", (zeros(W), zeros(K), dout, x, g, B))[:2]
    close_at_some(dx, x, lambda v: forward(x=v), dout)
    close_at_some(dw, w, lambda v: forward(w=v), dout)
    close_at_some(db, b, lambda v: forward(b=v), dout)


def test_relu():
    x, dout = values(20, 1), values(20, 2)
    out = reference("relu_fwd", (zeros(20), x))[0]
    dx = reference("relu_bwd_dx", (zeros(20), dout, out))[0]
    close(dx, slope(lambda v: reference("relu_fwd", (zeros(20), v))[0], x, dout))


def test_global_avgpool():
    B, P, C = 2, 5, 3
    x, dout = values(B * P * C, 1), values(B * C, 2)
    dx = reference("global_avgpool_bwd_dx", (zeros(B * P * C), dout, B, P, C))[0]
    close(
        dx,
        slope(lambda v: reference("global_avgpool_fwd", (zeros(B * C), v, B, P, C))[0], x, dout),
    )


@pytest.mark.parametrize("shape", [(1, 2), (3, 5)])
def test_softmax_cross_entropy(shape):
    B, K = shape
    logits, labels = values(B * K, 1), bytes(i % K for i in range(B))

    def loss(v):
        """The mean over the batch: what dlogits is the gradient of."""
        return [reference("softmax_xent", (zeros(B * K), zeros(2), v, labels, B, K))[1][0] / B]

    dlogits = reference("softmax_xent", (zeros(B * K), zeros(2), logits, labels, B, K))[0]
    close(dlogits, slope(loss, logits, [1.0]))


def test_weight_gradients_add_to_what_is_there():
    B, N, M = 2, 3, 2
    dout, x = values(B * M, 1), values(B * N, 2)
    once = reference("dense_bwd_dw", (zeros(M * N), zeros(M), dout, x, B, N, M))[:2]
    twice = reference("dense_bwd_dw", (*once, dout, x, B, N, M))[:2]
    for a, b in zip(once, twice, strict=True):
        close(b, [2 * v for v in a])

"""Every gradient against finite differences of its forward kernel, in float64.

The definition is what is checked here; the other backends are held to it elsewhere.
"""

import random
from array import array

import kernels_check as cases
import numpy as np
import pytest

from kernels.common import reference

# A central difference with step h in float64 errs by about h**2 and 1e-16 / h.
STEP, RTOL, ATOL = 1e-5, 1e-6, 1e-7


def values(n, seed):
    """n numbers of size 0.1 to 1, so that no ReLU is near its kink."""
    rng = random.Random(seed)
    return array("d", [rng.choice((-1, 1)) * rng.uniform(0.1, 1) for _ in range(n)])


def slope(forward, at, dout):
    """d(sum of forward(at) * dout) / d at, element by element."""
    found = []
    for i in range(len(at)):
        moved = array("d", at)
        moved[i] = at[i] + STEP
        up = np.dot(forward(moved), dout)
        moved[i] = at[i] - STEP
        found.append((up - np.dot(forward(moved), dout)) / (2 * STEP))
    return found


def close(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=RTOL, atol=ATOL)


def zeros(n):
    return array("d", [0.0]) * n


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
    # the sum is linear in each argument: a sample of the elements tells as much as all of them
    for got, at, name in ((dx, x, "x"), (dw, w, "w"), (db, b, "b")):
        some = sorted(random.Random(5).sample(range(len(at)), min(len(at), 25)))

        def moved(part, name=name, at=at, some=some):
            whole = array("d", at)
            for i, v in zip(some, part, strict=True):
                whole[i] = v
            return forward(**{name: whole})

        close([got[i] for i in some], slope(moved, array("d", [at[i] for i in some]), dout))


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
        close(np.array(b), 2 * np.array(a))

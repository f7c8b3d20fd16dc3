"""Finite differences of a forward kernel, in float64: what every gradient is held to."""

import random
from array import array

import numpy as np

# A central difference with step h in float64 errs by about h**2 and 1e-16 / h.
STEP, RTOL, ATOL = 1e-5, 1e-6, 1e-7


def values(n, seed):
    """n numbers of size 0.1 to 1, so that no ReLU is near its kink."""
    rng = random.Random(seed)
    return array("d", [rng.choice((-1, 1)) * rng.uniform(0.1, 1) for _ in range(n)])


def slope(forward, at, dout):
    """d(sum of forward(at) * dout) / d at, element by element."""
    slopes = []
    for i in range(len(at)):
        point = array("d", at)
        point[i] = at[i] + STEP
        up = np.dot(forward(point), dout)
        point[i] = at[i] - STEP
        slopes.append((up - np.dot(forward(point), dout)) / (2 * STEP))
    return slopes


def close(result, target):
    np.testing.assert_allclose(result, target, rtol=RTOL, atol=ATOL)


def zeros(n):
    return array("d", [0.0]) * n


def close_at_some(gradient, at, forward, dout, count=25):
    """The gradient `got` at `at` is the slope of forward, at a sample of its elements.

    For a sum that is linear in each argument a sample tells as much as all of them.
    """
    some = sorted(random.Random(5).sample(range(len(at)), min(len(at), count)))

    def moved(part):
        whole = array("d", at)
        for i, v in zip(some, part, strict=True):
            whole[i] = v
        return forward(whole)

    close([gradient[i] for i in some], slope(moved, array("d", [at[i] for i in some]), dout))

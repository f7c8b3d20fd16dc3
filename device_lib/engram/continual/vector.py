"""Arithmetic on float32 vectors that strategies and policies need, over the kernels."""

from array import array

from ..backend import kernels

ONE, MINUS_ONE = array("f", (1,)), array("f", (-1,))


def scalar(value):
    """array('f') of one number, as kernels take a float."""
    return array("f", (value,))


def dot(a, b):
    """The sum of a (n) times b (n), rounded to float32."""
    out = array("f", (0,))
    kernels.dense_fwd(out, a, b, None, 1, len(a), 1)
    return out[0]


def square(x):
    """|x|^2 of x (n)."""
    total = array("f", (0,))
    kernels.sum_squares(total, x)
    return total[0]


def row_means(values, n):
    """array('f') of the means of the rows of values (rows, n)."""
    rows = array("f", range(len(values) // n))
    kernels.global_avgpool_fwd(rows, values, len(rows), n, 1)
    return rows


def add_to_all(x, value):
    """x (n) += value, in place."""
    kernels.scale_shift_fwd(x, x, ONE, scalar(value), len(x), 1)


def add_outer(out, a, b, rows):
    """out (N, M) += a (rows, N).T @ b (rows, M)."""
    sums = array("f", range(len(a) // rows))
    kernels.dense_bwd_dw(out, sums, a, b, rows, len(b) // rows, len(a) // rows)

"""Weights rounded so that the sums of a layer stay, over inputs that it has seen.

The nearest integer is best for a weight alone. Inputs go together, though: the error of one weight
can be taken back by those that follow, as GPTQ does. What is left on average goes into the bias:

    https://arxiv.org/abs/2210.17323  (GPTQ)
    https://arxiv.org/abs/1906.04721  (bias correction)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_AT_ONCE = 16  # samples whose windows are in memory
_MOST_TAPS = 2048  # of a covariance: 32 MB of float64
_DAMPING = 0.01  # of the mean variance, on each of them: for inputs that were hardly seen
_LARGEST = 127  # weights are symmetric


class Inputs(NamedTuple):
    """The inputs of a layer over all samples and places, by the weights (taps) they meet.

    Groups: the output channels, where each has inputs of its own, else 1.
    wanted: mean (groups, taps) of the float model. mean: of the device, as integers less their
    zero point. covariance: (groups, taps, taps) of the latter; None: too many taps.
    """

    wanted: F64
    mean: F64
    covariance: F64 | None


def seen(
    taps: Callable[..., NDArray[Any]],
    node: Mapping[str, Any],
    wanted: NDArray[np.float32],
    integers: NDArray[np.int8],
    zero: int,
) -> Inputs:
    """The inputs of a node as it is described. taps: as int8_ops.Op has it.

    wanted: (n, *shape) of the float model. integers: the same of the device, zero: of the latter.
    """
    places, total, reached, squares = 0, 0.0, 0.0, 0.0
    for i in range(0, len(wanted), _AT_ONCE):
        part = slice(i, i + _AT_ONCE)
        total = total + taps(node, wanted[part]).sum(axis=0, dtype=np.float64)
        x = taps(node, integers[part].astype(np.float64) - zero).swapaxes(0, 1)
        places += x.shape[1]
        reached = reached + x.sum(axis=1)
        if x.shape[2] <= _MOST_TAPS:  # sums of integers: exact in any order
            squares = squares + x.swapaxes(1, 2) @ x
    mean = np.asarray(reached) / places
    covariance = np.asarray(squares) / places
    about_mean = covariance - mean[:, :, None] * mean[:, None, :] if covariance.ndim else None
    return Inputs(np.asarray(total) / places, mean, about_mean)


def half_away(x: NDArray[Any]) -> NDArray[Any]:
    """The nearest whole number, halves away from zero."""
    return np.trunc(x + np.copysign(0.5, x))


def nearest(w: F64) -> F64:
    """Weights, in steps of their scale, each rounded by itself."""
    return np.clip(half_away(w), -_LARGEST, _LARGEST)


def rounded(w: F64, inputs: Inputs | None) -> F64:
    """Weights (channels, taps), in steps of their scale, as integers that fit the inputs."""
    if inputs is None or inputs.covariance is None:
        return nearest(w)
    groups = len(inputs.covariance)
    parts = w.reshape(groups, -1, w.shape[1])
    return np.concatenate([_together(*part) for part in zip(parts, inputs.covariance)])


def _together(w: F64, covariance: F64) -> F64:
    """The integers of channels (n, taps) whose inputs have one covariance, tap by tap.

    The taps that vary most come first; each leaves its error to those behind it.
    """
    taps = len(covariance)
    variance = np.diag(covariance)
    order = np.argsort(-variance, kind="stable")
    damping = _DAMPING * variance.mean() or 1.0  # inputs that never vary: any number does
    damped = covariance[np.ix_(order, order)] + damping * np.eye(taps)
    shares = np.linalg.cholesky(np.linalg.inv(damped)).T
    rest = w[:, order].copy()
    out = np.empty_like(rest)
    for i in range(taps):
        out[:, i] = nearest(rest[:, i])
        error = (rest[:, i] - out[:, i]) / shares[i, i]
        rest[:, i + 1 :] -= np.outer(error, shares[i, i + 1 :])
    return out[:, np.argsort(order)]

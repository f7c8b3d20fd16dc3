"""The sliding windows of convolutions and pools, NHWC."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def windows(
    x: NDArray[T],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    fill: float = 0,
) -> NDArray[T]:
    """x (n, H, W, C) -> (n, OH, OW, R, S, C), a view of the padded input.

    pad: top, left, bottom, right. fill: what the padding holds.
    """
    top, left, bottom, right = pad
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    return view[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)

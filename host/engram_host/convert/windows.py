"""The sliding windows of convolutions and pools, NHWC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def windows(
    x: NDArray[T],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    dilation: tuple[int, int] = (1, 1),
    fill: float = 0,
) -> NDArray[T]:
    """x (n, H, W, C) -> (n, OH, OW, R, S, C), a view of the padded input.

    pad: top, left, bottom, right. fill: what the padding holds.
    """
    (r, s), (sh, sw), (dh, dw) = kernel, stride, dilation
    top, left, bottom, right = pad
    whole = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    reach = (dh * (r - 1) + 1, dw * (s - 1) + 1)
    view = np.lib.stride_tricks.sliding_window_view(whole, reach, axis=(1, 2))
    return view[:, ::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 2, 4, 5, 3)


def node_windows(node: Mapping[str, Any], x: NDArray[T], fill: float = 0) -> NDArray[T]:
    """The windows of a node with kernel, stride, pad, and dilation if it has one."""
    dilation = node.get("dilation", (1, 1))
    return windows(x, node["kernel"], node["stride"], node["pad"], dilation, fill)


def over_windows(node: Mapping[str, Any], x: NDArray[T]) -> NDArray[T]:
    """x (n, H, W, C) -> (places, 1, R * S * C): what each weight of an output channel meets."""
    view = node_windows(node, x)
    return view.reshape(-1, 1, int(np.prod(view.shape[3:])))


def by_channel(node: Mapping[str, Any], x: NDArray[T]) -> NDArray[T]:
    """The same where each output channel has one of its own: (places, C, R * S)."""
    view = node_windows(node, x)
    r, s, c = view.shape[3:]
    return view.reshape(-1, r * s, c).swapaxes(1, 2)


def as_row(node: Mapping[str, Any], x: NDArray[T]) -> NDArray[T]:
    """The same of a layer without windows: (n, 1, elements)."""
    return x.reshape(len(x), 1, -1)


def scattered(node: Mapping[str, Any], x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """The transposed convolution without bias: x (n, H, W, C), w (C, R, S, K) -> (n, *out)."""
    (r, s), (sh, sw) = node["kernel"], node["stride"]
    top, left = node["pad"][:2]
    dh, dw = node.get("dilation", (1, 1))
    n, h, w_in, _ = x.shape
    height, width, channels = node["out"]
    rows = max((h - 1) * sh + dh * (r - 1) + 1, top + height)
    columns = max((w_in - 1) * sw + dw * (s - 1) + 1, left + width)
    whole = np.zeros((n, rows, columns, channels), x.dtype)
    for i in range(r):
        for j in range(s):
            y, z = i * dh, j * dw
            part = whole[:, y : y + h * sh : sh, z : z + w_in * sw : sw]
            part[:, :h, :w_in] += x @ w[:, i, j]
    return whole[:, top : top + height, left : left + width]

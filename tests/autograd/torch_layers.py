"""The layers with a window in PyTorch, with the geometry and the layout of the kernels."""

import torch

F = torch.nn.functional


def images(x):
    """NHWC to NCHW."""
    return x.permute(0, 3, 1, 2)


def padded(x, geom, value=0.0):
    """Images (N, C, H, W) with the geometry's padding, and as much at the end as windows need."""
    H, W, _, _, R, S, sh, sw, top, left, dh, dw, OH, OW = geom
    bottom = max(0, (OH - 1) * sh + (R - 1) * dh + 1 - H - top)
    right = max(0, (OW - 1) * sw + (S - 1) * dw + 1 - W - left)
    return F.pad(x, (left, right, top, bottom), value=value)


def conv(x, w, b, geom, groups=1):
    """x (B, H, W, C), w (K, R, S, C / groups) as PyTorch convolves them: (B, OH, OW, K)."""
    _, _, _, _, _, _, sh, sw, _, _, dh, dw, OH, OW = geom
    w = w.permute(0, 3, 1, 2)
    y = F.conv2d(padded(images(x), geom), w, b, (sh, sw), 0, (dh, dw), groups)
    return y[:, :, :OH, :OW].permute(0, 2, 3, 1)


def conv_transposed(x, w, b, geom):
    """x (B, OH, OW, K), w (K, R, S, C): (B, H, W, C), geom that of the convolution back to x."""
    H, W, _, _, _, _, sh, sw, top, left, dh, dw, _, _ = geom
    y = F.conv_transpose2d(images(x), w.permute(0, 3, 1, 2), None, (sh, sw), dilation=(dh, dw))
    y = F.pad(y, (0, max(0, left + W - y.shape[3]), 0, max(0, top + H - y.shape[2])))
    return y[:, :, top : top + H, left : left + W].permute(0, 2, 3, 1) + b


def max_pool(x, geom):
    """(B, H, W, C) -> (B, OH, OW, C)"""
    _, _, _, _, R, S, sh, sw, _, _, dh, dw, OH, OW = geom
    y = F.max_pool2d(padded(images(x), geom, -torch.inf), (R, S), (sh, sw), 0, (dh, dw))
    return y[:, :, :OH, :OW].permute(0, 2, 3, 1)


def avg_pool(x, geom):
    """(B, H, W, C) -> (B, OH, OW, C), padding not counted"""
    channels, R, S = geom[2], geom[4], geom[5]
    ones = torch.ones(channels, R, S, 1, dtype=x.dtype)
    return conv(x, ones, None, geom, channels) / conv(
        torch.ones_like(x), ones, None, geom, channels
    )

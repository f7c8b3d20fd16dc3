"""The forward pass and the loss of a graph in numpy, float64, from the definitions of the ops.

It reads the nodes of a model as nn/graph.py gives them, and no row of nn/ops.py: shapes,
geometry and arithmetic are written a second time. Values have a batch axis in front.
"""

import numpy as np

from engram.nn.names import LATENT, NOISE

_ONE = {
    "relu": lambda x, node: np.maximum(x, 0),
    "relu6": lambda x, node: np.clip(x, 0, 6),
    "leaky_relu": lambda x, node: np.where(x > 0, x, np.float32(node["slope"]) * x),
    "hard_swish": lambda x, node: x * np.clip(x + 3, 0, 6) / 6,
    "sigmoid": lambda x, node: 1 / (1 + np.exp(-x)),
    "tanh": lambda x, node: np.tanh(x),
    "softmax": lambda x, node: softmax(x),
    "global_avgpool": lambda x, node: x.mean((1, 2), keepdims=True),
    "stop": lambda x, node: x,
    "flatten": lambda x, node: x.reshape(len(x), -1),
    "reshape": lambda x, node: x.reshape(len(x), *node["out"]),
}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def forward(nodes, values, tensors):
    """Adds the values of `nodes`, in their order, to `values`: {name: (batch, *shape)}.

    tensors: {name in the file: float64 array}. Where a code is drawn, its noise is among the
    values as NOISE + name.
    """
    for node in nodes:
        inputs = [values[name] for name in node["in"]]
        if node["op"] == "sample":
            inputs.append(values[NOISE + node["name"]].reshape(inputs[0].shape))
        own = {key: tensors[node[key]] for key in ("w", "b", "scale", "shift") if key in node}
        values[node["name"]] = _OPS.get(node["op"], _one)(node, *inputs, **own)


def losses(outputs, values, labels, targets):
    """{name of an output: mean loss of the batch}. targets: {name: (batch, elements)}."""
    out = {}
    for output in outputs:
        value = values[output["node"]].reshape(len(labels), -1)
        if output["objective"] == "classify":
            probabilities = softmax(value)[np.arange(len(labels)), labels]
            out[output["node"]] = -np.log(probabilities).mean()
        elif output["objective"] == "regress":
            out[output["node"]] = ((value - targets[output["node"]]) ** 2).mean()
        else:
            latent = values[LATENT].reshape(len(labels), -1)
            out[output["node"]] = _LOSSES[output["objective"]](value, latent)
    return out


_LOSSES = {
    "reconstruct": lambda value, latent: ((value - latent) ** 2).mean(),
    "bernoulli": lambda value, latent: (np.logaddexp(0, value) - latent * value).mean(),
    "kl_mean": lambda value, _: (value**2 / 2).sum(1).mean(),
    "kl_spread": lambda value, _: ((np.exp(value) - 1 - value) / 2).sum(1).mean(),
}


def _one(node, x):
    return _ONE[node["op"]](x, node)


def _taps(node, wide, narrow):
    """(positions of `narrow`, positions in the window) -> position in `wide`; beyond it: the
    number of its positions."""
    h, w = wide[:2]
    (r, s), (stride_h, stride_w) = node["kernel"], node["stride"]
    (dil_h, dil_w), (top, left) = node.get("dilation", (1, 1)), node["pad"][:2]
    rows = np.arange(narrow[0])[:, None] * stride_h - top + np.arange(r) * dil_h
    columns = np.arange(narrow[1])[:, None] * stride_w - left + np.arange(s) * dil_w
    rows, columns = rows[:, None, :, None], columns[None, :, None, :]
    inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
    return np.where(inside, rows * w + columns, h * w).reshape(narrow[0] * narrow[1], r * s)


def _windows(node, x, beyond=0.0):
    """x as (batch, positions of the output, positions in the window, channels)."""
    batch, channels = len(x), x.shape[-1]
    flat = x.reshape(batch, -1, channels)
    flat = np.concatenate([flat, np.full((batch, 1, channels), beyond)], 1)
    return flat[:, _taps(node, x.shape[1:], node["out"])]


def _image(node, x):
    return x.reshape(len(x), *node["out"])


def _conv(node, x, w, b):
    return _image(node, np.einsum("bptc,ktc->bpk", _windows(node, x), _columns(w)) + b)


def _columns(w):
    return w.reshape(w.shape[0], -1, w.shape[-1])


def _depthwise(node, x, w, b):
    weights = w.reshape(-1, w.shape[-1])
    return _image(node, np.einsum("bptc,tc->bpc", _windows(node, x), weights) + b)


def _transposed(node, x, w, b):
    """Each position of x adds its window to the output."""
    (h, width, channels), batch = node["out"], len(x)
    parts = np.einsum("bpk,ktc->bptc", x.reshape(batch, -1, x.shape[-1]), _columns(w))
    out = np.zeros((batch, h * width + 1, channels))
    np.add.at(out, (slice(None), _taps(node, node["out"], x.shape[1:])), parts)
    return _image(node, out[:, :-1]) + b


def _maxpool(node, x):
    return _image(node, _windows(node, x, -np.inf).max(2))


def _avgpool(node, x):
    return _image(node, _windows(node, x).sum(2) / _windows(node, np.ones_like(x)).sum(2))


def _pad(node, x):
    top, left, bottom, right = node["pad"]
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


_OPS = {
    "dense": lambda node, x, w, b: x.reshape(len(x), -1) @ w.T + b,
    "conv2d": _conv,
    "pointwise": _conv,
    "depthwise": _depthwise,
    "conv2d_t": _transposed,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "pad": _pad,
    "add": lambda node, a, b: a + b,
    "sample": lambda node, mean, spread, noise: mean + np.exp(spread / 2) * noise,
    "concat": lambda node, a, b: np.concatenate([a, b], -1),
    "scale_shift": lambda node, x, scale, shift: x * scale + shift,
}

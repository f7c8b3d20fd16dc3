"""The operations of a model's layers: the tensors each owns, what each computes."""

from .geometry import elems


def _channels(k):
    return (("bias", "I32", (k,)), ("mult", "I32", (k,)), ("shift", "I32", (k,)))


def _conv2d_s8(layer):
    k, (r, s), c = layer["out"][2], layer["kernel"], layer["in"][2]
    return (("w", "I8", (k, r, s, c)),) + _channels(k)


def _depthwise_s8(layer):
    (r, s), c = layer["kernel"], layer["in"][2]
    return (("w", "I8", (r, s, c)),) + _channels(c)


def _dense_s8(layer):
    m, n = elems(layer["out"]), elems(layer["in"])
    return (("w", "I8", (m, n)),) + _channels(m)


def _conv2d_f32(layer):
    k, (r, s), c = layer["out"][2], layer["kernel"], layer["in"][2]
    return (("w", "F32", (k, r, s, c)), ("b", "F32", (k,)))


def _dense_f32(layer):
    m, n = elems(layer["out"]), elems(layer["in"])
    return (("w", "F32", (m, n)), ("b", "F32", (m,)))


def _nothing(layer):
    return ()


# op -> (the tensors it owns, whether it has a geometry)
FROZEN_OPS = {
    "conv2d": (_conv2d_s8, True),
    "depthwise": (_depthwise_s8, True),
    "dense": (_dense_s8, False),
    "avgpool": (_nothing, True),
    "global_avgpool": (_nothing, True),
}
ADAPTIVE_OPS = {
    "conv2d": (_conv2d_f32, True),
    "dense": (_dense_f32, False),
    "relu": (_nothing, False),
    "global_avgpool": (_nothing, False),
    "flatten": (_nothing, False),
}
SAME_ELEMS = ("relu", "flatten")  # output elements: those of the input


def macs(layer):
    """Multiply-accumulates of one sample through a layer of either stage."""
    op = layer["op"]
    if op == "dense":
        return elems(layer["in"]) * elems(layer["out"])
    if op == "conv2d":
        return elems(layer["out"]) * elems(layer["kernel"]) * layer["in"][2]
    if op == "depthwise":
        return elems(layer["out"]) * elems(layer["kernel"])
    return 0


def parameters(layer, ops):
    """[(tensor name, dtype, shape)] that a layer owns."""
    return [(layer[key], dtype, shape) for key, dtype, shape in ops[layer["op"]][0](layer)]


def parameter_elems(layer, ops):
    """How many numbers a layer owns."""
    return sum([elems(shape) for _, _, shape in parameters(layer, ops)])

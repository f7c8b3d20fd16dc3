"""A small model file with every frozen and adaptive op, made anywhere: CPython or a board.

Its numbers come from a fixed generator; the frozen stage is not trained, only valid.
"""

import json
import struct
from array import array

SHAPE = (6, 6, 2)
CLASSES = 4


def _lcg(seed):
    state = seed
    while True:
        state = (state * 141 + 28411) % 134456
        yield state


def _i8(gen, n):
    return bytes([next(gen) % 255 - 127 & 255 for _ in range(n)])


def _i32(values):
    return struct.pack("<%di" % len(values), *values)


def _f32(gen, n, scale):
    return struct.pack("<%df" % n, *[(next(gen) % 2001 - 1000) / 1000 * scale for _ in range(n)])


def _size(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def _conv(tensors, gen, i, op, shape_in, shape_out, kernel, stride, pad, in_zp):
    k = shape_out[2]
    fan_in = kernel[0] * kernel[1] * (1 if op == "depthwise" else shape_in[2])
    w = (kernel[0], kernel[1], k) if op == "depthwise" else (k, kernel[0], kernel[1], shape_in[2])
    name = "f%d." % i
    tensors.append((name + "w", "I8", w, _i8(gen, k * fan_in)))
    tensors.append((name + "bias", "I32", (k,), _i32([next(gen) % 4001 - 2000 for _ in range(k)])))
    mult = [(1 << 30) + next(gen) * 1000 for _ in range(k)]
    tensors.append((name + "mult", "I32", (k,), _i32(mult)))
    shift = -9 if fan_in > 12 else -8
    tensors.append((name + "shift", "I32", (k,), _i32([shift] * k)))
    return {
        "op": op, "in": shape_in, "out": shape_out, "kernel": kernel, "stride": stride,
        "pad": pad, "q": [in_zp, -128, -128, 127],
        "w": name + "w", "bias": name + "bias", "mult": name + "mult", "shift": name + "shift",
    }


def graph_and_tensors(input_dtype="uint8"):
    """(graph, [(name, dtype, shape, bytes)]) of the tiny model."""
    gen = _lcg(7)
    t = []
    frozen = [
        _conv(t, gen, 0, "conv2d", [6, 6, 2], [6, 6, 4], [3, 3], [1, 1], [1, 1, 1, 1], -128),
        _conv(t, gen, 1, "depthwise", [6, 6, 4], [6, 6, 4], [3, 3], [1, 1], [1, 1, 1, 1], -128),
        _conv(t, gen, 2, "conv2d", [6, 6, 4], [6, 6, 5], [1, 1], [1, 1], [0, 0, 0, 0], -128),
        {"op": "avgpool", "in": [6, 6, 5], "out": [3, 3, 5], "kernel": [2, 2],
         "stride": [2, 2], "pad": [0, 0, 0, 0], "q": [-128, -128, -128, 127]},
    ]
    adaptive = [
        {"op": "conv2d", "in": [3, 3, 5], "out": [3, 3, 6], "kernel": [3, 3], "stride": [1, 1],
         "pad": [1, 1, 1, 1], "w": "a0.w", "b": "a0.b"},
        {"op": "relu"},
        {"op": "conv2d", "in": [3, 3, 6], "out": [3, 3, 8], "kernel": [1, 1], "stride": [1, 1],
         "pad": [0, 0, 0, 0], "w": "a2.w", "b": "a2.b"},
        {"op": "relu"},
        {"op": "global_avgpool"},
        {"op": "dense", "in": [8], "out": [CLASSES], "w": "a5.w", "b": "a5.b"},
    ]
    for name, shape, scale in (
        ("a0.w", (6, 3, 3, 5), 0.2), ("a0.b", (6,), 0.1),
        ("a2.w", (8, 1, 1, 6), 0.4), ("a2.b", (8,), 0.1),
        ("a5.w", (CLASSES, 8), 0.4), ("a5.b", (CLASSES,), 0.1),
    ):
        t.append((name, "F32", shape, _f32(gen, _size(shape), scale)))
    graph = {
        "name": "tiny", "classes": CLASSES,
        "input": {"shape": list(SHAPE), "dtype": input_dtype, "scale": 1 / 255,
                  "zero_point": -128},
        "frozen": frozen,
        "latent": {"shape": [3, 3, 5], "scale": 1 / 64, "zero_point": -128},
        "adaptive": adaptive,
    }
    return graph, t


def pack(graph, tensors, version="1"):
    """The bytes of a safetensors file."""
    header = {"__metadata__": {"engram_model": version, "graph": json.dumps(graph)}}
    at = 0
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join([data for _, _, _, data in tensors])


def with_outputs(*names):
    """The bytes of the tiny model in version 2, with some of the outputs

    classes   those of version 1
    place     2 values, a regression
    size      1 value, a regression
    """
    graph, tensors = graph_and_tensors()
    chains = [("f%d", layer) for layer in graph.pop("frozen")]
    latent = "f%d" % (len(chains) - 1)
    chains += [("a%d", layer) for layer in graph.pop("adaptive")]
    nodes, before = [], "input"
    for i, (name, layer) in enumerate(chains):
        node = dict(layer, name=name % (i if name == "f%d" else i - 4))
        node["in"] = [before]
        nodes.append(node)
        before = node["name"]
    classes, features = nodes[-1], nodes[-2]["name"]
    classes["name"] = "classes"
    gen = _lcg(11)
    heads = {"classes": (classes, "classify")}
    for name, n in (("place", 2), ("size", 1)):
        node = {"name": name, "op": "dense", "in": [features], "out": [n],
                "w": name + ".w", "b": name + ".b"}
        heads[name] = (node, "regress")
        if name in names:
            tensors.append((name + ".w", "F32", (n, 8), _f32(gen, 8 * n, 0.4)))
            tensors.append((name + ".b", "F32", (n,), _f32(gen, n, 0.1)))
    if "classes" not in names:
        tensors = [tensor for tensor in tensors if not tensor[0].startswith("a5.")]
        graph["classes"] = 0
    graph["nodes"] = nodes[:-1] + [heads[name][0] for name in names]
    graph["outputs"] = [{"node": name, "objective": heads[name][1]} for name in names]
    graph["latent"].update(node=latent, scale=0.5)  # latents far enough apart to learn from
    return pack(graph, tensors, "2")


def target(label, i):
    """What a regression should give for sample(label, i): place, where the bright quarter is, and
    size; exact in float32."""
    return [label // 2 - 0.5, label % 2 - 0.5 + i % 5 / 16, 1 - label / 4]


def model_bytes(input_dtype="uint8"):
    return pack(*graph_and_tensors(input_dtype))


def sample(label, i):
    """The i-th input of class `label`: a bright quarter of the image, and noise."""
    gen = _lcg(1000 * label + 17 * i + 3)
    x = bytearray(_size(SHAPE))
    for h in range(6):
        for w in range(6):
            bright = (h // 3) * 2 + w // 3 == label
            for c in range(2):
                x[(h * 6 + w) * 2 + c] = next(gen) % 60 + (150 if bright else 0)
    return x


def as_float(x):
    return array("f", [v / 255 for v in x])

"""Model files to fuzz readers with: small whole ones, and ones crafted to take them down."""

import importlib.util
import io
import struct
import zipfile
from functools import partial

import numpy as np

from importer.int8_networks import NETWORKS, NONE, VALID
from importer.tflite_maker import Made, Op, make

PACKAGES = {"tflite": "tflite", "onnx": "onnx", "pt2": "torch"}
KINDS = tuple(PACKAGES)


def is_there(kind):
    """Whether the package that reads a kind is installed."""
    return importlib.util.find_spec(PACKAGES[kind]) is not None


def whole(kind):
    """{name: bytes} of files that are taken."""
    return {"tflite": _tflite, "onnx": _onnx, "pt2": _pt2}[kind]()


def crafted(kind):
    """{name: function that makes the bytes}"""
    return _onnx_crafted() if kind == "onnx" else {"tflite": TFLITE, "pt2": PT2}[kind]


# ---- .tflite ----------------------------------------------------------------------------------


def _tflite():
    from importer.test_import import classifier
    from importer.test_import import floats as float_dense
    from importer.test_outputs import two_heads
    from importer.test_tflite_ends import ENDS, floats

    files = {name: NETWORKS[name](1).content() for name in NETWORKS}
    files.update({"classifier": classifier(), "branch": classifier(branch=True)})
    files.update({"float": float_dense(), "heads": two_heads()})
    files.update({f"ends {name}": floats(*ENDS[name], half=True) for name in ENDS})
    return files


def _relus(count):
    """A chain of so many operators."""
    tensors = [Made(f"v{i}", "int8", (1, 4), [0.1], [0]) for i in range(count + 1)]
    operators = [Op("RELU", (i,), (i + 1,)) for i in range(count)]
    return make(tensors, operators, [0], [count])


def _one(shape, out, op, *constants, options=None, dtype="int8"):
    """A file of one operator whose shapes only claim a size."""
    scales = ([0.1], [0]) if dtype == "int8" else ((), ())
    tensors = [Made("x", dtype, shape, *scales), Made("y", dtype, out, *scales)]
    for data in constants:
        scale = ([0.1], [0]) if data.dtype == np.int8 else ((), ())
        tensors.append(Made("c", data.dtype.name, data.shape, *scale, data=data))
    numbers = tuple(range(2, len(tensors)))
    return make(tensors, [Op(op, (0, *numbers), (1,), options)], [0], [1])


def _window(**options):
    """A convolution with a window that cannot be."""
    usual = {
        "Padding": VALID, "StrideH": 1, "StrideW": 1, "FusedActivationFunction": NONE,
        "DilationHFactor": 1, "DilationWFactor": 1,
    }  # fmt: skip
    w, b = np.ones((2, 3, 3, 3), np.int8), np.zeros(2, np.int32)
    table = ("Conv2DOptions", {**usual, **options})
    return _one((1, 8, 8, 3), (1, 6, 6, 2), "CONV_2D", w, b, options=table)


def _loop():
    """A table whose vtable is itself, and vectors that overlap all of the file."""
    content = bytearray(NETWORKS["conv"](0).content())
    root = struct.unpack_from("<I", content)[0]
    struct.pack_into("<i", content, root, 0)
    return bytes(content)


def _same_buffers():
    """Many tensors on one buffer: none of them takes memory of its own."""
    data = np.zeros((1024, 1024), np.int8)
    tensors = [Made("x", "int8", (1, 1024), [0.1], [0])]
    tensors += [Made(f"y{i}", "int8", (1, 1024), [0.1], [0]) for i in range(40)]
    tensors.append(Made("w", "int8", data.shape, [0.1], [0], data=data))
    options = ("FullyConnectedOptions", {"FusedActivationFunction": NONE})
    operators = [Op("FULLY_CONNECTED", (i, 41, -1), (i + 1,), options) for i in range(40)]
    return make(tensors, operators, [0], [40])


_WIDE = ("ResizeNearestNeighborOptions", {"AlignCorners": False, "HalfPixelCenters": False})
_NO_TABLE = ("MulOptions", {"FusedActivationFunction": NONE})
_LARGE = 1 << 23

TFLITE = {
    "nothing": lambda: b"",
    "head": lambda: b"\x10\0\0\0TFL3",
    "far-root": lambda: b"\xff\xff\xff\x7fTFL3" + bytes(64),
    "loop": _loop,
    "many-operators": partial(_relus, 2500),
    "same-buffers": _same_buffers,
    "large-value": partial(_one, (1, _LARGE, _LARGE), (1, _LARGE, _LARGE), "RELU"),
    "large-enlarged": partial(
        _one, (1, 1, 1, 1), (1, _LARGE, 1, 1), "RESIZE_NEAREST_NEIGHBOR",
        np.array([_LARGE, 1], np.int32), options=_WIDE,
    ),
    "large-factor": partial(
        _one, (1, _LARGE), (1, _LARGE), "MUL", np.ones(1, np.int8), options=_NO_TABLE
    ),
    "dense-of-all": partial(
        _one, (1, 64, 64, 256), (1, 2), "FULLY_CONNECTED", np.zeros((2, 1 << 20), np.int8),
        options=("FullyConnectedOptions", {"FusedActivationFunction": NONE}),
    ),
    "stride-0": partial(_window, StrideH=0),
    "stride-negative": partial(_window, StrideW=-1),
    "dilation-0": partial(_window, DilationHFactor=0),
    "dilation-large": partial(_window, DilationWFactor=(1 << 31) - 1),
    "padding-unknown": partial(_window, Padding=7),
    "activation-unknown": partial(_window, FusedActivationFunction=99),
}  # fmt: skip


# ---- .onnx ------------------------------------------------------------------------------------


def _onnx():
    from importer.test_onnx import MODELS, made, two_heads

    return {**{name: made(name)[0] for name in MODELS}, "heads": two_heads()[0]}


def _onnx_crafted():
    from onnx import TensorProto

    from importer.test_onnx import Model

    def one(op, *constants, shape=(3, 8, 8), dimensions=4, **attributes):
        def content():
            model = Model(shape)
            model.op(op, *(model.constant(np.asarray(c)) for c in constants), **attributes)
            return model.content(dimensions=dimensions)

        return content

    def deep(times):
        """Graphs in attributes of nodes of graphs."""
        content = b""
        for tag in b"\x32\x2a\x0a" * times + b"\x3a":
            content = bytes([tag]) + _varint(len(content)) + content
        return content

    def many():
        model = Model((4,))
        for _ in range(5500):
            model.op("Relu")
        return model.content()

    def claimed(*dims):
        def content():
            model = Model((4,))
            model.op("MatMul", "w")
            tensor = TensorProto(name="w", data_type=TensorProto.FLOAT)
            tensor.dims.extend(dims)
            model.constants = [tensor]
            return model.content()

        return content

    filters = np.ones((2, 3, 3, 3), np.float32)
    real = np.float32
    return {
        "nothing": lambda: b"",
        "text": lambda: b"<html>" * 100,
        "deep": partial(deep, 20),
        "deeper": partial(deep, 2000),
        "many-nodes": many,
        "claimed": claimed(1 << 40, 3),
        "claimed-negative": claimed(-4, -4),
        "claimed-overflow": claimed(1 << 32, 1 << 32, 1),
        "stride-0": one("Conv", filters, strides=[0, 1]),
        "stride-negative": one("Conv", filters, strides=[-1, -1]),
        "dilation-large": one("Conv", filters, dilations=[1 << 60, 1]),
        "group-0": one("Conv", filters, group=0),
        "pads-few": one("Conv", filters, pads=[1]),
        "pads-large": one("Conv", filters, pads=[1 << 40] * 4),
        "pads-negative": one("MaxPool", kernel_shape=[2, 2], pads=[-9, -9, -9, -9]),
        "kernel-0": one("AveragePool", kernel_shape=[0, 0]),
        "kernel-large": one("MaxPool", kernel_shape=[1 << 40, 1], pads=[1 << 40, 0, 1 << 40, 0]),
        "enlarged": one("Resize", real([]), real([1, 1, 1e6, 1e6])),
        "enlarged-none": one("Resize", real([]), real([1, 1, np.inf, -1])),
        "padded": one("Pad", np.array([0, 0, 1 << 40, 0, 0, 0, 0, 0])),
        "wide-input": one("Mul", real(2), shape=(1 << 40, 1 << 20, 1 << 20)),
        "channels": one("Mul", real(2), shape=(1 << 33,), dimensions=2),
        "reshaped": one("Reshape", np.array([1 << 40, -1]), dimensions=2),
        "axis": one("Concat", axis=-(1 << 60)),
        "divided": one("Div", real(0)),
        "not-a-number": one("Mul", real(np.nan)),
    }


def _varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


# ---- .pt2 -------------------------------------------------------------------------------------


def _pt2():
    import torch
    from torch import nn

    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    out = io.BytesIO()
    torch.export.save(torch.export.export(body.eval(), (torch.zeros(1, 3, 8, 8),)), out)
    return {"pictures": out.getvalue()}


def _archive(parts, times=1):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(times):
            for name, part in parts.items():
                archive.writestr(f"net/{i}{name}" if times > 1 else f"net/{name}", part)
    return out.getvalue()


def _bomb(claims=None):
    """320 MiB of zeros in a megabyte, as one of its parts. claims: so many bytes, as the directory
    has it; None: as many as there are."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("net/models/model.json", "w") as part,
    ):
        for _ in range(320):
            part.write(bytes(1 << 20))
    content = bytearray(out.getvalue())
    if claims is not None:
        struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, claims)
    return bytes(content)


def _with_graph(text):
    """A whole file with another graph."""
    content = next(iter(_pt2().values()))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as archive:
        for name in source.namelist():
            is_graph = name.endswith("models/model.json")
            archive.writestr(name, text if is_graph else source.read(name))
    return out.getvalue()


PT2 = {
    "nothing": lambda: b"",
    "head": lambda: b"PK\x03\x04" + bytes(200),
    "empty": partial(_archive, {}),
    "bomb": _bomb,
    "bomb-that-lies": partial(_bomb, 10),
    "many": partial(_archive, {"x": b""}, times=20_000),
    "up": partial(_archive, {"../../up": b"x", "/etc/x": b"x"}),
    "deep": partial(_with_graph, "[" * 100_000),
    "deep-objects": partial(_with_graph, '{"graph_module":' * 50_000 + "0" + "}" * 50_000),
    "no-graph": partial(_with_graph, "{}"),
}

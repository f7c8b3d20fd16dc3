"""Small int8 networks, one per operator, as .tflite files."""

import numpy as np

from importer.tflite_maker import Made, Op, make

SAME, VALID = 0, 1
NONE, RELU, RELU6 = 0, 1, 3


class Network:
    """A file that grows. x: the number of the last value."""

    def __init__(self, seed, shape):
        self.random = np.random.default_rng(seed)
        self.tensors, self.operators = [], []
        self.x = self.value("x", (1, *shape))
        self.inputs = [self.x]

    def scale(self, low=0.02, high=0.08):
        return float(np.float32(self.random.uniform(low, high)))

    def value(self, name, shape, scale=None, zero_point=None):
        zero_point = int(self.random.integers(-20, 20)) if zero_point is None else zero_point
        row = Made(name, "int8", shape, [scale or self.scale()], [zero_point])
        return self._add(row)

    def constant(self, name, data, scales=(), axis=0):
        dtype = data.dtype.name
        return self._add(Made(name, dtype, data.shape, scales, [0] * len(scales), axis, data))

    def weights(self, shape, axis, count=None):
        """int8 weights with a scale per output channel, and their bias."""
        scales = self.random.uniform(0.004, 0.02, count or shape[axis]).astype(np.float32)
        w = self.random.integers(-127, 128, shape).astype(np.int8)
        source = self.tensors[self.x].scales[0]
        b = self.random.integers(-2000, 2000, shape[axis]).astype(np.int32)
        return [
            self.constant("w", w, scales, axis),
            self.constant("b", b, scales * np.float32(source)),
        ]

    def op(self, op, inputs, shape, options=None, keep=False, scale=None):
        """An operator on the values `inputs`; its output becomes x. keep: in the input's scale;
        else scale, or one that is drawn."""
        source = self.tensors[inputs[0]]
        kept = (source.scales[0], source.zero_points[0]) if keep else (scale, None)
        out = self.value(f"{op}{len(self.operators)}", (1, *shape), *kept)
        self.operators.append(Op(op, tuple(inputs), (out,), options))
        self.x = out
        return self

    def content(self):
        return make(self.tensors, self.operators, self.inputs, [self.x])

    def _add(self, row):
        self.tensors.append(row)
        return len(self.tensors) - 1


def _conv(seed, padding, stride, activation, dilation=1):
    net = Network(seed, (9, 8, 3))
    w = net.weights((5, 3, 3, 3), 0)
    reach = 2 * dilation + 1
    size = [
        -(-n // stride) if padding == SAME else (n - reach) // stride + 1 for n in (9, 8)
    ]
    options = {
        "Padding": padding, "StrideH": stride, "StrideW": stride,
        "FusedActivationFunction": activation,
        "DilationHFactor": dilation, "DilationWFactor": dilation,
    }  # fmt: skip
    return net.op("CONV_2D", (net.x, *w), (*size, 5), ("Conv2DOptions", options))


def _depthwise(seed, channels, many):
    net = Network(seed, (7, 7, channels))
    w = net.weights((1, 3, 3, channels * many), 3)
    options = {
        "Padding": SAME, "StrideH": 2, "StrideW": 2, "DepthMultiplier": many,
        "FusedActivationFunction": RELU6, "DilationHFactor": 1, "DilationWFactor": 1,
    }  # fmt: skip
    shape = (4, 4, channels * many)
    return net.op("DEPTHWISE_CONV_2D", (net.x, *w), shape, ("DepthwiseConv2DOptions", options))


def _transpose(seed):
    net = Network(seed, (4, 5, 6))
    shape = net.constant("shape", np.array([1, 8, 10, 3], np.int32))
    w, b = net.weights((3, 3, 3, 6), 0)
    options = {"Padding": SAME, "StrideH": 2, "StrideW": 2}
    return net.op(
        "TRANSPOSE_CONV", (shape, w, net.x, b), (8, 10, 3), ("TransposeConvOptions", options)
    )


def _dense(seed, activation, count):
    net = Network(seed, (40,))
    w = net.weights((30, 40), 0, count)
    options = {"FusedActivationFunction": activation}
    return net.op("FULLY_CONNECTED", (net.x, *w), (30,), ("FullyConnectedOptions", options))


def _pool(seed, op, kernel, stride, padding):
    net = Network(seed, (9, 8, 4))
    size = [-(-n // stride) if padding == SAME else (n - kernel) // stride + 1 for n in (9, 8)]
    options = {
        "Padding": padding, "StrideH": stride, "StrideW": stride, "FilterHeight": kernel,
        "FilterWidth": kernel, "FusedActivationFunction": NONE,
    }  # fmt: skip
    return net.op(op, (net.x,), (*size, 4), ("Pool2DOptions", options), keep=True)


def _whole_pool(seed):
    net = Network(seed, (5, 4, 6))
    options = {
        "Padding": VALID, "StrideH": 5, "StrideW": 4, "FilterHeight": 5, "FilterWidth": 4,
        "FusedActivationFunction": NONE,
    }  # fmt: skip
    return net.op("AVERAGE_POOL_2D", (net.x,), (1, 1, 6), ("Pool2DOptions", options), keep=True)


def _mean(seed, keep_dims):
    net = Network(seed, (5, 7, 6))
    axes = net.constant("axes", np.array([1, 2], np.int32))
    shape = (1, 1, 6) if keep_dims else (6,)
    return net.op("MEAN", (net.x, axes), shape, ("ReducerOptions", {"KeepDims": keep_dims}))


def _add(seed, activation):
    net = Network(seed, (4, 4, 3))
    first = net.x
    net.op("LEAKY_RELU", (first,), (4, 4, 3), ("LeakyReluOptions", {"Alpha": 0.5}))
    options = {"FusedActivationFunction": activation}
    return net.op("ADD", (first, net.x), (4, 4, 3), ("AddOptions", options))


def _concat(seed):
    net = Network(seed, (4, 4, 3))
    first = net.x
    parts = [first]
    for slope in (0.25, 0.5):
        net.op("LEAKY_RELU", (first,), (4, 4, 3), ("LeakyReluOptions", {"Alpha": slope}), True)
        parts.append(net.x)
    options = {"Axis": 3, "FusedActivationFunction": NONE}
    return net.op("CONCATENATION", parts, (4, 4, 9), ("ConcatenationOptions", options), keep=True)


def _pad(seed):
    net = Network(seed, (4, 5, 3))
    ends = net.constant("ends", np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))
    return net.op("PAD", (net.x, ends), (7, 6, 3), ("PadOptions", {}), keep=True)


def _mul(seed, shape, activation=NONE):
    """A product with constants: one, or one per channel."""
    net = Network(seed, (4, 5, 3))
    values = net.random.integers(-100, 101, shape).astype(np.int8)
    net.tensors.append(Made("factors", "int8", shape, [0.03], [20], data=values))
    factors = len(net.tensors) - 1
    options = {"FusedActivationFunction": activation}
    return net.op("MUL", (net.x, factors), (4, 5, 3), ("MulOptions", options))


def _enlarge(seed, tall, wide, half):
    net = Network(seed, (3, 4, 3))
    size = (3 * tall, 4 * wide)
    sizes = net.constant("size", np.array(size, np.int32))
    options = ("ResizeNearestNeighborOptions", {"AlignCorners": False, "HalfPixelCenters": half})
    return net.op("RESIZE_NEAREST_NEIGHBOR", (net.x, sizes), (*size, 3), options, keep=True)


def _reshape(seed):
    net = Network(seed, (4, 5, 3))
    shape = net.constant("shape", np.array([1, 60], np.int32))
    return net.op("RESHAPE", (net.x, shape), (60,), ("ReshapeOptions", {}), keep=True)


def _fixed(seed, op, scale, zero_point, options=None):
    """An operator whose output has a scale of its own."""
    net = Network(seed, (50,))
    out = net.value("out", (1, 50), scale, zero_point)
    net.operators.append(Op(op, (net.x,), (out,), options))
    net.x = out
    return net


def _softmax(seed):
    return _fixed(seed, "SOFTMAX", 1 / 256, -128, ("SoftmaxOptions", {"Beta": 1.0}))


def _function(seed, op, options=None):
    net = Network(seed, (6, 6, 4))
    return net.op(op, (net.x,), (6, 6, 4), options)


NETWORKS = {
    "conv": lambda seed: _conv(seed, SAME, 1, RELU),
    "conv_valid_2": lambda seed: _conv(seed, VALID, 2, NONE),
    "conv_dilated": lambda seed: _conv(seed, SAME, 1, RELU6, 2),
    "depthwise": lambda seed: _depthwise(seed, 6, 1),
    "depthwise_of_one": lambda seed: _depthwise(seed, 1, 8),
    "transpose": _transpose,
    "dense": lambda seed: _dense(seed, RELU, 1),
    "dense_per_channel": lambda seed: _dense(seed, NONE, 30),
    "maxpool": lambda seed: _pool(seed, "MAX_POOL_2D", 3, 2, SAME),
    "avgpool": lambda seed: _pool(seed, "AVERAGE_POOL_2D", 2, 2, VALID),
    "avgpool_same": lambda seed: _pool(seed, "AVERAGE_POOL_2D", 3, 2, SAME),
    "global_avgpool": _whole_pool,
    "mean": lambda seed: _mean(seed, True),
    "mean_flat": lambda seed: _mean(seed, False),
    "add": lambda seed: _add(seed, NONE),
    "add_relu": lambda seed: _add(seed, RELU),
    "concat": _concat,
    "mul": lambda seed: _mul(seed, (3,)),
    "mul_one": lambda seed: _mul(seed, (1,), RELU6),
    "enlarge": lambda seed: _enlarge(seed, 2, 2, False),
    "enlarge_3_1": lambda seed: _enlarge(seed, 3, 1, True),
    "enlarge_1_4": lambda seed: _enlarge(seed, 1, 4, True),
    "pad": _pad,
    "reshape": _reshape,
    "softmax": _softmax,
    "logistic": lambda seed: _fixed(seed, "LOGISTIC", 1 / 256, -128),
    "tanh": lambda seed: _fixed(seed, "TANH", 1 / 128, 0),
    "relu": lambda seed: _function(seed, "RELU"),
    "relu6": lambda seed: _function(seed, "RELU6"),
    "leaky_relu": lambda seed: _function(seed, "LEAKY_RELU", ("LeakyReluOptions", {"Alpha": 0.1})),
    "hard_swish": lambda seed: _function(seed, "HARD_SWISH"),
    "quantize": lambda seed: _function(seed, "QUANTIZE"),
}

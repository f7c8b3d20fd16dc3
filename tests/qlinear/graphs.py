"""ONNX graphs of one layer, run by onnxruntime: images NHWC as the kernels have them.

Operators without a domain are ONNX's, those of com.microsoft are onnxruntime's own:

    https://onnx.ai/onnx/operators/
    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md

Scales are float32, weights symmetric with a scale per output channel. A graph runs as it is
written, not optimised, and without the int16 sums of older x86 processors, which saturate.
"""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
IR_VERSION = 10


def run(nodes, inputs, constants):
    """Runs nodes (operator, input names, output name, attributes) on arrays; the int8 output y."""
    node_list = [
        helper.make_node(op, names.split(), [to], **attributes)
        for op, names, to, attributes in nodes
    ]
    values = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in inputs.items()
    ]
    result = helper.make_tensor_value_info("y", TensorProto.INT8, None)
    constants_of_graph = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph(node_list, "layer", values, [result], constants_of_graph)
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)[0]


def quantization(**scales):
    """Names of constants: x=(scale, zero point) gives xs and xz."""
    constants = {}
    for name, (scale, zero_point) in scales.items():
        constants[name + "s"] = np.float32(scale)
        constants[name + "z"] = np.int8(zero_point)
    return constants


def weights(w, scale, bias):
    """Constants of per-channel weights, of zero point 0."""
    scale = np.asarray(scale, np.float32)
    return {"w": w, "ws": scale, "wz": np.zeros(scale.shape, np.int8), "b": bias}


def window(geom, pads):
    """Attributes of a window: geom (14) as of the kernels, pads = top left bottom right."""
    _, _, _, _, R, S, sh, sw, _, _, dh, dw, _, _ = geom
    return {"kernel_shape": [R, S], "strides": [sh, sw], "dilations": [dh, dw], "pads": pads}


def nchw(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def nhwc(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def conv2d(x, w, bias, geom, pads, xq, ws, yq, groups=1):
    """QLinearConv: x (B, H, W, C), w (K, R, S, C / groups), ws (K)."""
    constants = weights(nchw(w), ws, bias) | quantization(x=xq, y=yq)
    attributes = window(geom, pads) | {"group": groups}
    node = "QLinearConv", "x xs xz w ws wz ys yz b", "y", attributes
    return nhwc(run([node], {"x": nchw(x)}, constants))


def gemm(x, w, bias, xq, ws, yq):
    """QGemm of com.microsoft: x (B, N), w (M, N), ws (M)."""
    constants = weights(w, ws, bias) | quantization(x=xq, y=yq)
    attributes = {"transB": 1, "domain": "com.microsoft"}
    return run([("QGemm", "x xs xz w ws wz b ys yz", "y", attributes)], {"x": x}, constants)


def matmul(x, w, xq, ws, yq):
    """QLinearMatMul, which has no bias: x (B, N), w (M, N), ws (M)."""
    constants = weights(np.ascontiguousarray(w.T), ws, None) | quantization(x=xq, y=yq)
    del constants["b"]
    return run([("QLinearMatMul", "x xs xz w ws wz ys yz", "y", {})], {"x": x}, constants)


def average_pool(x, geom, pads, xq):
    """QLinearAveragePool of com.microsoft, input and output of one scale: x (B, H, W, C)."""
    attributes = window(geom, pads) | {"count_include_pad": 0, "domain": "com.microsoft"}
    del attributes["dilations"]  # the operator has none
    node = "QLinearAveragePool", "x xs xz ys yz", "y", attributes
    return nhwc(run([node], {"x": nchw(x)}, quantization(x=xq, y=xq)))


def max_pool(x, geom, pads):
    """MaxPool on int8: x (B, H, W, C)."""
    return nhwc(run([("MaxPool", "x", "y", window(geom, pads))], {"x": nchw(x)}, {}))


def add(a, b, aq, bq, yq):
    """QLinearAdd of com.microsoft."""
    node = "QLinearAdd", "a as az b bs bz ys yz", "y", {"domain": "com.microsoft"}
    return run([node], {"a": a, "b": b}, quantization(a=aq, b=bq, y=yq))


def requantize(x, xq, yq):
    """DequantizeLinear, then QuantizeLinear."""
    nodes = [("DequantizeLinear", "x xs xz", "f", {}), ("QuantizeLinear", "f ys yz", "y", {})]
    return run(nodes, {"x": x}, quantization(x=xq, y=yq))

"""An .onnx file becomes the network that ONNX's own evaluator runs, with channels last."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engram
from engram.errors import ModelError
from engram_host import api
from engram_host.convert import float_ops
from engram_host.convert.graph import load
from engram_host.convert.reference import DeviceModel
from engram_host.imports import floats, onnx_file, onnx_network, pipeline
from engram_host.samples import Samples

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402


class Model:
    """A file that grows, with one input "x" of (N, *shape)."""

    def __init__(self, shape, seed=0):
        self.random = np.random.default_rng(seed)
        self.shape, self.nodes, self.constants = shape, [], []
        self.last = "x"

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, *shape):
        return self.constant((self.random.normal(size=shape) * 0.4).astype(np.float32))

    def op(self, op, *inputs, x=None, **attributes):
        """A node on x, or on the last value; its output becomes the last value."""
        out = f"v{len(self.nodes)}"
        names = [x or self.last, *inputs] if not isinstance(x, list) else x
        self.nodes.append(helper.make_node(op, names, [out], name=out, **attributes))
        self.last = out
        return out

    def content(self, opset=19, dimensions=2, outputs=()):
        """The bytes of the file. dimensions: how many the last value has, the batch included.
        outputs: names of values; none: the last one."""
        real, sizes = TensorProto.FLOAT, ["A", "B", "C", "D"][:dimensions]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", real, ["N", *self.shape])],
            [helper.make_tensor_value_info(out, real, sizes) for out in outputs or [self.last]],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def _residual(model):
    """Convolution, batch normalization, clip, depthwise, sum, pool, flatten, two dense layers."""
    model.op("Conv", model.weights(8, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    parts = [model.random.uniform(0.5, 2, 8).astype(np.float32) for _ in range(4)]
    model.op("BatchNormalization", *(model.constant(part) for part in parts))
    ends = [model.constant(np.float32(n)) for n in (0, 6)]
    first = model.op("Clip", *ends)
    model.op("Conv", model.weights(8, 1, 3, 3), model.weights(8), group=8, pads=[1, 1, 1, 1])
    model.op("Relu")
    second = model.op("Conv", model.weights(8, 8, 1, 1))
    model.op("Add", x=[second, first])
    model.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    model.op("Flatten")
    model.op("Gemm", model.weights(10, 8 * 4 * 3), model.weights(10), transB=1)
    model.op("Relu")
    model.op("MatMul", model.weights(10, 5))
    model.op("Add", model.weights(5))


def _wide(model):
    """Same padding, concatenation, transposed convolution, padding, mean, functions of one number,
    factors per channel."""
    model.op("Sub", model.constant(np.full((1, 3, 1, 1), 0.5, np.float32)))
    model.op("Div", model.constant(np.float32(2)))
    first = model.op("Conv", model.weights(4, 3, 3, 3), auto_pad="SAME_UPPER", dilations=[1, 1])
    second = model.op("Sigmoid")
    third = model.op("Tanh", x=first)
    model.op("Concat", x=[first, second, third], axis=1)
    model.op("ConvTranspose", model.weights(12, 5, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1],
             output_padding=[1, 1])  # fmt: skip
    model.op("LeakyRelu", alpha=0.2)
    model.op("Pad", model.constant(np.array([0, 0, 1, 0, 0, 0, 0, 2])))
    model.op("HardSwish")
    model.op("AveragePool", kernel_shape=[3, 3], strides=[2, 2])
    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    factors = model.constant(np.array([1, 1, 2, 3], np.float32))
    model.op("Resize", x=[model.last, "", factors], mode="nearest", **modes)
    model.op("Mul", model.constant(model.random.normal(size=(1, 5, 1, 1)).astype(np.float32)))
    model.op("Dropout")
    model.op("GlobalAveragePool")
    model.op("Reshape", model.constant(np.array([-1, 5])))
    model.op("Gemm", model.weights(5, 4), model.weights(4), alpha=0.5, beta=2.0)


def _signal(model):
    """A window of signals: convolutions along one axis."""
    model.op("Conv", model.weights(6, 3, 5), strides=[2], pads=[2, 2])
    model.op("Relu")
    model.op("MaxPool", kernel_shape=[2], strides=[2])
    model.op("Flatten")
    model.op("Gemm", model.weights(3, 6 * 8), transB=1)


def _integers(model):
    """Weights of int8 between QuantizeLinear and DequantizeLinear, per channel."""
    scale = model.constant(model.random.uniform(0.01, 0.1, 6).astype(np.float32))
    zero = model.constant(np.zeros(6, np.int8))
    w = model.constant(model.random.integers(-127, 128, (6, 3, 3, 3)).astype(np.int8))
    model.op("DequantizeLinear", x=[w, scale, zero], axis=0)
    w = model.last
    model.op("Conv", x=["x", w])
    model.op("ReduceMean", model.constant(np.array([2, 3])), keepdims=1)
    model.op("Flatten")
    model.op("Gemm", model.weights(3, 6), transB=1)


MODELS = {
    "residual": (_residual, (3, 16, 12)),
    "wide": (_wide, (3, 9, 7)),
    "signal": (_signal, (3, 32)),
    "integers": (_integers, (3, 8, 8)),
}


def made(name, seed=0, opset=19):
    build, shape = MODELS[name]
    model = Model(shape, seed)
    build(model)
    return model.content(opset), shape


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "opset"), [*((name, 19) for name in MODELS), ("signal", 13)])
def test_it_is_the_network_of_the_evaluator(name, opset, seed, tmp_path):
    content, shape = made(name, seed, opset)
    x = np.random.default_rng(9).normal(size=(20, *shape)).astype(np.float32)
    expected = ReferenceEvaluator(onnx.load_model_from_string(content)).run(None, {"x": x})[0]
    net = onnx_network.network(onnx_file.parse(content), name)
    assert [layer.reason for layer in net.layers if layer.reason] == []
    floats.write(tmp_path / "float", net, "input", None)
    model = load(tmp_path / "float")
    turned = np.moveaxis(x, 1, -1).reshape(len(x), *net.input_shape)
    values = {"input": turned}
    float_ops.run((*model.frozen, *model.adaptive), values)
    out = values[model.outputs[0]["node"]].reshape(expected.shape)
    np.testing.assert_allclose(out, expected, rtol=2e-4, atol=2e-4)


def test_factors_and_activations_go_into_the_layer_before():
    net = onnx_network.network(onnx_file.parse(made("residual")[0]), "net")
    assert [(layer.op, layer.activation) for layer in net.layers] == [
        ("conv2d", "relu6"), ("depthwise", "relu"), ("conv2d", ""), ("add", ""),
        ("maxpool", ""), ("flatten", ""), ("dense", "relu"), ("dense", ""),
    ]  # fmt: skip


def test_a_device_model_is_made_of_it(tmp_path):
    path, out = tmp_path / "net.onnx", tmp_path / "out.safetensors"
    content, shape = made("residual")
    path.write_bytes(content)
    x = np.random.default_rng(3).normal(size=(150, 16, 12, 3)).astype(np.float32)
    report = api.import_model(path, out, cut="add_6", data=Samples(x, None))
    assert report["made"]["agreement"] >= 0.95
    assert DeviceModel(out).graph["latent"]["shape"] == [8, 6, 8]


def two_heads():
    """The file of a network with two dense heads on one body, and the names of its outputs."""
    model = Model((3, 8, 8))
    model.op("Conv", model.weights(8, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    model.op("Relu")
    model.op("GlobalAveragePool")
    body = model.op("Flatten")
    kind = model.op("Gemm", model.weights(5, 8), transB=1)
    model.op("Gemm", model.weights(4, 8), x=body, transB=1)
    place = model.op("Sigmoid")
    return model.content(outputs=[kind, place]), (kind, place)


def test_both_outputs_are_those_of_the_evaluator(tmp_path):
    path, out = tmp_path / "net.onnx", tmp_path / "out.safetensors"
    content, names = two_heads()
    path.write_bytes(content)
    x = np.random.default_rng(3).normal(size=(150, 3, 8, 8)).astype(np.float32)
    data = Samples(np.moveaxis(x, 1, -1), None)
    report = api.import_model(path, out, cut="flatten_3", output=names, data=data)
    assert [row["snr_db"] > 25 for row in report["made"]["outputs"]] == [True, True]
    expected = ReferenceEvaluator(onnx.load_model_from_string(content)).run(None, {"x": x})
    device = DeviceModel(out)
    found = device.outputs(device.latents(data.x))
    assert list(found) == ["dense_4", "sigmoid_6"]
    for mine, theirs in zip(found.values(), expected):
        assert np.abs(mine - theirs).max() < 0.1 * np.abs(theirs).max()


def test_a_node_without_a_kernel_is_a_layer_with_the_reason():
    model = Model((4,))
    model.op("Gemm", model.weights(4, 4))
    model.op("Erf")
    net = onnx_network.network(onnx_file.parse(model.content()), "net")
    assert [layer.reason for layer in net.layers] == ["", "no kernel for Erf"]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"group": 3}, "expected one group or one filter per channel, got 3 of 6"),
        ({"pads": [0, 0, 0, 0], "auto_pad": "NOTSET", "dilations": [9, 9]}, ""),
    ],
)
def test_an_attribute_that_no_kernel_has_is_a_reason(attributes, words):
    model = Model((6, 8, 8))
    model.op("Conv", model.weights(6, 2 if "group" in attributes else 6, 3, 3), **attributes)
    try:
        (layer,) = onnx_network.network(onnx_file.parse(model.content(dimensions=4)), "net").layers
    except ModelError as error:  # onnx itself finds that the kernel does not fit
        assert not words and "expected a whole .onnx file" in str(error)
        return
    assert words in layer.reason and layer.reason


@pytest.mark.parametrize(
    ("op", "attributes", "words"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "storage_order": 1}, "{'storage_order': 1}"),
        ("Cast", {"to": TensorProto.INT32}, "no kernel for Cast"),
    ],
)
def test_an_attribute_that_no_row_reads_is_a_reason(op, attributes, words):
    """onnx itself refuses those that are none of its own."""
    model = Model((6, 8, 8))
    model.op(op, **attributes)
    content = model.content(dimensions=4)
    if op == "Cast":
        model.op("Cast", to=TensorProto.FLOAT)
        content = model.content(dimensions=4)
    (layer, *_) = onnx_network.network(onnx_file.parse(content), "net").layers
    assert words in layer.reason


def test_an_attribute_that_is_none_of_onnx_is_told():
    model = Model((6, 8, 8))
    model.op("Relu", slant=2)
    with pytest.raises(ModelError, match="slant"):
        onnx_file.parse(model.content(dimensions=4))


def test_an_enlarged_image_learns_below(tmp_path):
    """The gradient of a pixel is the sum of those of its copies, so a mean learns the same."""
    x = np.random.default_rng(3).normal(size=(60, 3, 2, 2)).astype(np.float32)
    answers = []
    for factors in ([1, 1, 1, 1], [1, 1, 2, 3]):
        model = Model((2, 3, 2))
        model.op("Conv", model.weights(4, 2, 1, 1))
        model.op("Tanh")
        if max(factors) > 1:
            model.op("Resize", x=[model.last, "", model.constant(np.float32(factors))])
        model.op("GlobalAveragePool")
        model.op("Flatten")
        head = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
        model.op("Gemm", model.constant(head), transB=1)
        path, out = tmp_path / "net.onnx", tmp_path / f"{max(factors)}.safetensors"
        path.write_bytes(model.content())
        api.import_model(path, out, cut="input", data=Samples(x, None))
        learner = engram.open(str(out), batch=16, seed=1)
        for i, sample in enumerate(x):
            learner.observe(sample, i % 3)
        learner.learn(steps=3)
        answers.append([learner.predict(sample)[1] for sample in x])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-5)


def test_an_old_file_is_told():
    model = Model((4,))
    model.op("Relu")
    with pytest.raises(ModelError, match=r"version 13 or later \(opset\), got 9"):
        onnx_file.parse(model.content(opset=9))


def test_an_image_of_unknown_size_is_told():
    model = Model((3, "H", "W"))
    model.op("Relu")
    with pytest.raises(ModelError, match="with known sizes, got"):
        onnx_network.network(onnx_file.parse(model.content(dimensions=4)), "net")


CONTENT = made("residual")[0]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_with_changed_bytes_is_read_or_told(data):
    """Any error is one of ours, whatever stands in the file."""
    content = bytearray(CONTENT[: data.draw(st.sampled_from([len(CONTENT), 40, 400, 4000]))])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, content[at] ^ 4]))
    try:
        onnx_network.network(onnx_file.parse(bytes(content)), "net")
    except ModelError as error:
        assert "expected" in str(error)


def test_another_kind_of_file_is_told(tmp_path):
    path = tmp_path / "net.h5"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="expected a file that ends in .tflite, .onnx"):
        pipeline.read(path)


@pytest.mark.parametrize("kind", ["external", "giant", "negative", "cycle"])
def test_a_hostile_file_is_told_and_takes_no_memory(kind):
    """Nothing outside the file is read, and nothing is made for numbers that only claim a size."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT)
    tensor.dims.extend({"giant": [1 << 40, 3], "negative": [-5, 3]}.get(kind, [4, 4]))
    if kind == "external":
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../../../etc/passwd")
    elif kind == "cycle":
        tensor = numpy_helper.from_array(np.zeros((4, 4), np.float32), "w")
    model = Model((4,))
    model.op("MatMul", "w")
    model.op("Add", x=["v0", "v2" if kind == "cycle" else "v0"])
    model.op("Relu")
    model.constants = [tensor]
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="expected"):
            onnx_network.network(onnx_file.parse(model.content()), "net")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()

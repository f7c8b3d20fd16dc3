"""Networks whose ends are uint8, or int8 beside float32 layers: bytes become the board's int8."""

import numpy as np
import pytest

import engram
from engram.errors import DataError, ModelError
from engram_host import api
from engram_host.convert.reference import DeviceModel
from engram_host.imports import original, pipeline, tflite_file, tflite_network
from engram_host.samples import Samples
from importer.int8_networks import NETWORKS, NONE
from importer.test_import import classifier_network
from importer.test_import import floats as float_dense
from importer.tflite_maker import Made, Op, make

SCALE = 1 / 127.5


def with_bytes(net, scale=None, zero_point=None):
    """The file of an int8 network with uint8 at both ends. scale, zero_point: of the first one;
    None: those that cost nothing."""
    first, last = net.tensors[net.inputs[0]], net.tensors[net.x]
    scales = [scale or first.scales[0]]
    points = [first.zero_points[0] + 128 if zero_point is None else zero_point]
    tensors = [
        *net.tensors,
        Made("bytes", "uint8", first.shape, scales, points),
        Made("out", "uint8", last.shape, last.scales, [last.zero_points[0] + 128]),
    ]
    n = len(net.tensors)
    ends = [Op("QUANTIZE", (n,), (net.inputs[0],)), Op("QUANTIZE", (net.x,), (n + 1,))]
    return make(tensors, [ends[0], *net.operators, ends[1]], [n], [n + 1])


def network(content):
    return tflite_network.network(tflite_file.parse(content), "net")


@pytest.mark.parametrize(("scale", "zero_point"), [(None, None), (0.05, 131)])
@pytest.mark.parametrize("name", ["conv", "dense", "logistic"])
def test_bytes_give_the_bits_of_the_interpreter(name, scale, zero_point):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    content = with_bytes(NETWORKS[name](2), scale, zero_point)
    interpreter = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    x = np.random.default_rng(1).integers(0, 256, (5, *source["shape"][1:])).astype(np.uint8)
    expected = []
    for sample in x:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        expected.append(interpreter.get_tensor(target["index"]).copy())
    net = network(content)
    out = original.values(net, (x ^ 0x80).view(np.int8))[net.outputs[0]]
    rows = np.concatenate(expected)
    np.testing.assert_array_equal((out.view(np.uint8) ^ 0x80).reshape(rows.shape), rows)


def test_a_device_takes_the_bytes_as_they_are(tmp_path):
    path, out = tmp_path / "net.tflite", tmp_path / "out.safetensors"
    path.write_bytes(with_bytes(classifier_network()))
    x = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3)).astype(np.uint8)
    report = api.import_model(path, out, cut="conv2d_1", data=Samples(x, None))
    assert report["input"]["dtype"] == "uint8" and report["made"]["agreement"] >= 0.9
    net = pipeline.read(path)
    assert [layer.op for layer in net.layers][0] == "conv2d"  # the cast has no layer
    integers = original.values(net, (x ^ 0x80).view(np.int8), ["conv2d_1"])["conv2d_1"]
    np.testing.assert_array_equal(DeviceModel(out).latents(x), integers)


def floats(first, cast, behind=(), half=False):
    """A float32 file: 12 numbers as `first` (a Made), `cast` to float32, the operators `behind`
    with a constant each [(op, numbers, options)], a dense layer to 16, one to 3. half: weights of
    float16."""
    random = np.random.default_rng(1)
    tensors = [first, Made("real", "float32", (1, 12))]
    operators = [Op(cast, (0,), (1,), ("CastOptions", {}) if cast == "CAST" else None)]
    last = 1

    def add(*rows):
        tensors.extend(rows)
        return len(tensors) - 1

    for op, numbers, options in behind:
        constant = add(Made("c", "float32", numbers.shape, data=numbers))
        made = add(Made(op, "float32", (1, 12)))
        operators.append(Op(op, (last, constant), (made,), (options, {})))
        last = made
    for n, m in ((12, 16), (16, 3)):
        w = (random.normal(size=(m, n)) / np.sqrt(n)).astype(np.float32)
        if half:
            stored = add(Made("half", "float16", w.shape, data=w.astype(np.float16)))
            weights = add(Made("w", "float32", w.shape))
            operators.append(Op("DEQUANTIZE", (stored,), (weights,)))
        else:
            weights = add(Made("w", "float32", w.shape, data=w))
        made = add(Made("y", "float32", (1, m)))
        options = ("FullyConnectedOptions", {"FusedActivationFunction": NONE})
        operators.append(Op("FULLY_CONNECTED", (last, weights, -1), (made,), options))
        last = made
    return make(tensors, operators, [0], [last])


ENDS = {
    "uint8": (Made("x", "uint8", (1, 12), [SCALE], [127]), "DEQUANTIZE", ()),
    "int8": (Made("x", "int8", (1, 12), [SCALE], [-128]), "DEQUANTIZE", ()),
    "cast": (
        Made("x", "uint8", (1, 12)),
        "CAST",
        [
            ("MUL", np.float32([SCALE]), "MulOptions"),
            ("ADD", np.float32([-1]), "AddOptions"),
            ("SUB", np.linspace(0, 1, 12, dtype=np.float32), "SubOptions"),
        ],
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_float_file_of_integers_is_calibrated_with_bytes(name, tmp_path):
    path, out = tmp_path / "net.tflite", tmp_path / "out.safetensors"
    path.write_bytes(floats(*ENDS[name]))
    x = np.random.default_rng(5).integers(0, 256, (200, 12)).astype(np.uint8)
    net = pipeline.read(path)
    last = [layer.name for layer in net.layers][-2]
    report = api.import_model(path, out, cut=last, data=Samples(x, None))
    assert report["input"]["dtype"] == "uint8" and report["made"]["agreement"] >= 0.97
    assert DeviceModel(out).graph["input"]["zero_point"] == {"uint8": -1}.get(name, -128)
    # the numbers are those of the file's own arithmetic
    real = {"uint8": (x - 127.0) * SCALE, "int8": x * SCALE}.get(
        name, x * SCALE - 1 - np.linspace(0, 1, 12)
    )
    for layer in net.layers[-2:]:
        real = real @ layer.tensors["w"].values.T
    assert (DeviceModel(out).predict(x) == real.argmax(axis=1)).mean() >= 0.97
    learner = engram.open(str(out), batch=8)
    assert learner.predict(x[0])[0] == DeviceModel(out).predict(x[:1])[0]


def test_integers_of_a_float_file_can_come_as_real_numbers(tmp_path):
    path, out = tmp_path / "net.tflite", tmp_path / "out.safetensors"
    path.write_bytes(floats(*ENDS["uint8"]))
    x = np.random.default_rng(5).uniform(-1, 1, (200, 12)).astype(np.float32)
    cut = pipeline.read(path).layers[0].name
    report = api.import_model(path, out, cut=cut, input_dtype="float32", data=Samples(x, None))
    graph = DeviceModel(out).graph
    assert (graph["input"]["scale"], graph["input"]["zero_point"]) == (np.float32(SCALE), -1)
    assert report["made"]["agreement"] >= 0.97


def test_weights_of_float16_are_read():
    whole, half = (network(floats(*ENDS["uint8"], half=half)) for half in (False, True))
    for one, other in zip(whole.layers, half.layers, strict=True):
        assert not other.reason
        np.testing.assert_allclose(one.tensors["w"].values, other.tensors["w"].values, atol=1e-3)


def test_values_of_uint8_inside_are_told():
    net = NETWORKS["conv"](0)
    tensors = [row._replace(dtype="uint8") if row.dtype == "int8" else row for row in net.tensors]
    with pytest.raises(ModelError, match="got CONV_2D with x of uint8, .* anew with TFLITE_BUILT"):
        network(make(tensors, net.operators, net.inputs, [net.x]))


def test_bytes_that_no_number_is_known_of_are_told(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(float_dense())
    x = np.zeros((4, 12), np.uint8)
    with pytest.raises(DataError, match="nothing says what number a byte stands for"):
        data = Samples(x, None)
        api.import_model(path, tmp_path / "out", cut="dense_0", input_dtype="uint8", data=data)

"""An imported model is cut, compared with its original, and learned by the library."""

import json

import numpy as np
import pytest

import engram
from engram.errors import DataError, ModelError
from engram_host import api
from engram_host.convert.reference import DeviceModel
from engram_host.imports import assemble, copied, original, pipeline
from engram_host.samples import Samples
from importer.int8_networks import NONE, RELU, SAME, Network
from importer.tflite_maker import Made, Op, make


def classifier(seed=3, branch=False):
    """The file of classifier_network()."""
    return classifier_network(seed, branch).content()


def classifier_network(seed=3, branch=False):
    """An int8 network: convolution, a branch or none, mean over all, dense, softmax."""
    net = Network(seed, (8, 8, 3))

    def conv(scale):
        w = net.weights((6, 3, 3, net.tensors[net.x].shape[-1]), 0)
        options = {
            "Padding": SAME, "StrideH": 1, "StrideW": 1, "FusedActivationFunction": RELU,
            "DilationHFactor": 1, "DilationWFactor": 1,
        }  # fmt: skip
        net.op("CONV_2D", (net.x, *w), (8, 8, 6), ("Conv2DOptions", options), scale=scale)
        return net.x

    first = conv(0.4)  # scales that hold what comes out
    second = conv(1.6)
    if branch:
        net.op("ADD", (first, second), (8, 8, 6), ("AddOptions", {"FusedActivationFunction": 0}))
    pool = {
        "Padding": 1, "StrideH": 8, "StrideW": 8, "FilterHeight": 8, "FilterWidth": 8,
        "FusedActivationFunction": NONE,
    }  # fmt: skip
    net.op("AVERAGE_POOL_2D", (net.x,), (1, 1, 6), ("Pool2DOptions", pool), keep=True)
    shape = net.constant("shape", np.array([1, 6], np.int32))
    net.op("RESHAPE", (net.x, shape), (6,), ("ReshapeOptions", {}), keep=True)
    options = {"FusedActivationFunction": NONE}
    w = net.weights((4, 6), 0, 1)
    dense = ("FullyConnectedOptions", options)
    net.op("FULLY_CONNECTED", (net.x, *w), (4,), dense, scale=2.0)
    out = net.value("probabilities", (1, 4), 1 / 256, -128)
    net.operators.append(Op("SOFTMAX", (net.x,), (out,), ("SoftmaxOptions", {"Beta": 1.0})))
    net.x = out
    return net


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(classifier())
    return path


def bytes_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)


@pytest.mark.parametrize("cut", ["input", "conv2d_0", "conv2d_1", "global_avgpool_2", "flatten_3"])
def test_the_frozen_layers_keep_every_bit_and_the_others_agree(file, tmp_path, cut):
    net = pipeline.read(file)
    x = bytes_of(40)
    report = pipeline.import_model(
        net, tmp_path / "out.safetensors", cut=cut, samples=Samples(x, None), input_dtype="uint8"
    )
    device = DeviceModel(tmp_path / "out.safetensors")
    integers = original.values(net, device.quantize_input(x))
    np.testing.assert_array_equal(device.latents(x), integers[cut])
    assert report["made"]["agreement"] >= 0.9 and report["made"]["classes"] == 4
    assert report["cut"] == cut


def test_a_learner_answers_as_the_reference_and_learns(file, tmp_path):
    """The library with its kernels, as a board runs it."""
    out = tmp_path / "out.safetensors"
    x = bytes_of(30)
    api.import_model(file, out, cut="flatten_3", input_dtype="uint8")
    expected = DeviceModel(out).predict(x)
    learner = engram.open(str(out), batch=8)
    assert [learner.predict(sample)[0] for sample in x] == expected.tolist()
    for sample, label in zip(x, expected):
        learner.observe(sample, (int(label) + 1) % 4)
    assert learner.learn(steps=20)


def test_a_new_classifier_takes_the_place_of_the_last_layer(file, tmp_path):
    out = tmp_path / "out.safetensors"
    report = api.import_model(file, out, cut="conv2d_1", classes=7, input_dtype="uint8")
    assert report["made"]["classes"] == 7 and report["made"]["agreement"] is None
    device = DeviceModel(out)
    assert device.adaptive(device.latents(bytes_of(2))).tolist() == [[0.0] * 7] * 2


def test_a_cut_beside_a_branch_names_the_nearest_one_that_works(tmp_path):
    path = tmp_path / "branch.tflite"
    path.write_bytes(classifier(branch=True))
    with pytest.raises(
        ModelError,
        match="cannot cut behind conv2d_1: add_2 above it reads conv2d_0 below it; "
        "the nearest cut that works is",
    ):
        api.import_model(path, tmp_path / "out", cut="conv2d_1")


def test_an_unknown_cut_names_those_there_are(file, tmp_path):
    with pytest.raises(ModelError, match="expected a cut behind one of input, conv2d_0, .* got x"):
        api.import_model(file, tmp_path / "out", cut="x")


def test_a_cut_above_the_last_layer_is_told(file, tmp_path):
    with pytest.raises(ModelError, match="expected a cut below the last layer"):
        api.import_model(file, tmp_path / "out", cut="dense_4")


def test_a_layer_without_a_kernel_forbids_cuts_above_it(tmp_path):
    net = Network(0, (6,))
    net.op("ABS", [net.x], (6,))
    for _ in range(2):
        w = net.weights((6, 6), 0, 1)
        net.op("FULLY_CONNECTED", (net.x, *w), (6,), ("FullyConnectedOptions", {}))
    path = tmp_path / "abs.tflite"
    path.write_bytes(net.content())
    reasons = {row["layer"]: row["reason"] for row in api.import_model(path)["cuts"]}
    assert reasons["dense_1"] == "abs_0 below it does not run on a board: no kernel for ABS"
    assert reasons["input"] == "abs_0 above it: no kernel for ABS"


def test_too_little_agreement_writes_nothing(file, tmp_path, monkeypatch):
    row = {"name": "out", "classes": True, "agreement": 0.5, "snr_db": None}
    monkeypatch.setattr(copied, "_compare", lambda *_: ([row], None))
    with pytest.raises(DataError, match="at least 90% of the samples, got 50.0% of 4.* --accept"):
        data = Samples(bytes_of(4), None)
        api.import_model(file, tmp_path / "out", cut="conv2d_1", data=data, input_dtype="uint8")
    assert [path.name for path in tmp_path.iterdir()] == ["net.tflite"]


def floats(seed=1, sizes=(12, 16, 3), offset=0.0):
    """A float32 network: dense layers, ReLU between them. offset: of a value of the first layer,
    which the second one takes away again."""
    random = np.random.default_rng(seed)
    tensors = [Made("x", "float32", (1, 12))]
    operators, last = [], 0
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        activation = RELU if i < len(sizes) - 2 else NONE
        w = (random.normal(size=(m, n)) / np.sqrt(n)).astype(np.float32)
        tensors.append(Made("w", "float32", w.shape, data=w))
        b = np.zeros(m, np.float32)
        if i == 0:
            b[0] = offset
        elif i == 1:
            b -= w[:, 0] * offset
        tensors.append(Made("b", "float32", (m,), data=b))
        tensors.append(Made("y", "float32", (1, m)))
        made = len(tensors) - 1
        options = ("FullyConnectedOptions", {"FusedActivationFunction": activation})
        operators.append(Op("FULLY_CONNECTED", (last, made - 2, made - 1), (made,), options))
        last = made
    return make(tensors, operators, [0], [last])


def test_a_float_file_is_calibrated_and_agrees(tmp_path):
    path, out = tmp_path / "float.tflite", tmp_path / "out.safetensors"
    path.write_bytes(floats())
    x = np.random.default_rng(5).normal(size=(200, 12)).astype(np.float32)
    report = api.import_model(path, out, cut="dense_0", data=Samples(x, None))
    assert report["made"]["agreement"] >= 0.97 and report["made"]["snr_db"] > 25
    assert list(report["made"]["snr_of_layers"]) == ["dense_0"]
    assert DeviceModel(out).graph["latent"]["shape"] == [16]


@pytest.mark.filterwarnings("ignore:calibration data")
def test_an_outlier_that_takes_a_scale_is_refused_unless_it_is_accepted(tmp_path):
    path, out = tmp_path / "float.tflite", tmp_path / "out.safetensors"
    path.write_bytes(floats())
    x = np.random.default_rng(5).normal(size=(200, 12)).astype(np.float32)
    x[17, 3] = 400  # one sample whose sensor has failed
    with pytest.raises(DataError, match="range of input, .* an outlier has taken its scale"):
        api.import_model(path, out, cut="dense_0", data=Samples(x, None))
    assert [path.name for path in tmp_path.iterdir()] == ["float.tflite"]
    report = api.import_model(path, out, cut="dense_0", data=Samples(x, None), accept=True)
    assert out.is_file() and any("outlier" in line for line in report["made"]["problems"])
    assert report["made"]["steps_of_layers"]["input"] < 16


def test_a_ruined_model_is_refused_for_its_noise(tmp_path):
    """A new classifier has no agreement: the latent alone tells."""
    path, out = tmp_path / "float.tflite", tmp_path / "out.safetensors"
    # int8 has no step that is small enough beside the offset
    path.write_bytes(floats(sizes=(12, 16, 16, 3), offset=3e3))
    x = np.random.default_rng(5).normal(size=(200, 12)).astype(np.float32)
    with pytest.raises(DataError, match="ratio of the latent of at least 10 dB, got"):
        api.import_model(path, out, cut="dense_1", data=Samples(x, None), classes=4)
    with pytest.raises(DataError, match="on at least 90% of the samples, got"):
        api.import_model(path, out, cut="dense_1", data=Samples(x, None))


def test_a_float_file_wants_samples(tmp_path):
    path = tmp_path / "float.tflite"
    path.write_bytes(floats())
    with pytest.raises(DataError, match="expected samples to calibrate with, .* give --data"):
        api.import_model(path, tmp_path / "out", cut="dense_0")


def test_the_cost_of_every_cut_is_that_of_the_plan(file, tmp_path):
    report = api.import_model(file, board="qemu_m4f")
    rows = {row["layer"]: row for row in report["costs"]}
    assert list(rows) == ["input", "conv2d_0", "conv2d_1", "global_avgpool_2", "flatten_3"]
    out = tmp_path / "out.safetensors"
    api.import_model(file, out, cut="conv2d_1", input_dtype="uint8")
    plan = api.plan(out, boards=["qemu_m4f"])
    assert rows["conv2d_1"]["ram_bytes"] == plan["fit"][0]["needed_bytes"]
    plan = api.plan(out, boards=["qemu_m4f"], place="flash")
    assert rows["conv2d_1"]["in_place_bytes"] == plan["fit"][0]["needed_bytes"]
    assert rows["conv2d_1"]["in_place_bytes"] < rows["conv2d_1"]["ram_bytes"]
    assert rows["conv2d_1"]["step"] > rows["flatten_3"]["step"] > 0
    assert rows["flatten_3"]["latent_bytes"] == 3  # 4 bits per value


def test_the_graph_is_one_that_the_device_library_reads(file):
    graph, _ = assemble.device_model(pipeline.read(file), "conv2d_1", None, "uint8")
    assert json.loads(json.dumps(graph)) == graph

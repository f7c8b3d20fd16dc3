"""Networks of several outputs: all are kept, compared and learned, or a user chooses."""

import numpy as np
import pytest
from click.testing import CliRunner

import engram
from engram.errors import ModelError
from engram_host import api, virtual
from engram_host.cli import main
from engram_host.convert.reference import DeviceModel
from engram_host.imports import original, pipeline, trunk
from engram_host.samples import Samples
from importer.int8_networks import RELU, Network
from importer.tflite_maker import Made, Op, make

CLASSES, PLACE = "kind", "place"


def two_heads(softmax=True, middle=False):
    """The file of an int8 network of 12 numbers: two dense layers, on them 4 classes, with a
    softmax or without, and 3 numbers. middle: the first dense layer is an output, too."""
    net = Network(4, (12,))
    options = ("FullyConnectedOptions", {"FusedActivationFunction": RELU})
    outputs = []
    for scale in (0.3, 1.0):
        w = net.weights((16, net.tensors[net.x].shape[-1]), 0, 1)
        net.op("FULLY_CONNECTED", (net.x, *w), (16,), options, scale=scale)
        if middle and not outputs:
            outputs.append(net.x)
    body = net.x
    for name, count in ((CLASSES, 4), (PLACE, 3)):
        net.x = body
        w = net.weights((count, 16), 0, 1)
        dense = ("FullyConnectedOptions", {"FusedActivationFunction": 0})
        net.op("FULLY_CONNECTED", (body, *w), (count,), dense, scale=8.0)
        if name == CLASSES and softmax:
            out = net.value(name, (1, count), 1 / 256, -128)
            net.operators.append(Op("SOFTMAX", (net.x,), (out,), ("SoftmaxOptions", {"Beta": 1})))
            net.x = out
        net.tensors[net.x] = net.tensors[net.x]._replace(name=name)
        outputs.append(net.x)
    return make(net.tensors, net.operators, net.inputs, outputs)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "two.tflite"
    path.write_bytes(two_heads())
    return path


def numbers(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 12)).astype(np.uint8)


def test_every_output_is_kept_and_agrees(file, tmp_path):
    out, x = tmp_path / "out.safetensors", numbers(60)
    report = api.import_model(
        file, out, cut="dense_1", data=Samples(x, None), input_dtype="uint8"
    )
    assert [(row["name"], row["layer"], row["objective"]) for row in report["outputs"]] == [
        (CLASSES, "dense_2", "classify"), (PLACE, "dense_4", "regress"),
    ]  # fmt: skip
    made = report["made"]
    assert [row["name"] for row in made["outputs"]] == [CLASSES, PLACE]
    assert made["classes"] == 4 and all(row["snr_db"] > 25 for row in made["outputs"])
    assert min(row["agreement"] for row in made["outputs"]) >= 0.9
    # numbers are those of the original, not only near what the report compares itself
    net, device = pipeline.read(file), DeviceModel(out)
    integers = original.values(net, device.quantize_input(x), ["dense_4"])["dense_4"]
    place = device.outputs(device.latents(x))["dense_4"]
    step = net.scales["dense_4"].scale
    assert np.abs(place - net.scales["dense_4"].dequantize(integers)).max() <= 2 * step


def test_both_outputs_learn(file, tmp_path):
    out = tmp_path / "out.safetensors"
    api.import_model(file, out, cut="dense_1", input_dtype="uint8")
    learner = engram.open(str(out), batch=8, optimiser="adam", lr=0.01)
    x, target = numbers(24), np.float32([0.25, -1, 2])

    def error():
        places = [learner.predict(sample)["dense_4"] for sample in x]
        return np.abs(np.array(places) - target).mean()

    labels = [(learner.predict(sample)["dense_2"][0] + 1) % 4 for sample in x]  # all others
    for sample, label in zip(x, labels):
        learner.observe(sample, (label, target))
    before = error()
    learner.learn(steps=500)
    assert error() < before / 4
    right = [learner.predict(sample)["dense_2"][0] == label for sample, label in zip(x, labels)]
    assert sum(right) >= 20


@pytest.mark.parametrize("names", [(CLASSES,), ("dense_4",), ("1",), (PLACE, CLASSES)])
def test_a_user_chooses_outputs(file, tmp_path, names):
    out = tmp_path / "out.safetensors"
    report = api.import_model(file, out, cut="dense_1", output=names, input_dtype="uint8")
    outputs = DeviceModel(out).graph["outputs"]
    place = {"node": "dense_4", "objective": "regress", "weight": 1}
    expected = {
        (CLASSES,): [{"node": "dense_2", "objective": "classify", "weight": 1}],
        # alone it could be classes: its layer says so
        ("dense_4",): [{**place, "objective": "classify"}],
        ("1",): [{**place, "objective": "classify"}],
        (PLACE, CLASSES): [place, {"node": "dense_2", "objective": "classify", "weight": 1}],
    }
    assert outputs == expected[names]
    roles = {row["name"]: row["role"] for row in report["layers"]}
    assert roles["dense_4"] == ("goes" if names == (CLASSES,) else "learns")


def test_an_output_that_is_none_names_those_there_are(file):
    words = r"one of the outputs kind \(softmax_3\), place \(dense_4\); got x"
    with pytest.raises(ModelError, match=words):
        api.import_model(file, output=["x"])


def test_two_outputs_that_may_be_classes_are_told_and_an_order_decides(tmp_path):
    path, out = tmp_path / "two.tflite", tmp_path / "out.safetensors"
    path.write_bytes(two_heads(softmax=False))
    words = r"got 2 that may: kind \(dense_2\), place \(dense_3\); choose with --output NAME"
    with pytest.raises(ModelError, match=words):
        api.import_model(path)
    for first, second in ((CLASSES, PLACE), (PLACE, CLASSES)):
        report = api.import_model(path, out, cut="dense_1", output=[first, second])
        kinds = {row["name"]: row["objective"] for row in report["outputs"]}
        assert kinds == {first: "classify", second: "regress"}


def test_an_output_below_the_cut_is_told_with_those_to_keep(tmp_path):
    path = tmp_path / "three.tflite"
    path.write_bytes(two_heads(middle=True))
    reasons = {row["layer"]: row["reason"] for row in api.import_model(path)["cuts"]}
    assert reasons == {
        "input": "",
        "dense_0": "the output FULLY_CONNECTED0 lies below it",
        "dense_1": "the output FULLY_CONNECTED0 lies below it",
    }
    with pytest.raises(ModelError, match="fewer outputs with --output, of .*, kind, place"):
        api.import_model(path, tmp_path / "out", cut="dense_1")
    kept = [CLASSES, PLACE]
    api.import_model(path, tmp_path / "out", cut="dense_1", output=kept, input_dtype="uint8")


def test_a_new_classifier_leaves_the_other_outputs(file, tmp_path):
    out = tmp_path / "out.safetensors"
    data = Samples(numbers(40), None)
    choices = {"cut": "dense_1", "classes": 7, "input_dtype": "uint8"}
    report = api.import_model(file, out, data=data, **choices)
    assert [row["name"] for row in report["made"]["outputs"]] == [PLACE]
    assert [row["node"] for row in DeviceModel(out).graph["outputs"]] == [trunk.NEW, "dense_4"]
    assert report["made"]["classes"] == 7


def test_values_and_their_probabilities_are_one_output(tmp_path):
    path = tmp_path / "one.tflite"
    net = Network(4, (12,))
    w = net.weights((4, 12), 0, 1)
    options = ("FullyConnectedOptions", {"FusedActivationFunction": 0})
    net.op("FULLY_CONNECTED", (net.x, *w), (4,), options, scale=2.0)
    logits = net.x
    out = net.value("out", (1, 4), 1 / 256, -128)
    net.operators.append(Op("SOFTMAX", (logits,), (out,), ("SoftmaxOptions", {"Beta": 1})))
    path.write_bytes(make(net.tensors, net.operators, net.inputs, [out, logits]))
    assert [row["layer"] for row in api.import_model(path)["outputs"]] == ["dense_0"]


def test_an_output_of_no_layer_is_told():
    tensors = [Made(name, "int8", (1, 4), [0.1], [0]) for name in "ab"]
    tensors.append(Made("c", "int8", (1, 4), [0.1], [0], data=np.zeros((1, 4), np.int8)))
    for outputs, words in (([1, 2], "that samples make, got c"), ([], "got none")):
        with pytest.raises(ModelError, match=words):
            content = make(tensors, [Op("RELU", (0,), (1,))], [0], outputs)
            pipeline.tflite_network.network(pipeline.tflite_file.parse(content), "net")
    content = make(tensors, [Op("RELU", (0,), (1,))], [0], [1, 0])
    net = pipeline.tflite_network.network(pipeline.tflite_file.parse(content), "net")
    with pytest.raises(ModelError, match="that layers make, got a, which is the input"):
        pipeline.import_model(net)


def test_the_command_shows_outputs_and_keeps_one(file):
    result = CliRunner().invoke(main, ["import", str(file)], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert "output kind: dense_2, tells classes apart" in result.output
    assert "output place: dense_4, numbers, learned from targets" in result.output
    result = CliRunner().invoke(main, ["import", str(file), "--output", CLASSES])
    assert result.exit_code == 0 and "numbers, learned" not in result.output


@pytest.mark.board
def test_a_board_answers_with_every_output(file, tmp_path, monkeypatch):
    """Import, push and predict, on MicroPython's unix port."""
    out, x = tmp_path / "out.safetensors", numbers(6)
    api.import_model(file, out, cut="dense_1", input_dtype="uint8")
    device = DeviceModel(out)
    outputs = device.outputs(device.latents(x))
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))  # a board of its own
    try:
        with api.connect("unix") as board:
            api.push_model(board, out)
            answers = api.predict(board, Samples(x, None))
    finally:
        virtual.stop("unix")
    assert [answer["dense_2"][0] for answer in answers] == outputs["dense_2"].argmax(1).tolist()
    np.testing.assert_allclose([a["dense_4"] for a in answers], outputs["dense_4"], rtol=1e-4)

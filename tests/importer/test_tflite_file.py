"""The reader of .tflite files takes whole ones, and tells what is wrong with others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.errors import ModelError
from engram_host.imports import tflite_file, tflite_network
from importer.int8_networks import NETWORKS, Network
from importer.tflite_maker import Made, Op, make

CONTENT = NETWORKS["conv"](0).content()


def read(content):
    return tflite_network.network(tflite_file.parse(content), "model")


def test_a_file_is_read_with_all_its_options():
    (operator,) = tflite_file.parse(CONTENT).operators
    assert operator.op == "CONV_2D"
    assert operator.options == {
        "padding": 0, "stride_w": 1, "stride_h": 1, "fused_activation_function": 1,
        "dilation_w_factor": 1, "dilation_h_factor": 1, "quantized_bias_type": 0,
    }  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_that_is_cut_off_is_told(name):
    """No byte less is taken: the reader says so, or what it names is there still."""
    content = NETWORKS[name](1).content()
    for end in range(8, len(content), max(1, len(content) // 60)):
        try:
            tflite_file.parse(content[:end])
        except ModelError as error:
            assert "expected" in str(error)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_file_with_changed_bytes_is_read_or_told(data):
    """Any error is one of ours, whatever stands in the file."""
    name = data.draw(st.sampled_from(sorted(NETWORKS)))
    content = bytearray(NETWORKS[name](2).content())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, content[at] ^ 4]))
    try:
        read(bytes(content))
    except ModelError as error:
        assert "expected" in str(error) or "reads" in str(error) or "again" in str(error)


def test_another_file_is_told():
    with pytest.raises(ModelError, match="expected a .tflite file, with TFL3 in its bytes 4 to 7"):
        tflite_file.parse(b"PK\x03\x04" + bytes(100))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ModelError, match="expected a .tflite file, got no file"):
        tflite_file.load(tmp_path / "none.tflite")


def test_a_file_of_many_megabytes_is_not_read(tmp_path):
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.truncate(tflite_file.MOST_BYTES + 1)
    with pytest.raises(ModelError, match="expected at most 64 MiB, got 64"):
        tflite_file.load(path)


def test_an_operator_that_reads_what_is_made_later_is_told():
    """A cycle would be one, too."""
    tensors = [Made(name, "int8", (1, 4), [0.1], [0]) for name in "abc"]
    operators = [Op("RELU", (2,), (1,)), Op("RELU", (0,), (2,))]
    with pytest.raises(ModelError, match="reads c, which no operator before it makes"):
        tflite_file.parse(make(tensors, operators, [0], [1]))


def test_a_value_that_is_made_twice_is_told():
    tensors = [Made(name, "int8", (1, 4), [0.1], [0]) for name in "ab"]
    operators = [Op("RELU", (0,), (1,)), Op("RELU6", (0,), (1,))]
    with pytest.raises(ModelError, match="makes b again"):
        tflite_file.parse(make(tensors, operators, [0], [1]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": (1, -4)}, "expected a shape of positive sizes"),
        ({"shape": (1, 1 << 30)}, "expected a shape of positive sizes"),
        ({"scales": [float("nan")]}, "expected scales above 0"),
        ({"scales": [0.0]}, "expected scales above 0"),
        ({"zero_points": [0, 0]}, "expected 1 zero points, one per scale, got 2"),
        ({"data": np.zeros(3, np.int8)}, "expected 4 bytes for int8"),
    ],
)
def test_a_tensor_that_cannot_be_is_told(change, words):
    tensors = [Made("a", "int8", (1, 4), [0.1], [0]), Made("b", "int8", (1, 4), [0.1], [0])]
    tensors[1] = tensors[1]._replace(**change)
    with pytest.raises(ModelError, match=words):
        tflite_file.parse(make(tensors, [Op("RELU", (0,), (1,))], [0], [1]))


def test_an_option_that_is_unknown_is_a_reason_and_not_dropped():
    net = Network(0, (40,))
    w = net.weights((30, 40), 0, 1)
    options = ("FullyConnectedOptions", {"WeightsFormat": 1})
    net.op("FULLY_CONNECTED", (net.x, *w), (30,), options)
    (layer,) = read(net.content()).layers
    assert layer.reason == "expected weights in rows, got shuffled ones"


def test_an_operator_without_a_kernel_is_a_layer_with_the_reason():
    net = Network(0, (40,)).op("ABS", [0], (40,))
    (layer,) = read(net.content()).layers
    assert layer.reason == "no kernel for ABS"

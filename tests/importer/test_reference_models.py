"""The int8 reference models of MLPerf Tiny: what every layer computes has the bits of TensorFlow
Lite's reference interpreter."""

import os
from pathlib import Path

import numpy as np
import pytest

from engram_host.imports import original, tflite_file, tflite_network

MODELS = (
    "kws_ref_model",
    "vww_96_int8",
    "pretrainedResnet_quant",
    "ad01_int8",
    "str_ww_ref_model",
)
COUNT = 100


def content_of(name):
    if "ENGRAM_DATA" not in os.environ:
        pytest.skip("ENGRAM_DATA is unset; it names the folder that holds mlperf_tiny/")
    return (Path(os.environ["ENGRAM_DATA"]) / "mlperf_tiny" / f"{name}.tflite").read_bytes()


def inputs(shape, count):
    """int8 inputs: noise of several sizes around several means, some of it smooth."""
    rng = np.random.default_rng(1)
    x = rng.normal(rng.integers(-80, 80, (count, 1, 1)), rng.choice((5, 40, 120), (count, 1, 1)),
                   (count, 1, int(np.prod(shape))))  # fmt: skip
    x[1::2] = np.cumsum(x[1::2] - x[1::2].mean(2, keepdims=True), 2) / 8
    return np.clip(np.rint(x), -128, 127).astype(np.int8).reshape(count, *shape)


def interpreted(content, x, numbers):
    """{number: (n, ...)} of the interpreter's tensors with those numbers."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    rows = {number: [] for number in numbers}
    for sample in x:
        interpreter.set_tensor(source["index"], sample.reshape(source["shape"]))
        interpreter.invoke()
        for number in numbers:
            rows[number].append(interpreter.get_tensor(number).copy())
    return {number: np.stack(values) for number, values in rows.items()}


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_has_the_bits_of_the_interpreter(name):
    content = content_of(name)
    file = tflite_file.parse(content)
    net = tflite_network.network(file, name)
    assert [layer.reason for layer in net.layers if layer.reason] == []
    # a layer's name ends in the number of its operator
    numbers = {
        layer.name: file.operators[int(layer.name.rpartition("_")[2])].outputs[0]
        for layer in net.layers
    }
    assert len(numbers) >= len(file.operators) - 2  # all but casts at the ends
    x = inputs(net.input_shape, COUNT)
    expected = interpreted(content, x, numbers.values())
    for value, result in original.values(net, x, numbers).items():
        target = expected[numbers.pop(value)].reshape(result.shape)
        assert len(np.unique(target)) > 3, f"{value}: nothing to compare"
        np.testing.assert_array_equal(result, target, value)
    assert not numbers

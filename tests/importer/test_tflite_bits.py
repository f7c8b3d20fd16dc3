"""Imported layers compute the bits of TensorFlow Lite's reference interpreter, operator by
operator, and in chains of them."""

import numpy as np
import pytest

from engram_host.imports import original, tflite_file, tflite_network
from importer.int8_networks import NETWORKS


def interpreted(content, seed, count=6):
    """(inputs, outputs) of the reference interpreter, int8."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    shape = source["shape"][1:]
    x = np.random.default_rng(seed).integers(-128, 128, (count, *shape)).astype(np.int8)
    rows = []
    for sample in x:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target["index"]).copy())
    return x, np.concatenate(rows)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NETWORKS)
def test_an_operator_gives_the_bits_of_the_interpreter(name, seed):
    content = NETWORKS[name](seed).content()
    x, expected = interpreted(content, seed)
    net = tflite_network.network(tflite_file.parse(content), name)
    assert [layer.reason for layer in net.layers if layer.reason] == []
    out = original.values(net, x)[net.outputs[0]].reshape(expected.shape)
    difference = np.abs(out.astype(int) - expected)
    assert not difference.any()

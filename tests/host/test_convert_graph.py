"""Float graphs of version 2: what becomes one kernel, scales and tables, refusals. And version 1,
whose device files stay what they were."""

import json
from binascii import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import ModelError
from engram.nn.geometry import out_size
from engram_host.convert import DeviceModel, attributes, convert, graph, model_file
from engram_host.convert.quantize import (
    Scale,
    add_parameters,
    function_table,
    multiplier,
    rectifier_table,
    softmax_table,
)
from kernels import tflite_reference

SHAPE = [6, 6, 4]
HEAD = [
    {"name": "flat", "op": "flatten", "in": ["last"]},
    {"name": "head", "op": "dense", "in": ["flat"], "w": "head.w", "b": "head.b"},
]
PAD = [1, 1, 1, 1]
CONV = {"name": "a", "op": "conv2d", "in": ["input"], "w": "a.w", "b": "a.b", "pad": PAD}
LAST = {"name": "last", "op": "depthwise", "in": ["a"], "w": "last.w", "pad": PAD}


def tensors():
    rng = np.random.default_rng(0)
    shapes = {"a.w": (4, 3, 3, 4), "a.b": (4,), "last.w": (3, 3, 4), "head.w": (3, 144)}
    shapes |= {"head.b": (3,), "n.scale": (4,), "n.shift": (4,), "t.w": (4, 2, 2, 5)}
    return {name: rng.normal(0.1, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}


def float_file(path, nodes, latent="last", **changes):
    description = {
        "name": "graph",
        "classes": 3,
        "input": {"shape": SHAPE, "dtype": "float32"},
        "nodes": nodes,
        "latent": latent,
        "outputs": [{"node": "head", "objective": "classify"}],
        **changes,
    }
    model_file.write(path, tensors(), {"engram_float": "2", "graph": json.dumps(description)})
    return path


def without(key, entry):
    return {name: value for name, value in entry.items() if name != key}


def samples(count=60):
    return np.random.default_rng(1).normal(0.2, 1, (count, *SHAPE)).astype(np.float32)


def converted(tmp_path, nodes, **changes):
    """(report, nodes of the device model by name, its graph)"""
    report = convert(float_file(tmp_path / "f", nodes, **changes), samples(), tmp_path / "d")
    description = DeviceModel(tmp_path / "d").graph
    return report, {node["name"]: node for node in description["nodes"]}, description


# ---- what becomes one kernel --------------------------------------------------------------------


def test_a_device_model_has_named_nodes_and_a_format_for_each(tmp_path):
    report, nodes, description = converted(tmp_path, [CONV, LAST, *HEAD])
    assert list(nodes) == ["a", "last", "flat", "head"]
    assert [node["format"] for node in nodes.values()] == ["s8", "s8", "f32", "f32"]
    assert nodes["a"]["kernel"] == [3, 3] and nodes["a"]["stride"] == [1, 1]  # as the weights say
    assert description["latent"]["node"] == "last" and description["latent"]["shape"] == SHAPE
    assert description["outputs"] == [{"weight": 1, "node": "head", "objective": "classify"}]
    assert report["outputs"][0]["agreement"] > 0.9


def test_frozen_batch_normalisation_is_folded(tmp_path):
    norm = {"name": "n", "op": "scale_shift", "in": ["a"], "scale": "n.scale", "shift": "n.shift"}
    after = {**LAST, "in": ["n"]}
    report, nodes, _ = converted(tmp_path, [CONV, norm, after, *HEAD])
    assert list(nodes) == ["a", "last", "flat", "head"] and nodes["last"]["in"] == ["a"]
    assert min(row["snr_db"] for row in report["layers"]) > 30  # against the unfolded float model


def test_batch_normalisation_that_is_read_twice_stays(tmp_path):
    norm = {"name": "n", "op": "scale_shift", "in": ["a"], "scale": "n.scale", "shift": "n.shift"}
    both = {"name": "last", "op": "add", "in": ["a", "n"]}
    report, nodes, _ = converted(tmp_path, [CONV, norm, both, *HEAD])
    assert list(nodes) == ["a", "n", "last", "flat", "head"]
    assert min(row["snr_db"] for row in report["layers"]) > 30


def test_batch_normalisation_that_learns_is_kept(tmp_path):
    norm = {"name": "n", "op": "scale_shift", "in": ["a"], "scale": "n.scale", "shift": "n.shift"}
    after = {**LAST, "in": ["n"]}
    _, nodes, _ = converted(tmp_path, [CONV, norm, after, *HEAD], latent="a")
    assert nodes["n"]["format"] == "f32" and nodes["n"]["scale"] == "n.scale"


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_a_frozen_relu_is_the_clamps_of_the_kernel_before_it(tmp_path, activation):
    act = {"name": "r", "op": activation, "in": ["a"]}
    report, nodes, _ = converted(tmp_path, [CONV, act, {**LAST, "in": ["r"]}, *HEAD])
    assert "r" not in nodes and nodes["last"]["in"] == ["a"]
    zero_point, low, high = nodes["a"]["q"][1:]
    assert low == zero_point == -128 and high == 127
    assert report["layers"][0]["snr_db"] > 30


def test_relu6_cuts_where_the_scale_goes_on(tmp_path):
    """One scale is for both branches of a concatenation: 6 lies inside its range."""
    act = {"name": "r", "op": "relu6", "in": ["a"]}
    big = {"name": "b", "op": "add", "in": ["r", "r", "r"]}
    both = {"name": "last", "op": "concat", "in": ["r", "b"]}
    wide = {"name": "w", "op": "global_avgpool", "in": ["last"]}
    head = {**HEAD[1], "in": ["w"], "w": "t8.w"}
    path = float_file(tmp_path / "f", [CONV, act, big, both, wide, head])
    content, metadata = model_file.read(path)
    content["a.w"] *= 4
    content["t8.w"] = np.ones((3, 8), np.float32)
    model_file.write(path, content, metadata)
    report = convert(path, samples(), tmp_path / "d")
    nodes = {node["name"]: node for node in DeviceModel(tmp_path / "d").graph["nodes"]}
    zero_point, low, high = nodes["a"]["q"][1:]
    scale = report["layers"][0]["scale"]
    assert low == zero_point == -128 and abs((high - zero_point) * scale - 6) < scale
    assert (
        high < 0 and len({row["scale"] for row in report["layers"] if row["name"] != "b:0"}) == 1
    )


def test_relu_is_short_for_a_node_behind(tmp_path):
    rectified = [{**CONV, "relu": True}, {**LAST, "relu": True}, *HEAD]
    _, nodes, description = converted(tmp_path, rectified)
    assert list(nodes) == ["a", "last", "flat", "head"] and description["latent"]["node"] == "last"
    _, nodes, _ = converted(tmp_path, [CONV, {**LAST, "relu": True}, *HEAD], latent="a")
    assert nodes["last:relu"]["op"] == "relu" and nodes["flat"]["in"] == ["last:relu"]


def test_a_concatenation_of_a_fixed_scale_changes_it(tmp_path):
    squashed = {"name": "s", "op": "sigmoid", "in": ["a"]}
    both = {"name": "last", "op": "concat", "in": ["s", "input"]}
    pool = {"name": "w", "op": "global_avgpool", "in": ["last"]}
    path = float_file(tmp_path / "f", [CONV, squashed, both, pool, {**HEAD[1], "in": ["w"]}])
    content, metadata = model_file.read(path)
    content["head.w"] = np.ones((3, 8), np.float32)
    model_file.write(path, content, metadata)
    rows = {row["name"]: row for row in convert(path, samples(), tmp_path / "d")["layers"]}
    assert rows["s"]["scale"] == 1 / 256 and rows["s"]["zero_point"] == -128
    assert rows["last:scale0"]["scale"] == rows["last:scale1"]["scale"] == rows["last"]["scale"]
    assert rows["last"]["snr_db"] > 30


# ---- how attributes may be written ------------------------------------------------------------


@pytest.mark.parametrize(
    ("extras", "stride", "pad", "dilation"),
    [
        ({"pad": "same"}, [1, 1], [1, 1, 1, 1], None),
        ({"pad": "same", "stride": 2}, [2, 2], [0, 0, 1, 1], None),
        ({"pad": "same", "dilation": 2}, [1, 1], [2, 2, 2, 2], [2, 2]),
        ({"pad": "valid", "stride": [1, 2]}, [1, 2], [0, 0, 0, 0], None),
        ({"pad": 1}, [1, 1], [1, 1, 1, 1], None),
        ({"pad": [2, 1]}, [1, 1], [2, 1, 2, 1], None),
        ({"pad": [0, 1, 2, 0], "kernel": 3}, [1, 1], [0, 1, 2, 0], None),
    ],
)
def test_attributes_may_be_integers_and_pads_words(tmp_path, extras, stride, pad, dilation):
    conv = {**without("pad", CONV), **extras}
    wide = {"name": "wide", "op": "global_avgpool", "in": ["a"]}
    nodes = [conv, wide, {**HEAD[1], "in": ["wide"]}]
    path = float_file(tmp_path / "f", nodes, latent="a")
    content, metadata = model_file.read(path)
    content["head.w"] = content["head.w"][:, :4]
    model_file.write(path, content, metadata)
    node = graph.load(path).frozen[0]
    assert (node.attributes["stride"], node.attributes["pad"]) == (stride, pad)
    assert node.attributes.get("dilation") == dilation and node.attributes["kernel"] == [3, 3]
    report = convert(path, samples(), tmp_path / "d")
    assert report["layers"][0]["snr_db"] > 30


@given(st.integers(1, 30), st.integers(1, 7), st.integers(1, 4), st.integers(1, 3))
def test_same_pads_to_the_input_divided_by_the_stride(size, kernel, stride, dilation):
    """As TensorFlow's SAME, which is PyTorch's where the stride is 1."""
    entry = {"op": "maxpool", "kernel": kernel, "stride": stride, "dilation": dilation}
    attrs = attributes.normalised({**entry, "pad": "same"}, None, (size, size, 1))
    top, left, bottom, right = attrs["pad"]
    assert (top, bottom) == (left, right) and 0 <= bottom - top <= 1
    assert out_size(size, top, bottom, kernel, stride, dilation) == -(-size // stride)


# ---- integers and tables ------------------------------------------------------------------------

SCALES = st.builds(Scale, st.floats(1e-3, 0.2), st.integers(-128, 127))


@given(SCALES, SCALES, st.sampled_from([0.0, 0.1, 0.3, 1.0]))
def test_tables_of_rectifiers_are_tensorflow_lites(source, target, slope):
    """LEAKY_RELU: both branches are multiplied in fixed point, and rounded twice."""
    factors = [multiplier(factor * source.scale / target.scale) for factor in (slope, 1.0)]
    q = 0, target.zero_point, -128, 127
    centred = [x - source.zero_point for x in range(-128, 128)]
    row = [tflite_reference.finish(x, *factors[x >= 0], q) for x in centred]
    assert rectifier_table(slope, source, target, 127).tolist() == row


def test_tables_of_functions_round_halves_away_from_zero():
    source, target = Scale(0.25, 0), Scale(0.5, 3)
    table = function_table(lambda x: x, source, target)
    assert table[128 + np.array([-3, -1, 1, 3])].tolist() == [1, 2, 4, 5]


@given(SCALES)
def test_the_table_of_softmax_is_tensorflow_lites(source):
    """To 2 in a million: its exponential is a polynomial in fixed point."""
    factor = multiplier(source.scale * 2**26)  # 5 integer bits
    target = np.array(tflite_reference.softmax_exponentials(*factor, -255), np.int64)
    assert np.abs(softmax_table(source) - target).max() < 2**31 * 2e-6


@given(SCALES, SCALES, SCALES, st.integers(-128, 127), st.integers(-128, 127))
def test_the_integers_of_a_sum_say_its_factors(a, b, target, x, y):
    q = add_parameters(a, b, target, (-128, 127))
    assert q[:6] == [a.zero_point, b.zero_point, target.zero_point, -128, 127, 20]
    x_factor, y_factor, out_factor = (q[i] * 2.0 ** (q[i + 1] - 31) for i in (6, 8, 10))
    total = ((x - q[0]) * x_factor + (y - q[1]) * y_factor) * 2**20 * out_factor
    real = (x - a.zero_point) * a.scale + (y - b.zero_point) * b.scale
    assert total == pytest.approx(real / target.scale, rel=1e-6, abs=1e-4)


# ---- refusals -----------------------------------------------------------------------------------


BEHIND = {"name": "late", "op": "add", "in": ["last", "a"]}
UP = {"name": "last", "op": "conv2d_t", "in": ["a"], "w": "t.w", "stride": [2, 2]}
REFUSED = {
    r"node late \(add\) reads a, which lies before the latent last: only the latent is stored": {
        "nodes": [CONV, LAST, BEHIND, {**HEAD[0], "in": ["late"]}, HEAD[1]]
    },
    r"node a \(conv2d\): expected names that differ": {"nodes": [CONV, CONV, LAST, *HEAD]},
    r"node last .*: expected inputs among the nodes before it \(input\), got a": {
        "nodes": [LAST, CONV, *HEAD]
    },
    r"node last \(add\): expected 2 inputs, got 1": {
        "nodes": [CONV, {"name": "last", "op": "add", "in": ["a"]}, *HEAD]
    },
    r"node last \(conv2d_t\): expected the shape of its output as out": {
        "nodes": [CONV, UP, *HEAD]
    },
    r"node last .*a convolution of its output \[9, 12, 5\] does not give": {
        "nodes": [CONV, {**UP, "out": [9, 12, 5]}, *HEAD]
    },
    r"node a \(conv2d\): expected keys of b, dilation, .*; got strides": {
        "nodes": [{**CONV, "strides": [2, 2]}, LAST, *HEAD]
    },
    r"node head \(dense\): expected keys of b, in, name, op, out, relu, w; got activation": {
        "nodes": [CONV, LAST, HEAD[0], {**HEAD[1], "activation": "relu"}]
    },
    r"node flat \(flatten\): expected keys of .*; got dilation, pad": {
        "nodes": [CONV, LAST, {**HEAD[0], "dilation": 2, "pad": 0}, HEAD[1]]
    },
    r"input: expected keys of dtype, scale, shape, zero_point; got zeropoint": {
        "input": {"shape": SHAPE, "dtype": "float32", "zeropoint": 3}
    },
    r"graph: expected keys of .*; got layers": {"layers": []},
    r"output head: expected keys of node, objective, weight; got loss": {
        "outputs": [{"node": "head", "objective": "classify", "loss": "mse"}]
    },
    r"node a .*: expected stride as an integer above 0 or \[height, width\], got 0": {
        "nodes": [{**CONV, "stride": 0}, LAST, *HEAD]
    },
    r'node a .*: expected pad as .* "same" or "valid", got \'full\'': {
        "nodes": [{**CONV, "pad": "full"}, LAST, *HEAD]
    },
    r"node a .*: expected an output of shape \[6, 6, 4\], got out \[3, 3, 4\]": {
        "nodes": [{**CONV, "out": [3, 3, 4]}, LAST, *HEAD]
    },
    r"node a \(lstm\)|expected an op of add, .*; got lstm": {
        "nodes": [{"name": "a", "op": "lstm", "in": ["input"]}, LAST, *HEAD]
    },
    "expected the latent among input, a, last, flat, head; got nowhere": {"latent": "nowhere"},
    "expected an output among the nodes after the latent head": {"latent": "head"},
    "expected the classes from a dense node without ReLU": {
        "outputs": [{"node": "flat", "objective": "classify"}]
    },
    "expected an objective of classify, regress, .*, got rank": {
        "outputs": [{"node": "head", "objective": "rank"}]
    },
    "expected an output with an objective, got none": {"outputs": []},
    r"graph is incomplete \(KeyError\('in'": {"nodes": [without("in", CONV), LAST, *HEAD]},
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_bad_graph_is_refused(tmp_path, message):
    changes = {"nodes": [CONV, LAST, *HEAD], **REFUSED[message]}
    path = float_file(tmp_path / "f", **changes)
    with pytest.raises(ModelError, match=message):
        convert(path, samples(), tmp_path / "d")
    assert not (tmp_path / "d").exists()


# ---- version 1 ----------------------------------------------------------------------------------

# Weights and samples are small multiples of 1/4: all sums are exact in any order, so that the
# bytes are the same on every computer.
CHAIN = [
    {"op": "conv2d", "w": "a.w", "b": "a.b", "kernel": [3, 3], "pad": PAD, "relu": True},
    {"op": "depthwise", "w": "d.w", "kernel": [3, 3], "stride": [2, 2], "pad": PAD},
    {"op": "avgpool", "kernel": [2, 2], "stride": [2, 2]},
    {"op": "conv2d", "w": "p.w", "b": "p.b", "kernel": [1, 1], "relu": True},
    {"op": "global_avgpool"},
    {"op": "flatten"},
    {"op": "dense", "w": "f.w", "b": "f.b", "relu": True},
    {"op": "dense", "w": "c.w", "b": "c.b"},
]
CHAIN_SHAPES = {"a.w": (6, 3, 3, 2), "d.w": (3, 3, 6), "p.w": (5, 1, 1, 6), "f.w": (7, 5)}
CHAIN_SHAPES["c.w"] = (4, 7)


@pytest.mark.parametrize(
    ("frozen", "percentile", "crc"),
    [(7, 100.0, 0xC5D52740), (3, 100.0, 0x68D1A023), (7, 95.0, 0x49B879A4)],
)
def test_chains_convert_to_the_bytes_of_release_0_1(tmp_path, frozen, percentile, crc):
    """Else a store that holds their latents would be taken for another model's."""
    rng, weights = np.random.default_rng(0), {}
    for name, shape in CHAIN_SHAPES.items():
        weights[name] = (rng.integers(-3, 4, shape) / 4).astype(np.float32)
        outputs = shape[-1] if name == "d.w" else shape[0]
        weights[name[0] + ".b"] = (rng.integers(-3, 4, outputs) / 4).astype(np.float32)
    source = {"shape": [8, 8, 2], "dtype": "uint8", "scale": 0.25, "zero_point": -8}
    description = {
        "name": "exact",
        "classes": 4,
        "input": source,
        "layers": CHAIN,
        "frozen": frozen,
    }
    model_file.write(
        tmp_path / "f", weights, {"engram_float": "1", "graph": json.dumps(description)}
    )
    x = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 2)).astype(np.uint8)
    convert(tmp_path / "f", x, tmp_path / "d", percentile=percentile)
    assert crc32((tmp_path / "d").read_bytes()) == crc


def test_a_chain_takes_every_op_too(tmp_path):
    """What the device reads in a chain of version 1 is what the table of ops has."""
    layers = [
        CHAIN[0], {"op": "maxpool", "kernel": [2, 2], "stride": [2, 2], "relu": True},
        CHAIN[1], {"op": "avgpool", "kernel": [2, 2], "relu": True}, CHAIN[4], CHAIN[6], CHAIN[7],
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    shapes = {**CHAIN_SHAPES, "f.w": (7, 6), "a.b": (6,), "f.b": (7,), "c.b": (4,)}
    weights = {
        name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()
    }
    source = {"shape": [8, 8, 2], "dtype": "float32"}
    description = {"name": "all", "classes": 4, "input": source, "layers": layers, "frozen": 2}
    model_file.write(
        tmp_path / "f", weights, {"engram_float": "1", "graph": json.dumps(description)}
    )
    x = rng.normal(0, 1, (40, 8, 8, 2)).astype(np.float32)
    report = convert(tmp_path / "f", x, tmp_path / "d")
    assert [row["op"] for row in report["layers"]] == ["conv2d", "maxpool"]
    assert report["logits_snr_db"] > 25

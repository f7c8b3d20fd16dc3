"""From float models to device models: arithmetic, refusals, and what the digits lose."""

import importlib.util
import json
import subprocess
import sys
import warnings
from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.backend import kernels
from engram.continual.learner import Learner
from engram.errors import DataError, ModelError
from engram.nn.model import ModelSpec
from engram_host.convert import DeviceModel, calibrate, convert, graph, model_file, pipeline
from engram_host.convert.quantize import (
    Scale,
    activation_scale,
    multiplier,
    quantize_layer,
    requantize,
)
from engram_host.convert.stored import rounded_to
from engram_host.datasets import digits
from engram_host.errors import EngramWarning
from host import command

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "digits"


# ---------------------------------------------------------------- a float model with every op

FIRST_LABELS = [9, 0, 6, 8, 9, 1, 5, 2, 4, 5, 4, 3, 0, 2, 3, 9]  # of the test split

PAD = [1, 1, 1, 1]
LAYERS = [
    {"op": "conv2d", "w": "a.w", "b": "a.b", "kernel": [3, 3], "pad": PAD, "relu": True},
    {"op": "depthwise", "w": "d.w", "b": "d.b", "kernel": [3, 2], "stride": [1, 2]},
    {"op": "avgpool", "kernel": [2, 2], "stride": [2, 2], "pad": PAD},
    {"op": "conv2d", "w": "p.w", "b": "p.b", "kernel": [1, 1], "relu": True},
    {"op": "global_avgpool"},
    {"op": "flatten"},
    {"op": "dense", "w": "f.w", "b": "f.b", "relu": True},
    {"op": "dense", "w": "c.w", "b": "c.b"},
]
SHAPES = {
    "a.w": (6, 3, 3, 2),
    "d.w": (3, 2, 6),
    "p.w": (5, 1, 1, 6),
    "f.w": (7, 5),
    "c.w": (4, 7),
}


def tensors(seed=0):
    rng = np.random.default_rng(seed)
    result = {}
    for name, shape in SHAPES.items():
        result[name] = rng.normal(0, 0.5, shape).astype(np.float32)
        outputs = shape[-1] if name == "d.w" else shape[0]
        result[name[0] + ".b"] = rng.normal(0, 0.3, outputs).astype(np.float32)
    return result


def float_model(path, *, weights=None, version="1", **changes):
    description = {
        "name": "every op",
        "classes": 4,
        "input": {"shape": [7, 6, 2], "dtype": "float32"},
        "layers": LAYERS,
        "frozen": 7,
        **changes,
    }
    metadata = {"engram_float": version, "graph": json.dumps(description)}
    model_file.write(path, tensors() if weights is None else weights, metadata)
    return path


def samples(count=200, seed=1):
    return np.random.default_rng(seed).normal(0.3, 1, (count, 7, 6, 2)).astype(np.float32)


@pytest.fixture
def converted(tmp_path):
    report = convert(float_model(tmp_path / "f.st"), samples(), tmp_path / "d.st")
    return report, tmp_path / "d.st"


# ---------------------------------------------------------------- the integer arithmetic


def by_definition(acc, mult, shift):
    """TensorFlow Lite's MultiplyByQuantizedMultiplier in Python's own integers."""
    product = (acc << max(shift, 0)) * mult
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)  # toward zero
    right = max(-shift, 0)
    rest, threshold = high % 2**right, (2**right - 1) // 2 + (high < 0)
    return high // 2**right + (rest > threshold)


@given(
    st.lists(st.integers(-(2**26), 2**26), min_size=1, max_size=20),
    st.integers(2**30, 2**31 - 1),
    st.integers(-31, 3),
)
def test_requantization_is_the_reference(accumulators, mult, shift):
    acc = np.array(accumulators, np.int64)[:, None]
    result = requantize(acc, np.array([mult], np.int32), np.array([shift], np.int32))
    assert result[:, 0].tolist() == [by_definition(a, mult, shift) for a in accumulators]


@given(st.floats(1e-9, 1e4))
def test_a_multiplier_is_the_factor_to_30_bits(factor):
    mult, shift = multiplier(factor)
    assert 2**30 <= mult < 2**31
    assert mult * 2.0 ** (shift - 31) == pytest.approx(factor, rel=2**-30)


def test_factors_at_the_edges():
    assert multiplier(1.0) == (2**30, 1)
    assert multiplier(0.5) == (2**30, 0)
    assert multiplier(1 - 2**-40) == (2**30, 1)  # rounds up to the next power of two
    assert multiplier(2.0**-40) == (0, 0)


@given(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32))
def test_an_activation_scale_covers_its_range_and_holds_zero(one, other):
    low, high = min(one, other), max(one, other)
    scale = activation_scale(low, high)
    ends = scale.dequantize(scale.quantize(np.array([low, high, 0.0], np.float32)))
    assert ends[2] == 0
    assert np.abs(ends[:2] - [low, high]).max() <= scale.scale * 1.01


def test_after_relu_the_zero_point_is_the_smallest_value():
    assert activation_scale(0, 25.5) == Scale(pytest.approx(0.1), -128)
    assert activation_scale(0, 0).zero_point == -128


def test_halves_are_rounded_away_from_zero():
    q = Scale(1.0, 3).quantize(np.array([0.5, -0.5, 1.49, 500, -500], np.float32))
    assert q.tolist() == [4, 2, 4, 127, -128]


def test_weights_use_the_whole_range_of_every_channel():
    w = np.array([[0.5, -1.0], [1.1e-3, 2e-3]], np.float32)
    layer = quantize_layer("x", w, np.zeros(2, "f4"), 0, Scale(0.1, 0), Scale(0.1, 0))
    assert layer.w.tolist() == [[64, -127], [70, 127]]


def test_a_large_bias_on_tiny_weights_still_fits_its_int32():
    w, b = np.full((1, 4), 1e-9, "f4"), np.array([5.0], "f4")
    layer = quantize_layer("x", w, b, 0, Scale(0.01, 0), Scale(0.02, -128))
    real = int(layer.bias[0]) * int(layer.mult[0]) * 2.0 ** (int(layer.shift[0]) - 31) * 0.02
    assert real == pytest.approx(5.0, rel=1e-6)


def test_an_accumulator_that_could_overflow_is_refused():
    w = np.full((1, 100_000), 1.0, "f4")
    with pytest.raises(ModelError, match="layer big: channel 0 could overflow"):
        quantize_layer("big", w, np.zeros(1, "f4"), 0, Scale(1.0, 0), Scale(1.0, 0))


# ---------------------------------------------------------------- whole models


def test_every_op_survives(converted):
    report, _ = converted
    assert [row["op"] for row in report["layers"]] == [
        "conv2d", "depthwise", "avgpool", "conv2d", "global_avgpool", "dense",
    ]  # fmt: skip
    assert min(row["snr_db"] for row in report["layers"]) > 28
    assert report["logits_snr_db"] > 25 and report["agreement"] > 0.95


def test_a_worse_model_has_a_lower_snr(tmp_path):
    """The figure can fail: outliers clamped away cost signal."""
    path = float_model(tmp_path / "f.st")
    whole = convert(path, samples(), tmp_path / "a.st")
    clamped = convert(path, samples(), tmp_path / "b.st", percentile=90, min_agreement=0)
    assert clamped["layers"][-1]["snr_db"] < whole["layers"][-1]["snr_db"] - 5


def test_the_device_library_computes_the_same_int8(converted):
    """The numpy reference and the kernels were written apart; every bit must agree."""
    _, path = converted
    device = DeviceModel(path)
    with path.open("rb") as stream:
        spec = ModelSpec(stream)
        learner = Learner(spec)
    inputs = samples(20, seed=2)
    for x, target in zip(inputs, device.latents(inputs)):
        assert learner.latent(array("f", x.ravel().tolist())) == target.tobytes()


def test_uint8_samples_flip_their_top_bit(tmp_path):
    source = {"shape": [7, 6, 2], "dtype": "uint8", "scale": 0.02, "zero_point": -100}
    path = float_model(tmp_path / "f.st", input=source)
    x = np.random.default_rng(3).integers(0, 256, (50, 7, 6, 2)).astype(np.uint8)
    assert convert(path, x, tmp_path / "d.st")["logits_snr_db"] > 20
    q = DeviceModel(tmp_path / "d.st").quantize_input(x)
    assert np.array_equal(q.astype(int), x.astype(int) - 128)


def test_nothing_frozen_is_a_model_too(tmp_path):
    layers = [*LAYERS[4:6], {"op": "dense", "w": "o.w"}]
    weights = {"o.w": np.ones((4, 2), "f4")}
    path = float_model(tmp_path / "f.st", layers=layers, frozen=0, weights=weights)
    report = convert(path, samples(), tmp_path / "d.st")
    assert report["layers"] == [] and report["latent"]["shape"] == [7, 6, 2]
    assert DeviceModel(tmp_path / "d.st").latents(samples(3)).shape == (3, 7, 6, 2)


def test_the_same_input_gives_the_same_bytes(tmp_path, converted):
    """In another process too: hash seeds must not decide the order of anything."""
    script = f"import engram_host.convert as c; c.convert({str(tmp_path / 'f.st')!r}, "
    script += f"{str(tmp_path / 'x.npy')!r}, {str(tmp_path / 'again.st')!r})"
    np.save(tmp_path / "x.npy", samples())
    subprocess.run([sys.executable, "-c", script], check=True)
    assert (tmp_path / "again.st").read_bytes() == converted[1].read_bytes()


def test_tensors_in_the_file_are_aligned(converted):
    raw = converted[1].read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    sizes = {"F32": 4, "I32": 4, "I8": 1}
    for name, entry in header.items():
        if name != "__metadata__":
            start = 8 + length + entry["data_offsets"][0]
            assert start % sizes[entry["dtype"]] == 0


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x_train.npz"])
def test_calibration_data_comes_from_files(tmp_path, converted, name):
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, samples())
    else:
        np.savez(path, **{path.stem: samples(), "y": np.zeros(200)})
    convert(tmp_path / "f.st", path, tmp_path / "file.st")
    assert (tmp_path / "file.st").read_bytes() == converted[1].read_bytes()


# ---------------------------------------------------------------- refusals


def changed(index, **entry):
    return [dict(row, **entry) if i == index else row for i, row in enumerate(LAYERS)]


def with_tensor(name, value):
    return {**tensors(), name: np.asarray(value)}


REFUSED_MODELS = {
    "a.w: expected finite values, got 1 NaN": {
        "weights": with_tensor("a.w", np.full(SHAPES["a.w"], 1, "f4"))
    },
    "a.w: expected float32, got int32": {
        "weights": with_tensor("a.w", np.ones(SHAPES["a.w"], "i4"))
    },
    "expected a tensor d.b in the file, got none": {
        "weights": {k: v for k, v in tensors().items() if k != "d.b"}
    },
    r"expected bias of shape \(6,\), got \(5,\)": {
        "weights": with_tensor("a.b", np.zeros(5, "f4"))
    },
    r"node f \(dense\): expected weights of shape \(7, 5\), got \(7, 9\)": {
        "weights": with_tensor("f.w", np.zeros((7, 9), "f4"))
    },
    r"node a \(conv2d\): expected weights \(K,R,S,C\), got \(6, 3\), which do not belong": {
        "weights": with_tensor("a.w", np.zeros((6, 3), "f4"))
    },
    r"expected the kernel \[3, 3\], as the weights have it, got \[5, 5\] in the graph": {
        "layers": changed(0, kernel=[5, 5])
    },
    "expected an op of add, avgpool, .*; got magic": {"layers": changed(2, op="magic")},
    "expected 0 to 7 frozen layers, got 8; leave at least the last": {"frozen": 8},
    "expected the classes from a dense node without ReLU": {"layers": changed(7, relu=True)},
    "one output for each of the 5 classes; got dense with 4": {"classes": 5},
    "expected an input of dtype uint8 or float32, got int16": {
        "input": {"shape": [7, 6, 2], "dtype": "int16"}
    },
    "expected scale and zero_point of a uint8 input": {
        "input": {"shape": [7, 6, 2], "dtype": "uint8"}
    },
    "expected an input scale above 0, got 0": {
        "input": {"shape": [7, 6, 2], "dtype": "float32", "scale": 0, "zero_point": 0}
    },
    r"node a \(conv2d\): expected a shape \[height, width, channels\], got \[84\]": {
        "input": {"shape": [84], "dtype": "float32"}
    },
    "does not fit an axis of 2": {"input": {"shape": [2, 6, 2], "dtype": "float32"}},
    "expected a float model of version 1 or 2, got 3": {"version": "3"},
    "its graph is incomplete": {"layers": [{"w": "a.w"}] * 8},
}
REFUSED_MODELS["a.w: expected finite values, got 1 NaN"]["weights"]["a.w"][0, 0, 0, 0] = np.nan


@pytest.mark.parametrize("message", REFUSED_MODELS)
def test_a_bad_model_is_refused(tmp_path, message):
    changes = dict(REFUSED_MODELS[message])
    if message.startswith("does not fit"):  # the padded convolution fits, what follows does not
        changes["layers"] = changed(0, pad=[0, 0, 0, 0])
    path = float_model(tmp_path / "f.st", **changes)
    with pytest.raises(ModelError, match=message):
        convert(path, samples(), tmp_path / "d.st")
    assert not (tmp_path / "d.st").exists()


def test_a_file_that_is_no_float_model_is_refused(tmp_path, converted):
    with pytest.raises(ModelError, match="got a device model already"):
        convert(converted[1], samples(), tmp_path / "again.st")
    cut = tmp_path / "cut.st"
    cut.write_bytes((tmp_path / "f.st").read_bytes()[:-9])
    with pytest.raises(ModelError, match="expected a whole safetensors file, got"):
        convert(cut, samples(), tmp_path / "again.st")
    with pytest.raises(ModelError, match="expected a model file, got no file"):
        convert(tmp_path / "none.st", samples(), tmp_path / "again.st")
    assert not (tmp_path / "again.st").exists()


def nan_samples():
    bad = samples(5)
    bad[3, 0, 0, 0] = np.nan
    return bad


REFUSED_DATA = {
    "expected .* of float32, got dtype float64": lambda: samples().astype(np.float64),
    r"expected \(n, 7, 6, 2\) of float32, got shape \(4, 84\)": lambda: samples(4).reshape(4, 84),
    r"got shape \(0, 7, 6, 2\)": lambda: samples(0),
    "expected finite values, got NaN .* in 1 samples, the first is sample 3": nan_samples,
    "expected samples that differ, .* got one; give a few hundred": lambda: samples(1),
    "expected samples that differ, .* got 40 equal ones": lambda: samples(40) * 0,
}


@pytest.mark.parametrize("message", REFUSED_DATA)
def test_bad_calibration_data_is_refused(tmp_path, message):
    with pytest.raises(DataError, match=message):
        convert(float_model(tmp_path / "f.st"), REFUSED_DATA[message](), tmp_path / "d.st")
    assert not (tmp_path / "d.st").exists()


def test_calibration_files_that_are_none_are_refused(tmp_path):
    model = graph.load(float_model(tmp_path / "f.st"))
    (tmp_path / "text.npy").write_text("1, 2, 3")
    np.savez(tmp_path / "y.npz", y=np.zeros(3))
    for name, message in (
        ("none.npy", "expected a file, got no file .*none.npy"),
        ("text.npy", "expected an .npy or .npz file, got something else"),
        ("y.npz", "expected an array named x or x_train .*, got y"),
    ):
        with pytest.raises(DataError, match=message):
            calibrate.load_samples(tmp_path / name, model)


def with_outlier():
    """One value of 60,000 is a glitch of the sensor."""
    x = samples(800)
    x[17, 0, 0, 0] = 3000
    return x


def test_a_ruined_model_is_refused(tmp_path):
    """One outlier takes the whole range of the input: all that is left is one level of int8."""
    path = float_model(tmp_path / "f.st")
    pattern = r"expected .* to agree .* at least 90% .*, got \d.*%.*--percentile 99.9.*agreement 0"
    with pytest.warns(EngramWarning), pytest.raises(DataError, match=pattern):
        convert(path, with_outlier(), tmp_path / "d.st")
    assert [p.name for p in tmp_path.iterdir()] == ["f.st"]
    with pytest.warns(EngramWarning):
        report = convert(path, with_outlier(), tmp_path / "d.st", min_agreement=0)
    assert report["agreement"] < 0.9 and (tmp_path / "d.st").exists()


def test_the_percentile_covers_the_input(tmp_path):
    path = float_model(tmp_path / "f.st")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = convert(path, with_outlier(), tmp_path / "d.st", percentile=99.9)
    scale = DeviceModel(tmp_path / "d.st").input_scale.scale
    assert scale * 255 < 10 and report["agreement"] > 0.95


def test_an_outlier_is_told(tmp_path):
    model = graph.load(float_model(tmp_path / "f.st"))
    pattern = r"expected values all over .* to 3000, got 99.9 % of them within .*--percentile 99.9"
    with pytest.warns(EngramWarning, match=pattern):
        calibrate.input_scale(model, with_outlier(), 100)


def test_agreement_of_values_is_the_share_of_their_variance():
    real = np.random.default_rng(0).normal(20, 1, (4000, 2)).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 0.5, real.shape).astype(np.float32)
    assert pipeline.explained(real, real) == 1
    assert pipeline.explained(real, real + noise) == pytest.approx(0.75, abs=0.02)
    assert pipeline.explained(real, 0 * real) == 0  # its signal to noise ratio would be 0 dB
    assert pipeline.explained(0 * real, real) is None


@pytest.mark.parametrize("percentile", [50, 100.1, -3, float("nan")])
def test_a_percentile_out_of_range_is_refused(tmp_path, percentile):
    path = float_model(tmp_path / "f.st")
    with pytest.raises(DataError, match="expected a percentile above 50 and at most 100, got"):
        convert(path, samples(), tmp_path / "d.st", percentile=percentile)


def test_few_samples_are_told(tmp_path):
    path = float_model(tmp_path / "f.st")
    with pytest.warns(EngramWarning, match="expected a few hundred samples, got 12"):
        convert(path, samples(12), tmp_path / "d.st", min_agreement=0)


def test_samples_that_a_given_scale_cannot_hold_are_told(tmp_path):
    source = {"shape": [7, 6, 2], "dtype": "float32", "scale": 0.01, "zero_point": 0}
    path = float_model(tmp_path / "f.st", input=source)
    with pytest.warns(EngramWarning, match=r"within -1.28 to 1.27, .* of the values outside it"):
        convert(path, samples(), tmp_path / "d.st", min_agreement=0)


def test_latents_are_rounded_as_the_store_rounds_them():
    latents = np.arange(-128, 128, dtype=np.int8)
    for bits in range(3, 9):
        packed, back = bytearray((256 * bits + 7) // 8), np.empty(256, np.int8)
        kernels.pack_s8(packed, latents, bits)
        kernels.unpack_s8(back, packed, bits)
        np.testing.assert_array_equal(rounded_to(latents, bits), back)


def test_a_model_whose_latents_need_more_bits_says_how_many(tmp_path):
    """An outlier takes the range: all other latents lie within a few of 256 steps."""
    path = float_model(tmp_path / "f.st")
    good = convert(path, samples(), tmp_path / "a.st")["stored"]
    assert good["bits"] == good["enough"] == 4 and good["agreement"] >= 0.95
    bad = convert(path, with_outlier(), tmp_path / "b.st", min_agreement=0)["stored"]
    assert bad["agreement"] < 0.95 and 4 < bad["enough"] <= 8


def test_the_command_prints_the_agreement(tmp_path):
    path = float_model(tmp_path / "f.st")
    np.save(tmp_path / "x.npy", samples())
    np.save(tmp_path / "bad.npy", with_outlier())
    words = "convert", path, "--out", tmp_path / "d.st", "--data"
    result = command.run(*words, tmp_path / "x.npy")
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0 and "agreement of float and int8, output c: 9" in text
    assert "% of 200 samples in the same class, signal to noise" in text
    result = command.run(*words, tmp_path / "bad.npy")
    assert (
        result.exit_code == 1 and "Warning: calibration data: expected values all" in result.stderr
    )
    assert "Error: expected the int8 model to agree" in result.stderr
    result = command.run(*words, tmp_path / "bad.npy", "--percentile", 99.9)
    assert result.exit_code == 0 and "Warning" not in result.stderr
    result = command.run(*words, tmp_path / "bad.npy", "--min-agreement", 0)
    assert result.exit_code == 0 and "learn with --bits" in " ".join(result.stdout.split())


# ---------------------------------------------------------------- the digits


@pytest.fixture(scope="module")
def data():
    return digits()


def test_the_split_never_moves(data):
    """Every accuracy in a report depends on it."""
    assert np.bincount(data.y_test).tolist() == [36] * 10
    assert len(data.x_train) == 1437 and data.x_train.max() == 16
    pixels = {row.tobytes() for row in data.x_train}
    assert not any(row.tobytes() in pixels for row in data.x_test)
    assert data.y_test[:16].tolist() == FIRST_LABELS


def test_the_digits_lose_next_to_nothing(tmp_path, data):
    base, _ = data.train_of([0, 1, 2, 3, 4])
    report = convert(EXAMPLE / "digits_float.safetensors", base, tmp_path / "d.st")
    assert min(row["snr_db"] for row in report["layers"]) > 35
    assert report["agreement"] > 0.99
    known = data.y_test < 5
    answers = DeviceModel(tmp_path / "d.st").predict(data.x_test)
    assert (answers[known] == data.y_test[known]).mean() > 0.97
    assert (answers[~known] == data.y_test[~known]).mean() < 0.05  # never seen


@pytest.fixture(scope="module")
def pretrain():
    """The script of the example, as a module."""
    spec = importlib.util.spec_from_file_location("pretrain", EXAMPLE / "pretrain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pretraining_follows_its_gradient(pretrain):
    rng = np.random.default_rng(0)
    network = pretrain.Network(rng)
    network.params = [p.astype(np.float64) for p in network.params]
    x, y = rng.random((4, 8, 8, 1)), np.array([0, 3, 3, 9])

    def loss():
        logits = network.forward(x)[0]
        shifted = logits - logits.max(axis=1, keepdims=True)
        return -(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))[range(4), y].mean()

    grads = network.gradients(x, y)
    for param, grad in zip(network.params, grads):
        for at in rng.integers(0, param.size, 4):
            value, results = param.flat[at], []
            for nudge in (1e-6, -1e-6):
                param.flat[at] = value + nudge
                results.append(loss())
            param.flat[at] = value
            slope = (results[0] - results[1]) / 2e-6
            assert grad.flat[at] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_pretraining_is_repeatable_and_learns(pretrain, tmp_path, data):
    """Short trainings; the committed weights come from the same function, only longer."""
    for name in ("a", "b"):
        pretrain.save(pretrain.train(seed=1, epochs=1), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    network = pretrain.train(seed=1, epochs=6)
    known = data.y_test < 5
    logits = network.forward((data.x_test[known] / 16).astype(np.float32))[0]
    assert (logits.argmax(axis=1) == data.y_test[known]).mean() > 0.7

"""Learning in 8-bit integers: accuracy beside float32, states, classes that come, errors."""

import io

import numpy as np
import pytest
import tiny_model

import engram
from engram import DataError, DivergedError, Learner, ModelSpec, StoreError
from engram.memory.record import EXPONENT, RANDOM
from engram.nn.scales import numbers
from engram_host import demo
from engram_host.datasets import digits

CLASSES = (5, 6, 7)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    place = tmp_path_factory.mktemp("digits")
    return demo.prepare(place, digits(), demo.load_settings())


def opened(model, folder, **options):
    return engram.load(str(model), folder=str(folder), **{"classes": 10, **options})


def samples(label, count=60):
    data = digits()
    rows = np.flatnonzero(data.y_train == label)[:count]
    return [(data.x_train[i], int(label)) for i in rows]


def accuracy(learner, most):
    data = digits()
    rows = np.flatnonzero(data.y_test <= most)
    return learner.evaluate((data.x_test[i], int(data.y_test[i])) for i in rows)["accuracy"]


def learn(learner, classes=CLASSES, **run):
    for label in classes:
        learner.observe_all(samples(label))
        learner.learn(**run)
        learner.end_session()
    return accuracy(learner, classes[-1])


@pytest.mark.parametrize(
    "options",
    [{"format": "q8"}, {"format": "q8", "rounding": "sr"}, {"format": "mixed"},
     {"format": "q8", "micro": 1}, {"format": "q8", "weight_decay": 1e-3}],
    ids=["res8", "sr", "mixed", "single", "decay"],
)  # fmt: skip
def test_new_digits_are_learned_as_in_float32(model, tmp_path, options):
    plain = learn(opened(model, tmp_path / "f32"))
    assert learn(opened(model, tmp_path / "q8", **options)) > plain - 0.03


@pytest.mark.parametrize("scope", ["head", "bias"])
def test_a_scope_leaves_the_rest_of_the_weights_alone(model, tmp_path, scope):
    learner = opened(model, tmp_path, format="q8", scope=scope)
    before = {name: bytes(window) for name, window in learner.stage.integers}
    learn(learner, (5,), steps=20)
    after = {name: bytes(window) for name, window in learner.stage.integers}
    head = learner.stage.head.n * 10
    assert after["weights"][:-head] == before["weights"][:-head]
    assert (after["weights"] == before["weights"]) == (scope == "bias")
    assert after["biases"] != before["biases"]


def state_of(learner):
    return [bytes(part) for part in learner.state.parts]


def test_a_saved_state_comes_back_to_the_bit(model, tmp_path):
    learner = opened(model, tmp_path, format="q8")
    learn(learner, (5,), steps=50)
    learner.save()
    state, answer = state_of(learner), accuracy(learner, 5)
    learner.close()
    again = opened(model, tmp_path, format="q8")
    assert state_of(again)[2:] == state[2:]
    assert accuracy(again, 5) == answer


def test_the_same_seed_learns_the_same_weights(model, tmp_path):
    states = []
    for name in "ab":
        learner = opened(model, tmp_path / name, format="q8")
        learn(learner, (5,), steps=40)
        states.append(state_of(learner))
    assert states[0] == states[1]


def test_a_late_class_keeps_what_was_learned(model, tmp_path):
    learner = opened(model, tmp_path, format="q8")
    learn(learner, (5,))
    learner.save()
    before = accuracy(learner, 5)
    learner.close()
    wider = opened(model, tmp_path, format="q8", classes=12)
    assert accuracy(wider, 5) == before
    assert learn(wider, (6,)) > 0.9


@pytest.mark.parametrize(
    ("saved", "asked", "words"),
    [
        ("f32", "q8", "another number format; open the model in that format"),
        ("q8", "f32", "open the model as it was, or with fresh=True"),
    ],
)
def test_a_state_of_another_format_is_refused_in_words(model, tmp_path, saved, asked, words):
    learner = opened(model, tmp_path, format=saved)
    learn(learner, (5,), steps=10)
    learner.save()
    learner.close()
    with pytest.raises(StoreError, match=words):
        opened(model, tmp_path, format=asked)


def test_rounding_down_is_found_broken_and_the_way_out_is_told(model, tmp_path):
    learner = opened(model, tmp_path, format="q8", rounding="floor")
    learner.observe_all(samples(5, 100))
    with pytest.raises(DivergedError, match="with the rounding res8, as floor loses small steps"):
        learner.learn()


def test_a_run_that_diverged_goes_back_to_the_integers_of_the_file(model, tmp_path):
    learner = opened(model, tmp_path, format="q8", rounding="floor")
    before = {name: bytes(window) for name, window in learner.stage.integers}
    learner.observe_all(samples(5, 100))
    with pytest.raises(DivergedError):
        learner.learn()
    after = {name: bytes(window) for name, window in learner.stage.integers}
    assert after["weights"] == before["weights"] and after["biases"] == before["biases"]


def test_the_last_record_tells_of_each_tensor(model, tmp_path):
    learner = opened(model, tmp_path, format="q8")
    learner.observe_all(samples(5))
    *_, last = learner.steps(steps=40)
    scales = {row["tensor"]: row for row in last["scales"]}
    assert {"v:a0", "v:a2", "w:a0", "w:a3", "d:a0"} <= set(scales)
    for row in scales.values():
        assert set(row) == {"tensor", "exponent", "saturated", "zero", "moved"}
        assert row["saturated"] < 0.02 and row["zero"] == 0


def test_predictions_before_learning_find_their_scales(model, tmp_path):
    plain, integer = (opened(model, tmp_path / form, format=form) for form in ("f32", "q8"))
    assert accuracy(integer, 4) > accuracy(plain, 4) - 0.02
    answers = [integer.predict(x) for x, _ in samples(3, 5)]
    assert answers == [integer.predict(x) for x, _ in samples(3, 5)]


def test_weights_are_those_of_the_file_within_a_step(model):
    spec = ModelSpec(io.BytesIO(model.read_bytes()))
    real = {}
    for node in spec.net.adaptive:
        if "w" in node:
            n = spec.file.elems(node["w"])
            real[node["name"]] = np.zeros(n, np.float32)
            spec.file.read_into(node["w"], memoryview(real[node["name"]]).cast("B"))
    learner = Learner(spec, format="q8")
    windows = dict(learner.stage.integers)
    at = 0
    for name in [n for n in learner.stage.scales.names if n.startswith("w:")]:
        values = real[name[2:]]
        index = learner.stage.scales.names.index(name)
        record = numbers(*learner.stage.scales.place(index))
        part = slice(at, at + len(values))
        high = np.frombuffer(bytes(windows["weights"][part]), np.int8).astype(float)
        low = np.frombuffer(bytes(windows["rests"][part]), np.int8).astype(float)
        unit = 2.0 ** -(record[EXPONENT] + 8)
        assert np.abs((256 * high + low) * unit - values).max() <= unit, name
        assert record[RANDOM] != 0
        at += len(values)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "q4"}, "expected a format of f32, q8, mixed, got 'q4'"),
        ({"format": "q8", "rounding": "up"}, "expected a rounding of floor, nearest, res8, sr"),
        ({"format": "q8", "optimiser": "adam"}, "expected the optimiser sgd or momentum"),
        ({"format": "q8", "clip": 1.0}, "without clip, to learn in q8, got momentum with clip"),
        ({"format": "q8", "strategy": "ewc"}, "strategy ewc: expected number formats among f32"),
        ({"format": "q8", "strategy": "ncm"}, "strategy ncm: expected number formats among f32"),
        ({"format": "q8", "keep": 0.5}, "expected layers with structures to keep"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    with pytest.raises((DataError, engram.ModelError), match=words):
        Learner(spec, **options)

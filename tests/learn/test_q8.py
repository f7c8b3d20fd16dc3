"""Learning in 8-bit integers: accuracy beside float32, states, classes that come, errors."""

import io

import networks
import networks_check
import numpy as np
import pytest
import tiny_model

import engram
from engram import DataError, DivergedError, Learner, ModelSpec, StoreError
from engram.memory.record import EXPONENT, LARGEST, RANDOM
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
     {"format": "q8", "micro": 1}, {"format": "q8", "weight_decay": 1e-3},
     {"format": "q8", "scope": "head,a0.in:norm:0.5"},
     {"format": "q8", "scope": "head,a0.out:norm:0.25", "micro": 4},
     {"format": "q8", "rounding": "velocity"},
     {"format": "q8", "rounding": "velocity", "micro": 4, "weight_decay": 1e-3, "clip": 2.0},
     {"format": "q8", "keep": 0.25}, {"format": "mixed", "keep": (0.1, 1), "skip": 0.25}],
    ids=["res8", "sr", "mixed", "single", "decay", "inputs", "outputs", "velocity", "carried",
         "keep", "partial"],
)  # fmt: skip
def test_new_digits_are_learned_as_in_float32(model, tmp_path, options):
    plain = learn(opened(model, tmp_path / "f32"))
    assert learn(opened(model, tmp_path / "q8", **options)) > plain - 0.03


def test_a_velocity_is_steady_at_a_rate_at_which_plain_steps_are_not(model, tmp_path):
    options = {"format": "q8", "lr": 0.2, "momentum": 0.9}
    assert learn(opened(model, tmp_path / "velocity", rounding="velocity", **options)) > 0.9
    try:
        plain = learn(opened(model, tmp_path / "plain", **options))
    except DivergedError:
        plain = 0
    assert plain < 0.8


def test_a_run_begins_without_velocity(model, tmp_path):
    """A learner that has learned before and one with its state from flash learn alike."""
    learner = opened(model, tmp_path, format="q8", rounding="velocity")
    learner.observe_all(samples(5))
    learner.learn(steps=30)
    weights = state_of(learner)[2:5]
    learner.stage.start()
    for name, window in learner.stage.integers:
        if name == "rests":
            assert not any(window)
    assert state_of(learner)[2] == weights[0]


CHANNELS = "head,a0.in:norm:0.5,a0.out:norm:0.25"


@pytest.mark.parametrize(("clip", "scope"), [(1e4, None), (1e30, None), (1e4, CHANNELS)])
def test_a_clip_that_no_gradient_reaches_changes_no_bit(model, tmp_path, clip, scope):
    states = []
    for name, limit in (("free", None), ("clipped", clip)):
        learner = opened(model, tmp_path / name, format="q8", clip=limit, scope=scope)
        learner.observe_all(samples(5))
        learner.learn(steps=20)
        states.append(state_of(learner))
    assert states[0] == states[1]


def first_step(model, folder, **options):
    """The norm of what the first step takes from all weights and biases, over the rate."""
    learner = opened(model, folder, format="q8", momentum=0, lr=2.0, batch=16, **options)
    learner.observe_all(samples(5))
    before = real_values(learner, model)
    next(learner.steps(steps=20))
    return np.linalg.norm(real_values(learner, model) - before) / 2


def real_values(learner, model):
    """All weights and biases that learn, as the numbers that they stand for."""
    scales, windows = learner.stage.scales, dict(learner.stage.integers)
    high = np.frombuffer(bytes(windows["weights"]), np.int8).astype(float)
    low = np.frombuffer(bytes(windows["rests"]), np.int8).astype(float)
    records = [numbers(*scales.place(i)) for i, n in enumerate(scales.names) if n[:2] == "w:"]
    spec = ModelSpec(io.BytesIO(model.read_bytes()))
    nodes = {node["name"]: node for node in spec.net.adaptive}
    names = [n[2:] for n in scales.names if n[:2] == "w:"]
    sizes = [spec.file.elems(nodes[name]["w"]) for name in names]
    units = np.repeat([2.0 ** -(record[EXPONENT] + 8) for record in records], sizes)
    biases = np.frombuffer(bytes(windows["biases"]), np.int32) * 2.0**-24
    return np.concatenate([(256 * high + low) * units, biases])


@pytest.mark.parametrize("micro", [16, 4])
@pytest.mark.parametrize("clip", [0.5, 0.05])
def test_a_step_is_clipped_to_between_half_of_clip_and_clip(model, tmp_path, clip, micro):
    free = first_step(model, tmp_path / "free", micro=micro)
    clipped = first_step(model, tmp_path / "clipped", clip=clip, micro=micro)
    assert clipped <= 1.05 * clip < free  # 0.05: what rounding adds
    assert micro < 16 or clipped > 0.45 * clip


@pytest.mark.parametrize("options", [{}, {"micro": 4}, {"format": "mixed"}])
def test_clipped_gradients_survive_a_rate_that_is_too_large(model, tmp_path, options):
    options = {"format": "q8", "lr": 5.0, "momentum": 0, **options}
    assert learn(opened(model, tmp_path / "clipped", clip=0.5, **options)) > 0.9
    try:
        free = learn(opened(model, tmp_path / "free", **options))
    except DivergedError:
        free = 0
    assert free < 0.5


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


@pytest.mark.parametrize("scope", ["all", "bias", "head,a0.in:0"])
def test_scales_are_found_on_the_same_latents_in_each_pass(model, tmp_path, scope):
    """A backward pass that needs no latents leaves something else where they lay."""
    learner = opened(model, tmp_path, format="q8", scope=scope)
    learner.observe_all(samples(5))
    stage, latents = learner.stage, []
    forward, settle = stage.forward_loss, stage.settle

    def seen():
        latents.append(bytes(stage.x))
        forward()

    def watched(run):
        stage.forward_loss = seen
        settle(run)
        stage.forward_loss = forward

    stage.settle = watched
    next(learner.steps(steps=2))
    assert len(latents) > 1 and len(set(latents)) == 1


def test_gradients_of_a_pool_over_many_places_find_their_scale(tmp_path):
    """The mean over 125 places: its gradient is zeros in the units that a scale begins with."""
    networks.ds_cnn().convert(tmp_path / "ds_cnn.safetensors")
    learner = Learner(
        ModelSpec(io.BytesIO((tmp_path / "ds_cnn.safetensors").read_bytes())), format="q8",
        batch=networks_check.BATCH,
    )  # fmt: skip
    stage = learner.stage

    def run():
        stage.begin()
        networks_check.fill(learner, 0)
        stage.take_latents()
        stage.forward_loss()
        stage.backward()

    learner.trainer.set_rates(0)
    stage.settle(run)
    names = [i for i, name in enumerate(stage.scales.names) if name.startswith("d:conv")]
    assert names
    for i in names:
        record = numbers(*stage.scales.place(i))
        assert 50 << 8 <= record[LARGEST] <= 127 << 8


def state_of(learner):
    return [bytes(part) for part in learner.state.parts]


@pytest.mark.parametrize("options", [
    {}, {"scope": "all.b,head.in:0-19,a0.in:norm:0.5"}, {"keep": 0.25, "skip": 0.25},
], ids=["all", "inputs", "partial"])  # fmt: skip
def test_a_saved_state_comes_back_to_the_bit(model, tmp_path, options):
    learner = opened(model, tmp_path, format="q8", **options)
    learn(learner, (5,), steps=50)
    learner.save()
    state, answer = state_of(learner), accuracy(learner, 5)
    learner.close()
    again = opened(model, tmp_path, format="q8", **options)
    assert state_of(again)[2:] == state[2:]
    assert accuracy(again, 5) == answer


def test_the_same_seed_learns_the_same_weights(model, tmp_path):
    states = []
    for name in "ab":
        learner = opened(model, tmp_path / name, format="q8")
        learn(learner, (5,), steps=40)
        states.append(state_of(learner))
    assert states[0] == states[1]


def test_a_saved_state_goes_to_another_choice_of_channels(model, tmp_path):
    """All weights are saved, whichever learn."""
    learner = opened(model, tmp_path, format="q8")
    learn(learner, (5,), steps=50)
    learner.save()
    before = accuracy(learner, 5)
    for label, scope in ((6, "head,a0.in:0-3"), (7, "head,a0.out:norm:0.25"), (8, "all")):
        learner.close()
        learner = opened(model, tmp_path, format="q8", scope=scope)
        assert accuracy(learner, label - 1) == before
        before = learn(learner, (label,), steps=20)
        learner.save()


@pytest.mark.parametrize("scope", ["all", "head.in:0-19,a0.in:0-3"])
def test_a_late_class_keeps_what_was_learned(model, tmp_path, scope):
    learner = opened(model, tmp_path, format="q8", scope=scope)
    learn(learner, (5,))
    learner.save()
    before = accuracy(learner, 5)
    learner.close()
    wider = opened(model, tmp_path, format="q8", classes=12, scope=scope)
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
        ({"format": "q8", "rounding": "velocity", "scope": "all.in:norm:0.5"}, "chosen channels"),
        ({"format": "q8", "optimiser": "adam"}, "expected the optimiser sgd or momentum"),
        ({"format": "q8", "strategy": "ewc"}, "strategy ewc: expected number formats among f32"),
        ({"format": "q8", "strategy": "ncm"}, "strategy ncm: expected number formats among f32"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    with pytest.raises((DataError, engram.ModelError), match=words):
        Learner(spec, **options)

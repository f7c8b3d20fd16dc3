"""Samples of what a model knows: in its file, sent by `engram rehearse`, missed by a warning."""

import io
import warnings

import numpy as np
import pytest

from engram.errors import DataError
from engram.nn.model import ModelSpec
from engram_host import api, samples
from engram_host.boards import home
from engram_host.commands import learn
from engram_host.convert import DeviceModel, convert
from engram_host.convert.rehearsal import herded
from engram_host.errors import EngramWarning, InputError
from engram_host.planning.report import plan_report, plan_table

PER_CLASS = 12
KNOWN = [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def carrying(tmp_path_factory, data):
    """The digits' model with 12 latents of each digit that it knows."""
    path = tmp_path_factory.mktemp("carrying") / "digits.safetensors"
    source = home() / "examples" / "digits" / "digits_float.safetensors"
    known = samples.make(*data.train_of(KNOWN))
    report = convert(source, known.x, path, rehearse=known, rehearse_per_class=PER_CLASS)
    assert report["rehearsal"] == PER_CLASS * len(KNOWN)
    return path


@pytest.fixture
def of_known(data):
    rows = np.isin(data.y_test, KNOWN)
    return samples.make(data.x_test[rows], data.y_test[rows])


def share(result, classes=KNOWN):
    right, total = (sum(result[key][c] for c in classes) for key in ("right", "total"))
    return right / total


# --- the model file ---------------------------------------------------------------------------


def test_a_file_carries_latents_as_a_board_stores_them(carrying, data):
    model = DeviceModel(carrying)
    labels = model.tensors["rehearsal.labels"].tolist()
    assert labels == KNOWN * PER_CLASS  # any number of them is balanced
    x, y = data.train_of(KNOWN)
    latents = model.tensors["rehearsal.latents"]
    rows = model.latents(x).reshape(len(x), -1)
    for label in KNOWN:
        own = {row.tobytes() for row in rows[y == label]}
        mine = [row.tobytes() for row in latents[np.array(labels) == label]]
        assert len(set(mine)) == PER_CLASS and own >= set(mine)


def test_the_model_is_the_one_without_them(carrying, model):
    specs = [ModelSpec(io.BytesIO(path.read_bytes())) for path in (carrying, model)]
    assert len({(spec.latent_id, spec.model_id) for spec in specs}) == 1


def test_herding_keeps_the_mean_of_a_class():
    vectors = np.random.default_rng(0).normal(1, 1, (60, 8)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = herded(vectors, 10)
    assert len(set(rows)) == 10 and herded(vectors, 4) == rows[:4]
    off = np.linalg.norm(unit[rows].mean(axis=0) - unit.mean(axis=0))
    others = [np.linalg.norm(unit[at : at + 10].mean(axis=0) - unit.mean(axis=0))
              for at in range(0, 60, 10)]  # fmt: skip
    assert off < min(others)
    assert herded(np.zeros((3, 2), np.float32), 5) and len(herded(vectors, 99)) == 60


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (samples.make(np.zeros((2, 64), np.uint8), [0, 10]), "10 classes .* got label 10"),
        (samples.make(np.zeros((2, 9), np.uint8), [0, 1]), "64 values .* got samples of 9"),
        (samples.make(np.zeros((2, 64), np.uint8)), "expected samples with labels"),
        (samples.make(np.zeros((0, 64), np.uint8), np.zeros(0, int)), "got none"),
    ],
)
def test_samples_that_the_model_does_not_learn_from_are_refused(tmp_path, data, wrong, words):
    source = home() / "examples" / "digits" / "digits_float.safetensors"
    with pytest.raises((DataError, InputError), match=words):
        convert(source, data.x_train, tmp_path / "m.safetensors", rehearse=wrong)
    assert not list(tmp_path.iterdir())


def test_the_plan_counts_them(carrying, model):
    with_them, without = (plan_report(path, []) for path in (carrying, model))
    assert with_them["rehearsal"] == 60 and without["rehearsal"] == 0
    assert with_them["rehearsal_bytes"] == 60 * (192 + 1)
    more = with_them["model_file_bytes"] - without["model_file_bytes"]
    assert more >= with_them["rehearsal_bytes"]
    from rich.console import Console

    console = Console(width=200, file=io.StringIO())
    console.print(plan_table(with_them))
    assert "11,580 of them 60 latents for replay" in console.file.getvalue()


# --- on a board -------------------------------------------------------------------------------


def test_a_fresh_board_does_not_forget(device, carrying, model, some, of_known):
    after = {}
    for path in (model, carrying):
        api.push_model(device, path)
        device.reset()
        with warnings.catch_warnings(record=True) as records:
            warnings.simplefilter("always")
            api.learn(device, some([7], 60))
        after[path] = share(api.eval(device, of_known))
        assert bool(records) == (path is model)
    assert after[carrying] > 0.9 and after[model] < 0.3


def test_they_are_there_again_after_a_reset(device, carrying, some):
    assert api.push_model(device, carrying, bits=4)["rehearsed"] == 60
    api.learn(device, some([5], 20))
    assert device.store_info()["store"]["live"] == 80
    device.reset()
    assert device.stored() == {"new": 0, "old": 60}


def test_a_board_that_holds_nothing_else_starts_a_stream(device, carrying, data, tmp_path):
    api.push_model(device, carrying, lr=0.03)
    np.savez(tmp_path / "train.npz", x=data.x_train, y=data.y_train)
    result = api.learn_stream(device, tmp_path / "train.npz", sessions="5,6", per_class=20)
    assert len(result.sessions) == 2 and "warning" not in result.summary


# --- the warning ------------------------------------------------------------------------------


def test_learning_with_an_empty_memory_warns_before_a_sample_is_sent(device, model, some):
    api.push_model(device, model, batch=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error", EngramWarning)
        words = "stored samples of the 9 classes that digits knows .* `engram rehearse DATA`"
        with pytest.raises(EngramWarning, match=words):
            api.learn(device, some([5], 20))
    assert device.store_info()["store"]["live"] == 0
    with pytest.warns(EngramWarning):
        summary = api.learn(device, some([5], 20)).summary
    assert "learning will forget them" in summary["warning"]
    assert "warning" not in api.learn(device, some([6], 20)).summary  # there is something old now


@pytest.mark.parametrize("name", ["ncm", "slda"])
def test_a_strategy_that_begins_anew_says_so(device, model, some, name):
    """Once: in the next session its means are of what it has learned."""
    api.push_model(device, model, strategy=name)
    with pytest.warns(EngramWarning, match=f"9 classes that digits knows.*{name} begins anew"):
        result = api.learn(device, some([5], 20))
    assert "begins anew" in result.summary["warning"]
    assert "warning" not in api.learn(device, some([6], 20)).summary


@pytest.mark.parametrize("how", ["finetune", "ewc", "all classes", "rehearsed", "past", "slda"])
def test_no_warning_where_nothing_is_forgotten_unawares(device, model, some, how):
    options = {"strategy": how} if how in ("finetune", "ewc", "slda") else {}
    if how == "past":
        options = {"strategy": "ncm", "strategy_options": {"past": 30}}
    api.push_model(device, model, batch=8, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", EngramWarning)
        if how == "rehearsed":
            api.rehearse(device, some(KNOWN, 4))
        whole = how in ("all classes", "slda")
        result = api.learn(device, some(range(10), 2) if whole else some([5], 8))
    assert "warning" not in result.summary


def test_a_stream_of_sessions_warns_too(device, model, data, tmp_path):
    api.push_model(device, model, batch=8)
    np.savez(tmp_path / "train.npz", x=data.x_train, y=data.y_train)
    with pytest.warns(EngramWarning, match="learning will forget them"):
        result = api.learn_stream(device, tmp_path / "train.npz", sessions="5,6", per_class=8)
    assert "learning will forget them" in result.summary["warning"]


def test_finetune_says_that_it_forgets():
    (option,) = [option for option in learn.command.params if option.name == "strategy"]
    assert "finetune learns the new samples alone, and forgets" in option.help


# --- engram rehearse --------------------------------------------------------------------------


def test_rehearsed_samples_are_stored_and_not_trained_on(device, model, some, of_known):
    api.push_model(device, model, lr=0.03)
    before = api.eval(device, of_known)
    summary = api.rehearse(device, some(KNOWN, 20)).summary
    assert summary["stored"] == 100 and summary["steps"] == 0 and summary["generation"] == 1
    assert device.stored() == {"new": 0, "old": 100} and api.eval(device) == before
    api.learn(device, some([7], 60), epochs=2)
    assert share(api.eval(device)) > 0.9


def test_no_more_is_sent_than_stays(device, model, some):
    api.push_model(device, model, budget=50)
    api.rehearse(device, some(KNOWN, 30))
    counts = np.bincount([row["label"] for row in _records(device)])
    assert counts.tolist() == [10] * 5


def _records(device):
    from engram_host.device.flash_copy import copy_region
    from engram_host.store.image import StoreImage

    image = StoreImage(copy_region(device), "the board", is_region=True)
    return [{"label": record.label} for record in image.records()]


def test_a_class_that_the_model_does_not_know_is_to_be_learned(device, model, some):
    api.push_model(device, model, known=5, classes=10)
    with pytest.raises(InputError, match="got label 7, which is new; teach it with"):
        api.rehearse(device, some([0, 7], 10))
    assert device.store_info()["store"]["live"] == 0

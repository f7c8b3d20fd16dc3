"""A board that has learned meets another model, strategy, policy, number of classes."""

import numpy as np
import pytest

from engram_host import api, boards, samples
from engram_host.convert import convert
from engram_host.device import Device
from engram_host.errors import DeviceError
from engram_host.line.link import Link
from host.conftest import QUICK


@pytest.fixture
def other(tmp_path, data):
    """A model of the same shape, with other numbers in its frozen part."""
    path = tmp_path / "other.safetensors"
    source = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    convert(source, data.x_train[data.y_train > 6], path)
    return path


@pytest.fixture
def room(device, model):
    """Flash set aside for the states of every strategy: those of ewc are the largest."""
    api.push_model(device, model, strategy="ewc", bits=8)


@pytest.fixture
def taught(device, model, some, room):
    """A board that learned three classes, and what it knew then."""
    api.push_model(device, model, lr=0.03, bits=8)
    api.learn(device, some([0, 3, 5], 30), epochs=3)
    test = some(range(6), 20)
    return api.eval(device, test, stream=True)


def again(board):
    """The board after a reset."""
    board.transport.write(b"\x03")
    return Device(Link(board.transport, timing=QUICK))


# --- a push is atomic ---------------------------------------------------------------------------


def test_a_refused_model_leaves_the_old_one_at_work(board, device, model, other, some, taught):
    files = device.files()
    with pytest.raises(DeviceError, match="its 90 samples and the state of generation 1 would be"):
        api.push_model(device, other)
    assert device.files() == files
    assert device.get("model.safetensors") == model.read_bytes()
    test = some(range(6), 20)
    assert api.eval(device, test, stream=True) == taught
    device = again(board)
    assert api.eval(device, test, stream=True) == taught
    assert device.store_info()["store"]["live"] == 90


def test_a_refused_option_at_a_push_leaves_the_old_model_at_work(device, other, some, taught):
    with pytest.raises(DeviceError):
        api.push_model(device, other, fresh=True, micro=9)
    assert api.eval(device, some(range(6), 20), stream=True) == taught
    assert "model.safetensors.new" not in device.files()


def test_fresh_lets_another_model_in(device, other, some, taught):
    result = api.push_model(device, other, fresh=True)
    assert result["session"] == 0 and device.store_info()["store"]["live"] == 0
    assert device.get("model.safetensors") == other.read_bytes()
    assert set(device.files()) == {"model.safetensors"}
    assert api.learn(device, some([5], 10), epochs=1).summary["generation"] == 1
    assert "fresh" not in device.info()["options"]


def test_reset_then_push_lets_another_model_in(device, other, taught):
    with pytest.raises(DeviceError, match="--fresh"):
        api.push_model(device, other)
    assert api.reset(device)["session"] == 0
    assert api.push_model(device, other)["session"] == 0
    assert api.push_model(device, other, bits=5)["bits"] == 5  # nothing is lost


def test_the_same_model_is_not_sent_again(device, model, taught, monkeypatch):
    names = []
    monkeypatch.setattr(device.link, "put", lambda name, *rest: names.append(name))
    api.push_model(device, model, lr=0.01)
    assert names in ([], ["model.safetensors"])


def test_a_cut_between_the_old_model_and_the_new_one_is_mended(board, device, model, some, taught):
    """A file system without an atomic rename: the old file is gone, the new one has its name not
    yet."""
    device.put("model.safetensors.new", model.read_bytes())
    device.remove("model.safetensors")
    device = again(board)
    assert api.eval(device, some(range(6), 20), stream=True) == taught
    assert set(device.files()) == {"model.safetensors"}


# --- what is kept -------------------------------------------------------------------------------

STRATEGIES = ("replay", "lwf", "replay_lwf", "ewc", "cwr", "ar1", "head", "finetune")


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
def test_another_strategy_goes_on_from_what_was_learned(
    board, device, model, some, taught, strategy
):
    result = api.push_model(device, model, lr=0.03, strategy=strategy)
    assert result["session"] == 1 and result["seen"] == 90
    assert device.store_info()["store"]["live"] == 90
    after = api.eval(device, some(range(6), 20), stream=True)
    if strategy not in ("cwr", "ar1"):  # these take the mean off the head's rows
        assert after == taught
    assert after["correct"] >= taught["correct"] - 6
    learned = api.learn(device, some([1], 20), epochs=2).summary
    assert learned["generation"] == 2 and learned["session"] == 2
    device = again(board)
    assert device.need_open()["strategy"] == strategy
    assert api.push_model(device, model, lr=0.03, strategy="replay")["session"] == 2


def test_a_strategy_whose_state_has_no_room_is_refused_in_words(device, model, some):
    api.push_model(device, model, bits=8)
    api.learn(device, some([5], 10), epochs=1)
    words = "expected 49152 bytes of flash per saved state.*got 20480.*its 10 samples.*--fresh"
    with pytest.raises(DeviceError, match=words):
        api.push_model(device, model, strategy="ewc")
    assert device.need_open()["strategy"] == "replay"
    assert api.push_model(device, model, strategy="ewc", fresh=True)["strategy"] == "ewc"


def test_flash_is_set_aside_anew_where_nothing_would_be_lost(device, model):
    capacities = []
    for strategy in ("replay", "slda", "replay"):
        api.push_model(device, model, strategy=strategy)
        capacities.append(device.store_info()["store"]["capacity"])
    assert capacities[0] > capacities[1] == capacities[2]


@pytest.mark.parametrize("strategy", ["ncm", "slda"])
def test_strategies_of_means_keep_samples_and_sessions(device, model, some, taught, strategy):
    result = api.push_model(device, model, strategy=strategy)
    assert result["session"] == 1 and device.store_info()["store"]["live"] == 90
    assert api.learn(device, some([1, 2], 20)).summary["session"] == 2


@pytest.mark.parametrize("policy", ["flash_balanced", "reservoir", "herding"])
def test_another_policy_goes_on_from_what_was_learned(device, model, some, taught, policy):
    result = api.push_model(device, model, lr=0.03, policy=policy, budget=200)
    assert result["policy"] == policy and result["session"] == 1
    assert api.eval(device, some(range(6), 20), stream=True) == taught
    assert api.learn(device, some([1], 20), epochs=1).summary["generation"] == 2
    result = api.push_model(device, model, lr=0.03, policy="balanced")
    assert result["session"] == 2 and device.store_info()["store"]["live"] == 110


def test_another_budget_is_reached_when_a_session_ends(device, model, some, taught):
    assert api.push_model(device, model, budget=40)["budget"] == 40
    assert device.store_info()["store"]["live"] == 90
    api.learn(device, some([1], 20), epochs=1)
    assert device.store_info()["store"]["live"] == 40


def test_other_bits_are_refused_in_words_and_fresh_takes_them(device, model, some, taught):
    words = "of 4 bits.*got one of.*8 bits.*its 90 samples.*--fresh"
    with pytest.raises(DeviceError, match=words):
        api.push_model(device, model, bits=4)
    assert api.eval(device, some(range(6), 20), stream=True) == taught
    assert api.push_model(device, model, bits=4, fresh=True)["bits"] == 4


@pytest.mark.parametrize("strategy", ["replay", "replay_lwf", "ewc", "cwr", "ncm", "slda"])
def test_a_late_eleventh_class_makes_the_head_grow(board, device, model, some, strategy):
    more = {"strategy": strategy, "bits": 8, "lr": 0.03}
    api.push_model(device, model, **more)
    api.learn(device, some(range(10), 20), epochs=2)
    before = api.eval(device, some(range(10), 10), stream=True)
    late = samples.make(255 - some([0], 30).x, np.full(30, 10))
    result = api.learn(device, late, epochs=3)
    assert device.info()["learner"]["classes"] == device.info()["learner"]["known"] == 11
    assert result.summary["session"] == 2 and device.info()["learner"]["seen"] == 230
    after = api.eval(device, late, stream=True)
    assert after["right"][10] > 20
    if strategy != "ewc":
        scores = api.eval(device, some(range(10), 10), stream=True)
        assert scores["correct"] > 0.7 * before["correct"]
    device = again(board)
    assert device.need_open()["classes"] == 11


def test_more_room_alone_changes_no_answer(device, model, some, taught):
    for classes in (11, 40, 12):
        assert api.push_model(device, model, lr=0.03, classes=classes)["classes"] == classes
        after = api.eval(device, some(range(6), 20), stream=True)
        assert after["right"][:6] == taught["right"][:6]
        api.learn(device, some([5], 2), epochs=1)
        taught = api.eval(device, some(range(6), 20), stream=True)


def test_less_room_than_classes_that_were_learned_is_refused_in_words(device, model, some):
    api.push_model(device, model, bits=8)
    late = samples.make(255 - some([0], 10).x, np.full(10, 11))
    api.learn(device, late, epochs=1)
    with pytest.raises(DeviceError, match="room for the 12 classes.*got 10; open .*classes=12"):
        api.push_model(device, model, classes=10)
    assert device.need_open()["known"] == 12

"""A policy that does not store every sample, from the host: chosen by name, and nothing silent."""

import numpy as np
import pytest

from engram.store import RamFlash
from engram_host import api, samples
from engram_host.device import Device
from engram_host.errors import DeviceError
from engram_host.learning import log
from engram_host.line.link import Link
from host.conftest import QUICK
from link.fake_board import BoardFacts, FakeBoard

# Two erase units of the board in tests hold so few digits that the policy soon has to choose.
CHOSEN = {"policy": "flash_balanced", "budget": "16kB"}


def test_a_session_tells_how_many_samples_were_stored(device, model, some, tmp_path):
    facts = api.push_model(device, model, **CHOSEN)
    assert facts["policy"] == "flash_balanced"
    summary = api.learn(device, some(range(6), 90), log=tmp_path / "a.jsonl").summary
    store = device.store_info()["store"]
    assert summary["samples"] == 540 and 0 < summary["stored"] < 540
    assert summary["stored"] == store["appended"] == store["live"] + store["dropped"]
    learner = device.info()["learner"]
    assert learner["seen"] == 540 and learner["skipped"] == 540 - summary["stored"]
    record = next(row for row in log.read(tmp_path / "a.jsonl") if row["kind"] == "observe")
    assert (record["samples"], record["stored"]) == (540, summary["stored"])


def test_it_goes_on_where_it_was_saved(board, device, model, some):
    api.push_model(device, model, **CHOSEN)
    api.learn(device, some(range(6), 90))
    api.push_model(device, model, **CHOSEN)  # opens it again
    summary = api.learn(device, some(range(6), 20)).summary
    assert summary["stored"] < 120
    assert device.info()["learner"]["seen"] == 660


@pytest.fixture
def small_device(tmp_path, monkeypatch):
    """A board with room for far fewer digits than there are."""
    root = tmp_path / "small"
    root.mkdir()
    fake = FakeBoard(BoardFacts(root, RamFlash(20, 4096, 256)))
    monkeypatch.chdir(tmp_path)
    yield Device(Link(fake.transport, timing=QUICK))
    fake.close()


def test_a_stream_may_be_larger_than_the_flash(small_device, model, data, tmp_path):
    np.savez(tmp_path / "all.npz", x=data.x_train, y=data.y_train)
    api.push_model(small_device, model, policy="flash_balanced")
    result = api.learn_stream(small_device, tmp_path / "all.npz", sessions="0-4,5-9").summary
    store = small_device.store_info()["store"]
    assert result["samples"] == len(data.y_train) > 2 * store["capacity"] > 0
    assert small_device.info()["learner"]["seen"] == len(data.y_train)
    result = api.push_model(small_device, model, policy="reservoir")
    assert result["policy"] == "reservoir" and result["session"] == 2


@pytest.mark.parametrize("policy", ["balanced", "ecbrs", "herding", "random", "reservoir"])
def test_a_stream_may_be_larger_than_the_flash_with_every_policy(
    small_device, model, data, tmp_path, policy
):
    np.savez(tmp_path / "all.npz", x=data.x_train, y=data.y_train)
    api.push_model(small_device, model, policy=policy, lr=0.03)
    run = api.learn_stream(small_device, tmp_path / "all.npz", sessions="0-4,5-9", epochs=5)
    store = small_device.store_info()["store"]
    assert run.summary["samples"] == len(data.y_train) > 2 * store["capacity"] > 0
    for session in run.sessions:
        assert store["capacity"] * 3 // 8 <= session.summary["stored"] < session.summary["samples"]
    learner = small_device.info()["learner"]
    assert learner["seen"] == len(data.y_train) and store["live"] == learner["budget"]
    test = samples.make(data.x_test, data.y_test)
    assert api.eval(small_device, test, stream=True)["accuracy"] > 0.6


def test_a_session_may_be_larger_than_the_flash(small_device, model, data):
    """3,000 samples into room for 200 and some, as one session and at the REPL's observe()."""
    api.push_model(small_device, model)
    capacity = small_device.store_info()["store"]["capacity"]
    many = samples.make(
        np.concatenate([data.x_train, data.x_train, data.x_train])[:3000],
        np.concatenate([data.y_train, data.y_train, data.y_train])[:3000],
    )
    summary = api.learn(small_device, many).summary
    assert summary["samples"] == 3000 > 8 * capacity
    assert small_device.info()["learner"]["skipped"] == 3000 - summary["stored"] > 0


def test_every_sample_is_stored_by_other_policies(device, model, some):
    api.push_model(device, model, policy="reservoir")
    summary = api.learn(device, some([5], 20)).summary
    assert summary["stored"] == summary["samples"] == 20


def test_a_budget_below_two_units_is_refused(device, model):
    with pytest.raises(DeviceError, match="two erase units"):
        api.push_model(device, model, policy="flash_balanced", budget=10)

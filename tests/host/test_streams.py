"""Streams of sessions: how they are cut, how a board learns them, what is written down."""

import json

import numpy as np
import pytest

from engram_host import api
from engram_host.errors import InputError, Stopped
from engram_host.learning import log, streams

X = np.arange(40, dtype=np.uint8).reshape(20, 2)
Y = np.arange(20) % 5
ROOM = np.array([3, 1] * 10)


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.fixture
def file(tmp_path):
    return save(tmp_path / "data.npz", x=X, y=Y, room=ROOM)


# --- cutting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("0-4,5,6", [[0, 1, 2, 3, 4], [5], [6]]),
        ("0+2, 1", [[0, 2], [1]]),
        ("7", [[7]]),
        ("0-1+5", [[0, 1, 5]]),
    ],
)
def test_groups(text, result):
    assert streams.groups(text) == result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected sessions as 0-4,5,6"),
        ("0,,1", "expected sessions as 0-4,5,6"),
        ("a", "expected sessions as 0-4,5,6"),
        ("4-0", "range that goes up, got '4-0'; write 0-4"),
        ("0-3,2", "got 2 in two of"),
    ],
)
def test_what_is_no_group_is_told(text, words):
    with pytest.raises(InputError, match=words):
        streams.groups(text)


def test_names_of_groups():
    assert [streams.group_name(g) for g in ([0, 1, 2], [5], [7, 9])] == ["0-2", "5", "7+9"]


def test_classes_that_come_one_after_the_other(file):
    stream = streams.load(file, sessions="0-1,4,3", test=file)
    assert stream.protocol == "class"
    assert [t.name for t in stream.sessions] == [t.name for t in stream.tests] == ["0-1", "4", "3"]
    assert [sorted(set(t.samples.labels)) for t in stream.sessions] == [[0, 1], [4], [3]]
    assert len(stream.sessions[0].samples) == 8
    assert np.array_equal(stream.sessions[1].samples.x, X[Y == 4])


def test_domains_are_tested_one_by_one(file):
    stream = streams.load(file, field="room", test=file)
    assert stream.protocol == "domain"
    assert [t.name for t in stream.sessions] == ["room 1", "room 3"]
    assert [t.name for t in stream.tests] == ["room 1", "room 3"]
    assert np.array_equal(stream.sessions[1].samples.x, X[ROOM == 3])
    assert [t.name for t in streams.load(file, field="room", sessions="3,1").sessions] == [
        "room 3",
        "room 1",
    ]


def test_instances_are_tested_together(file, tmp_path):
    test = save(tmp_path / "test.npz", x=X[:6], y=Y[:6])
    stream = streams.load(file, field="room", test=test)
    assert stream.protocol == "instance"
    assert [(t.name, len(t.samples)) for t in stream.tests] == [("all", 6)]


def test_a_draw_is_balanced_and_the_same_again(file):
    def drawn(seed):
        return streams.load(file, sessions="0-1,2", per_class=2, seed=seed).sessions[0].samples

    assert sorted(drawn(1).labels.tolist()) == [0, 0, 1, 1]
    assert np.array_equal(drawn(1).x, drawn(1).x)
    assert any(not np.array_equal(drawn(1).x, drawn(seed).x) for seed in (2, 3, 4))


def test_what_cannot_be_cut_is_told(file, tmp_path):
    for wrong, words in (
        ({"sessions": "0,9"}, "expected samples of class 9, got none; leave it out"),
        ({"field": "room", "sessions": "1,2"}, "expected samples of room = 2, got none"),
        ({"field": "speaker"}, "expected an array 'speaker'.*got x, y, room"),
        ({}, "expected sessions as groups of classes or a field"),
    ):
        with pytest.raises(InputError, match=words):
            streams.load(file, **wrong)
    short = save(tmp_path / "s.npz", x=X, y=Y, room=ROOM[:3])
    with pytest.raises(InputError, match="expected 'room' with 20 integers"):
        streams.load(short, field="room")
    with pytest.raises(InputError, match="expected labelled samples, got samples without labels"):
        streams.load(file, sessions="0,1", test=save(tmp_path / "t.npz", x=X))


# --- learning -----------------------------------------------------------------------------------

STREAM = {"sessions": "0-4,5,6", "per_class": 30, "test_per_class": 12, "known_first": True}


@pytest.fixture
def digits(tmp_path, data):
    train = save(tmp_path / "train.npz", x=data.x_train, y=data.y_train)
    test = save(tmp_path / "test.npz", x=data.x_test, y=data.y_test)
    return {"data": train, "test": test}


def test_a_board_learns_a_stream_of_sessions_and_measures_itself(device, model, digits):
    api.push_model(device, model, lr=0.03, lr_decay=0.0)
    seen = []
    run = api.learn_stream(
        device, **digits, **STREAM, epochs=3, budget=100, fresh=True, bits=4, on_test=seen.append
    )
    summary = run.summary
    matrix = np.array(summary["matrix"])
    assert matrix.shape == (3, 3) and summary["protocol"] == "class" and summary["bits"] == 4
    assert matrix[0, 0] > 0.9 and matrix[0, 1] == 0  # five is not known yet
    assert matrix[2].min() > 0.7, matrix
    assert summary["average_accuracy"] == pytest.approx(matrix[2].mean(), abs=1e-6)
    last = [r for r in seen if r["after"] == 2]
    assert summary["accuracy"] == sum(r["correct"] for r in last) / (12 * 7)
    drop = np.mean([matrix[:2, j].max() - matrix[2, j] for j in range(2)])
    assert summary["forgetting"] == pytest.approx(drop, abs=1e-6)
    own = np.mean([matrix[2, j] - matrix[j, j] for j in range(2)])
    assert summary["backward_transfer"] == pytest.approx(own, abs=1e-6)
    assert summary["forward_transfer"] == pytest.approx(
        np.mean([matrix[j - 1, j] - summary["start"][j] for j in (1, 2)]), abs=1e-6
    )
    assert [len(s.steps) > 0 for s in run.sessions] == [False, True, True]
    assert (
        summary["samples"] == 100 + 30 + 30
    )  # of the known session no more than the budget holds
    assert summary["replay_records"] == 100
    records = list(log.read(run.log))
    kinds = [r["kind"] for r in records if r["kind"] != "step"]
    sessions = ["begin", "observe", "summary", *["evaluation"] * 3] * 3
    assert kinds == ["stream", *["evaluation"] * 3, *sessions, "metrics"]
    assert records[-1] == summary
    for record in records:
        if record["kind"] == "evaluation":
            row = summary["start"] if record["after"] < 0 else summary["matrix"][record["after"]]
            assert record["accuracy"] == pytest.approx(row[record["test"]], abs=1e-6)
            assert record["n"] == 12 * (5 if record["test"] == 0 else 1)
    assert len(seen) == 12
    assert records[0]["learner"]["strategy"] == "replay"
    assert list(log.read(run.log, follow=True)) == records


@pytest.mark.parametrize("protocol", ["class", "domain", "instance"])
def test_a_report_shows_the_matrix_and_the_metrics(device, model, data, tmp_path, protocol):
    """Of every protocol: the figures in the page are those that the board told."""
    room = np.arange(len(data.x_train)) % 3
    train = save(tmp_path / "train.npz", x=data.x_train, y=data.y_train, room=room)
    where = {"room": np.arange(len(data.x_test)) % 3} if protocol == "domain" else {}
    test = save(tmp_path / "test.npz", x=data.x_test, y=data.y_test, **where)
    cut = {"sessions": "0-3,4-6,7+9"} if protocol == "class" else {"field": "room"}
    api.push_model(device, model, lr=0.03)
    run = api.learn_stream(
        device, train, test=test, **cut, per_class=5, test_per_class=4, epochs=2
    )
    assert run.summary["protocol"] == protocol
    paths = api.report(run.log, tmp_path / "report")
    page = paths["report"].read_text()
    for row in run.summary["matrix"]:
        for value in row:
            assert f"<td>{value:.1%}</td>" in page
    for key in ("average_accuracy", "forgetting", "backward_transfer", "forward_transfer"):
        value = run.summary[key]
        assert value is None or f"<td>{value:.1%}</td>" in page
    assert f"{protocol}-incremental" in page and "replay" in page
    names = {path.name for path in paths["pictures"]}
    assert {"stream_accuracy.png", "stream_matrix.png", "loss.png"} <= names


def test_fine_tuning_forgets_what_replay_keeps(device, model, digits):
    api.push_model(device, model, lr=0.03)
    summary = api.learn_stream(device, **digits, **STREAM, epochs=5, budget=150).summary
    forgetful = api.learn_stream(
        device, **digits, **STREAM, epochs=5, strategy="finetune", fresh=True
    ).summary
    assert forgetful["forgetting"] > summary["forgetting"] + 0.3


def test_a_budget_in_bytes_is_flash_that_the_records_take(device, model, digits):
    api.push_model(device, model, budget="10kB", bits=4)
    result = api.learn_stream(device, **digits, sessions="0-4,5", per_class=20).summary
    assert 0.95 * 10_000 < result["replay_bytes"] <= 10_000
    result = api.learn_stream(device, **digits, sessions="0,5", per_class=20, budget=7, fresh=True)
    assert result.summary["replay_records"] == 7


def test_a_stream_goes_on_from_what_was_learned_before(device, model, digits, some):
    """By a session without sessions: the classes that it brought are tested with the new ones."""
    api.push_model(device, model, lr=0.03)
    api.learn(device, some([0, 1, 2, 3, 4], 20), epochs=1)
    messages = []
    more = {"per_class": 30, "epochs": 3, "say": messages.append}
    result = api.learn_stream(device, **digits, sessions="5,6", **more)
    assert messages == ["goes on from what was learned in 1 session"]
    summary = result.summary
    assert summary["sessions"] == summary["tests"] == ["0-4", "5", "6"] and summary["diagonal"]
    assert np.array(summary["matrix"]).shape == (3, 3) and len(result.sessions) == 2
    before, after = summary["matrix"][0], summary["matrix"][2]
    assert before[0] > 0.8 and before[1:] == [0, 0] and after[2] > 0.5
    expected = (max(row[0] for row in summary["matrix"][:2]) - after[0]) + (
        max(row[1] for row in summary["matrix"][:2]) - after[1]
    )
    assert summary["forgetting"] == pytest.approx(expected / 2)


def test_streams_come_one_after_the_other(device, model, digits):
    api.push_model(device, model, lr=0.03)
    first = api.learn_stream(device, **digits, sessions="0-4", per_class=20, known_first=True)
    assert first.summary["tests"] == ["0-4"]
    second = api.learn_stream(device, **digits, sessions="5,7", per_class=30, epochs=3).summary
    assert second["tests"] == ["0-4", "5", "7"] and len(second["matrix"]) == 3
    assert second["matrix"][0][0] == first.summary["matrix"][0][0]  # where the first one ended
    assert device.info()["learner"]["session"] == 3
    third = api.learn_stream(device, **digits, sessions="6", per_class=30, epochs=3).summary
    assert third["tests"] == ["0+1+2+3+4+5+7", "6"] and len(third["matrix"]) == 2
    assert third["samples"] == 30 and device.info()["learner"]["session"] == 4
    again = api.learn_stream(device, **digits, sessions="6", per_class=30, epochs=3).summary
    assert again["samples"] == 0 and again["matrix"] == third["matrix"]  # it is learned


def test_a_later_stream_without_tests_has_no_matrix(device, model, digits):
    del digits["test"]
    api.push_model(device, model)
    api.learn_stream(device, **digits, sessions="0-4", per_class=5)
    result = api.learn_stream(device, **digits, sessions="5,7", per_class=5)
    assert result.summary["sessions"] == ["5", "7"] and len(result.sessions) == 2
    assert device.stream()["done"] == 2 and device.info()["learner"]["session"] == 3


def test_a_session_may_be_larger_than_the_flash(device, model, data, tmp_path):
    """The policy makes room while samples come; how many were stored is told."""
    api.push_model(device, model, bits=8)
    capacity = device.store_info()["store"]["capacity"]
    x, y = (np.concatenate([part, part]) for part in (data.x_train, data.y_train))
    twice = save(tmp_path / "twice.npz", x=x, y=y)
    assert capacity < len(x)
    result = api.learn_stream(device, twice, sessions="0,1-9", budget=200, batch=64)
    last = result.sessions[-1].summary
    assert last["samples"] > last["stored"] and device.store_info()["store"]["live"] == 200
    assert device.info()["learner"]["seen"] == len(x)


def test_ctrl_c_in_a_stream_leaves_a_whole_log(device, model, digits):
    import os
    import signal

    api.push_model(device, model)

    def press(step):
        if step["step"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="stopped after step 3"):
        api.learn_stream(device, **digits, **STREAM, on_step=press)
    records = list(log.read(log.latest(), follow=True))
    assert records[-1]["kind"] == "metrics" and records[-1]["stopped"] is True
    assert json.dumps(records)

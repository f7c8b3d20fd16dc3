"""A stream on virtual boards whose process is killed: it goes on to the same matrix."""

import numpy as np
import pytest

from engram_host import api, boards, build, virtual
from engram_host.errors import LinkLost, PortError

pytestmark = pytest.mark.board

STREAM = {"sessions": "0-4,5,6,7", "per_class": 20, "test_per_class": 5, "known_first": True}
LEARNER = {"epochs": 1, "lr": 0.03, "budget": 60, "batch": 8}
OPENED = {"bits": 4, "strategy": "replay"}


@pytest.fixture
def stream(tmp_path, data, monkeypatch):
    """Arguments of the stream; boards of this test's own."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name, x, y in (("train", data.x_train, data.y_train), ("test", data.x_test, data.y_test)):
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    return {"data": tmp_path / "train.npz", "test": tmp_path / "test.npz", **STREAM, **LEARNER}


@pytest.fixture(params=["unix", "qemu_m4f"])
def name(request, stream):
    board = boards.load(request.param)
    if not board.artefact.exists():
        build.build(board)
    yield request.param
    virtual.stop(request.param)


def learn(name, stream, **more):
    with api.connect(name) as board:
        return api.learn_stream(board, **stream, **OPENED, **more)


def blank(name, model):
    virtual.stop(name)
    api.start(name, fresh=True)
    with api.connect(name) as board:
        api.push_model(board, model, **OPENED)


def test_a_board_killed_after_session_2_of_4_ends_with_the_same_matrix(name, model, stream):
    blank(name, model)
    expected = learn(name, stream).summary

    def kill_after_2(record):
        if (record["after"], record["test"]) == (1, 3):
            virtual.kill(name)

    def kill_in_learning(record):
        if record["step"] == 2:
            virtual.kill(name)

    blank(name, model)
    messages = []
    for callback in ({"on_test": kill_after_2}, {"on_step": kill_in_learning}):
        with pytest.raises((LinkLost, PortError)):
            learn(name, stream, say=messages.append, **callback)
    summary = learn(name, stream, say=messages.append).summary
    assert messages == ["goes on after 2 of 4 sessions"] * 2
    assert summary["matrix"] == expected["matrix"] and len(summary["matrix"]) == 4
    assert summary["start"] == expected["start"]
    for key in ("accuracy", "forgetting", "backward_transfer", "forward_transfer"):
        assert summary[key] == expected[key]

"""A stream that is cut off goes on where it was, to the result that it would have had."""

import numpy as np
import pytest

from engram.store import RamFlash
from engram_host import api
from engram_host.device import Device
from engram_host.errors import DeviceError, InputError
from engram_host.line.link import Link, Timing
from link.fake_board import BoardFacts, FakeBoard

QUICK = Timing(resend=0.2, resend_most=1.0, silence=20, hello=0.25, prompt=1.0)
SESSIONS = 4
STREAM = {"sessions": "0-4,5,6,7", "per_class": 30, "test_per_class": 12, "known_first": True}
OPENED = {"bits": 4}
LEARNER = {"epochs": 2, "lr": 0.03, "budget": 100, "bits": 4}


class Cut(Exception):
    """The host dies here."""


class Power:
    """A board that can lose its power: what is in RAM is gone, flash and files stay."""

    def __init__(self, root, blocks):
        root.mkdir()
        self.root, self.flash = root, RamFlash(blocks, 4096, 256)
        self.board = self.device = None

    def on(self):
        self.off()
        self.board = FakeBoard(BoardFacts(self.root, self.flash))
        self.device = Device(Link(self.board.transport, timing=QUICK))
        return self.device

    def off(self):
        if self.board:
            self.board.close()
            self.board = None


@pytest.fixture
def power(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boards = []

    def make(name, blocks=96):
        boards.append(Power(tmp_path / name, blocks))
        return boards[-1]

    yield make
    for board in boards:
        board.off()


@pytest.fixture
def digits(tmp_path, data):
    for name, x, y in (("train", data.x_train, data.y_train), ("test", data.x_test, data.y_test)):
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    return {"data": tmp_path / "train.npz", "test": tmp_path / "test.npz"}


def run(device, digits, **more):
    return api.learn_stream(device, **{**digits, **STREAM, **LEARNER, **more})


def cut_in_learning(session, step):
    """Arguments of a stream that is cut at a step of the session of a session (1: the first that
    is trained)."""
    seen = []

    def on_step(record):
        seen.append(record["step"])
        if seen.count(1) == session and record["step"] == step:
            raise Cut

    return {"on_step": on_step}


def cut_in_testing(after, test):
    def on_test(record):
        if (record["after"], record["test"]) == (after, test):
            raise Cut

    return {"on_test": on_test}


@pytest.mark.parametrize("strategy", ["replay", "ar1", "slda"])
@pytest.mark.parametrize("reset", [True, False], ids=["power cut", "host gone"])
def test_a_stream_goes_on_to_the_result_of_the_uncut_one(power, model, digits, strategy, reset):
    whole, parts = power("whole"), power("parts")
    api.push_model(whole.on(), model, **OPENED, strategy=strategy)
    expected = run(whole.device, digits, strategy=strategy).summary
    api.push_model(parts.on(), model, **OPENED, strategy=strategy)
    messages, points = [], []
    cuts = [
        cut_in_testing(-1, 2),
        cut_in_testing(0, 3),
        cut_in_learning(1, 2),
        cut_in_testing(1, SESSIONS - 1),  # after session 2 of 4
        cut_in_learning(1, 3),  # counted from where it goes on
        cut_in_testing(SESSIONS - 1, 1),
    ]
    for cut in cuts:
        with pytest.raises(Cut):
            run(parts.device, digits, strategy=strategy, say=messages.append, **cut)
        if reset:
            parts.on()
        points.append(parts.device.stream()["done"] if not reset else None)
    result = run(parts.device, digits, strategy=strategy, say=messages.append)
    for key in ("matrix", "start", "average_accuracy", "forgetting", "backward_transfer"):
        assert result.summary[key] == expected[key], key
    assert result.summary["accuracy"] == expected["accuracy"]
    assert np.array(expected["matrix"]).shape == (SESSIONS, SESSIONS)
    assert messages[-1] == f"goes on after {SESSIONS} of {SESSIONS} sessions"
    assert f"goes on after 2 of {SESSIONS} sessions" in messages
    states = [p.device.info()["learner"] for p in (whole, parts)]
    assert states[0]["steps"] == states[1]["steps"]
    assert states[0]["session"] == states[1]["session"] == SESSIONS


@pytest.mark.parametrize("frames", [0, 1])
def test_samples_that_the_board_has_are_not_sent_again(power, model, digits, monkeypatch, frames):
    whole, parts = power("whole"), power("parts")
    api.push_model(whole.on(), model, **OPENED)
    expected = run(whole.device, digits, per_class=90).summary
    api.push_model(parts.on(), model, **OPENED)
    send, frames_sent = Device.observe_quietly, []

    def cut(self, samples):
        if len(frames_sent) == 2 + frames:
            raise Cut  # of the second session, after so many portions of it
        frames_sent.append(len(samples))
        return send(self, samples)

    monkeypatch.setattr(Device, "observe_quietly", cut)
    with pytest.raises(Cut):
        run(parts.device, digits, per_class=90)
    monkeypatch.undo()
    monkeypatch.chdir(parts.root.parent)
    result = run(parts.on(), digits, per_class=90)
    assert frames_sent == [64, 36, 64][: 2 + frames]
    assert result.sessions[0].summary["samples"] == 90
    assert result.summary["matrix"] == expected["matrix"]
    assert result.summary["replay_records"] == expected["replay_records"]


def test_another_stream_is_refused_and_fresh_starts_over(power, model, digits):
    board = power("board")
    api.push_model(board.on(), model, **OPENED)
    with pytest.raises(Cut):
        run(board.device, digits, **cut_in_testing(1, 0))
    for other in ({"sessions": "0-4,6,5,7"}, {"seed": 2}, {"epochs": 3}, {"lr": 0.02}):
        with pytest.raises(InputError, match="middle of .2 of 4 sessions learned.*--fresh to"):
            run(board.device, digits, **other)
    result = run(board.device, digits, fresh=True)
    assert len(result.sessions) == SESSIONS and result.summary["start"][0] > 0.8


def test_a_policy_that_stores_a_choice_cannot_say_how_far_it_is(power, model, digits):
    board = power("board")
    api.push_model(board.on(), model, **OPENED, policy="flash_balanced", budget=600)
    more = {"policy": "flash_balanced", "budget": 600}
    with pytest.raises(Cut):
        run(board.device, digits, **more, **cut_in_testing(1, 0))
    board.on()
    messages = []
    result = run(board.device, digits, **more, say=messages.append)  # nothing of a session came
    assert messages == ["goes on after 2 of 4 sessions"] and len(result.sessions) == 2


def cut_in_sending(monkeypatch, portions):
    """The host dies after so many portions of samples."""
    send, frames_sent = Device.observe_quietly, []

    def cut(self, samples):
        if len(frames_sent) == portions:
            raise Cut
        frames_sent.append(len(samples))
        return send(self, samples)

    monkeypatch.setattr(Device, "observe_quietly", cut)


@pytest.mark.parametrize("policy", ["flash_balanced", "balanced", "reservoir"])
def test_a_session_whose_samples_are_chosen_from_begins_again(
    power, model, digits, monkeypatch, policy
):
    """Which samples the board has was its choice: those of the session are sent anew."""
    board = power("board", blocks=16)
    more = {"policy": policy, "budget": 60, "per_class": 140, "bits": 8}
    api.push_model(board.on(), model, bits=8)
    cut_in_sending(monkeypatch, 3)  # of the second session, which has more than there is room for
    with pytest.raises(Cut):
        run(board.device, digits, **more)
    monkeypatch.undo()
    monkeypatch.chdir(board.root.parent)
    messages = []
    result = run(board.on(), digits, **more, say=messages.append)
    assert messages[0].startswith("begins the session under way again: its ")
    assert result.summary["samples"] == 3 * 140  # the first session was learned
    assert board.device.stream()["done"] == SESSIONS


def test_an_interrupted_stream_can_be_left_for_another(power, model, digits):
    board = power("board")
    api.push_model(board.on(), model, **OPENED)
    with pytest.raises(Cut):
        run(board.device, digits, **cut_in_testing(1, 0))
    other = {"sessions": "6,7", "known_first": False}
    with pytest.raises(InputError, match="--abandon to leave it"):
        run(board.device, digits, **other)
    result = run(board.device, digits, **other, abandon=True)
    assert result.summary["tests"] == ["0-5", "6", "7"] and len(result.sessions) == 2


@pytest.mark.parametrize("reset", [True, False], ids=["power cut", "host gone"])
def test_a_later_stream_goes_on_to_the_result_of_the_uncut_one(power, model, digits, reset):
    whole, parts = power("whole"), power("parts")
    first, later = {"sessions": "0-4"}, {"sessions": "5,6,7", "known_first": False}
    for board in (whole, parts):
        api.push_model(board.on(), model, **OPENED)
        run(board.device, digits, **first)
    expected = run(whole.device, digits, **later).summary
    for cut in (cut_in_testing(0, 2), cut_in_learning(2, 2), cut_in_testing(2, 1)):
        with pytest.raises(Cut):
            run(parts.device, digits, **later, **cut)
        if reset:
            parts.on()
    messages = []
    result = run(parts.device, digits, **later, say=messages.append)
    assert messages == ["goes on after 2 of 3 sessions"]
    assert result.summary["matrix"] == expected["matrix"]
    assert result.summary["forgetting"] == expected["forgetting"]


def test_tests_that_the_board_keeps_fill_the_matrix(device, model, digits, some, data):
    """A test at a time, stored there, gives the figures of the ones that are sent."""
    api.push_model(device, model, lr=0.03)
    summary = api.learn_stream(device, **digits, **STREAM, epochs=2).summary
    api.push_model(device, model, lr=0.03)
    device.reset()
    from engram_host.learning import streams

    stream = streams.load(
        **digits, sessions=STREAM["sessions"], per_class=30, test_per_class=12, seed=1
    )
    for j, test in enumerate(stream.tests):
        api.push_data(device, test.samples, name=f"t{j}")
        api.eval(device, name=f"t{j}", session=j)
    assert api.metrics(device)["start"] == summary["start"]
    assert api.metrics(device)["matrix"] == []
    api.learn(device, some([5], 20))
    row = [api.eval(device, name=f"t{j}", session=j)["accuracy"] for j in range(SESSIONS)]
    assert api.metrics(device)["matrix"] == [row]
    for j, test in enumerate(stream.tests):
        assert api.eval(device, test.samples, stream=True, session=j)["accuracy"] == row[j]
    assert api.metrics(device)["matrix"] == [row]
    with pytest.raises(DeviceError, match="expected a session from 0 to 255, got 256"):
        api.eval(device, name="t0", session=256)

"""Models that regress, over the link: what goes over the line, what is learned, what is told."""

import json
import re
import struct
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engram.link import wire
from engram.progress import show
from engram_host import api, samples
from engram_host.device import Device
from engram_host.errors import DeviceError, InputError
from engram_host.learning import log
from engram_host.line.link import Link
from engram_host.progress import Silent
from engram_host.report import log_page
from host.command import run
from host.conftest import QUICK
from host.regression_model import arrays, some, write

BOTH = ("classes", "place", "size")


@pytest.fixture
def opened(device, tmp_path):
    """opened(outputs, options): a device with a model that has these outputs."""

    def push(*outputs, **options):
        device.link.call("store_format")  # a test may open one model after another
        api.push_model(device, write(tmp_path / "plane.safetensors", *outputs), **options)
        return device

    return push


@pytest.fixture
def sent(device, monkeypatch):
    """(sink, bytes of samples, keys of the answer) of each SAMPLES frame."""
    request, frames = device.link.request, []

    def listening(kind, payload=b""):
        answer = request(kind, payload)
        if kind == wire.SAMPLES:
            frames.append((payload[0], payload[5:], sorted(json.loads(answer[1]))))
        return answer

    monkeypatch.setattr(device.link, "request", listening)
    return frames


# --- what is learned ----------------------------------------------------------------------------


def test_a_board_learns_to_regress(opened):
    device = opened("place", batch=8, optimiser="adam", lr=0.02)
    test = some(60, "place", seed=2)
    before = api.eval(device, test, stream=True)
    learned = api.learn(device, some(120, "place"), epochs=6)
    after = api.eval(device, test)
    assert after["n"] == 60 and after["mse"] < 0.1 * before["mse"] and after["mse"] < 0.01
    assert set(after) == {"n", "mse", "mae"}
    assert learned.summary["last_loss"] < learned.summary["first_loss"]
    assert {step["acc"] for step in learned.steps} == {None}
    assert learned.summary["last_acc"] is None


def test_a_board_learns_classes_and_values_together(opened):
    device = opened(*BOTH, batch=8, optimiser="adam", lr=0.02)
    api.learn(device, some(150, *BOTH), epochs=8)
    result = api.eval(device, some(60, *BOTH, seed=2))
    assert result["accuracy"] > 0.8 and result["correct"] == sum(result["right"])
    assert result["place"]["mse"] < 0.02 and result["size"]["mse"] < 0.02
    assert result["n"] == result["place"]["n"] == sum(result["total"]) == 60


@pytest.mark.parametrize("outputs", [("place",), ("size", "place"), BOTH])
def test_streamed_samples_score_as_those_on_the_board(opened, outputs):
    device, test = opened(*outputs), some(37, *outputs)
    by_stream = api.eval(device, test, stream=True)
    result = api.eval(device, test)
    assert by_stream == result == api.eval(device)  # without data: those that are there


def test_errors_are_those_of_the_predictions(opened):
    device, test = opened(*BOTH), some(20, *BOTH)
    answers = api.predict(device, test)
    result = api.eval(device, test)
    parts = {"place": test.targets[:, :2], "size": test.targets[:, 2:]}
    for name, expected in parts.items():
        errors = np.array([each[name] for each in answers]) - expected
        assert result[name]["mse"] == pytest.approx((errors**2).mean(), rel=1e-5)
        assert result[name]["mae"] == pytest.approx(abs(errors).mean(), rel=1e-5)
    right = [each["classes"][0] for each in answers] == test.labels
    assert result["correct"] == right.sum()


def test_predictions_are_what_the_outputs_say(opened):
    inputs = samples.make(some(70, "place").x)
    for label, probability in api.predict(opened("classes"), inputs):
        assert 0 <= label < 3 and 0 < probability <= 1
    assert {len(values) for values in api.predict(opened("place"), inputs)} == {2}
    answers = api.predict(opened(*BOTH), inputs)
    assert len(answers) == 70 and list(answers[0]) == list(BOTH)
    assert isinstance(answers[0]["classes"], tuple) and len(answers[0]["size"]) == 1


# --- over the line ------------------------------------------------------------------------------


def test_targets_follow_the_input_of_a_sample(opened, sent):
    device, data = opened(*BOTH), some(3, *BOTH)
    device.observe(data)
    device.evaluate_stream(data)
    device.predict(data)
    expected = b"".join(
        struct.pack("<B4f3f", y, *x, *t)
        for x, y, t in zip(data.x, data.labels.tolist(), data.targets)
    )
    assert [(sink, raw) for sink, raw, _ in sent] == [
        (wire.OBSERVE, expected),
        (wire.EVALUATE, expected),
        (wire.PREDICT, data.x.tobytes()),
    ]


def test_without_classes_the_label_says_so(opened, sent):
    data = some(2, "place")
    opened("place").observe(data)
    expected = [struct.pack("<B4f2f", 254, *x, *t) for x, t in zip(data.x, data.targets)]
    assert sent[0][1] == b"".join(expected)


@pytest.mark.parametrize("count", [1, 17, 23, 64])
def test_a_sample_may_be_spread_over_frames(opened, count):
    device, data = opened(*BOTH), some(9, *BOTH)
    whole = device.evaluate_stream(data)
    device.link.call("samples_begin", sink=wire.EVALUATE)
    raw = b"".join(data.records())
    for at in range(0, len(raw), count):
        head = struct.pack("<BI", wire.EVALUATE, at)
        answer = json.loads(device.link.request(wire.SAMPLES, head + raw[at : at + count])[1])
        assert answer["n"] == min(len(raw), at + count) // (1 + 16 + 12)
    assert device.link.call("scored") == whole


def test_long_answers_come_in_frames_that_a_board_can_send(opened, monkeypatch):
    device = opened(*BOTH)
    request, lengths = device.link.request, []

    def listening(kind, payload=b""):
        answer = request(kind, payload)
        lengths.append(len(answer[1]))
        return answer

    monkeypatch.setattr(device.link, "request", listening)
    assert len(device.predict(samples.make(some(200, "place").x))) == 200
    assert max(lengths) <= device.link.max_payload


def test_what_goes_over_the_line_for_classes_is_what_it_was(opened, sent):
    """An older host talks to this board, and this host to an older board."""
    device, data = opened("classes"), some(3, "classes")
    device.observe(data)
    device.evaluate_stream(data)
    device.predict(data)
    rows = b"".join(struct.pack("<B4f", y, *x) for x, y in zip(data.x, data.labels.tolist()))
    keys = ["flash_write", "n", "out", "receive", "right", "stored", "units"]
    assert sent == [
        (wire.OBSERVE, rows, keys),
        (wire.EVALUATE, rows, keys),
        (wire.PREDICT, data.x.tobytes(), keys),
    ]
    answer = device.link.samples(wire.EVALUATE, data.records())
    assert [type(label) for label in answer["out"]] == [int] * 3
    assert answer["right"] == sum(a == b for a, b in zip(answer["out"], data.labels.tolist()))


def test_a_board_that_knows_no_targets_is_talked_to(opened, monkeypatch):
    device, data = opened("classes"), some(12, "classes")
    expected = [api.eval(device, data), api.eval(device, data, stream=True)]
    call = device.link.call

    def older(function, **arguments):
        if function in ("scored",) or "targets" in arguments:
            pytest.fail(f"an older board has no {function} {arguments}")
        answer = call(function, **arguments)
        if function == "opened":
            for key in ("targets", "outputs", "optimiser", "clip"):
                del answer[key]
        return answer

    monkeypatch.setattr(device.link, "call", older)
    assert [api.eval(device, data), api.eval(device, data, stream=True)] == expected
    assert len(api.predict(device, data)) == 12
    assert api.learn(device, data).steps[-1]["acc"] is not None


def test_only_samples_to_evaluate_are_scored(opened):
    device = opened("place")
    with pytest.raises(DeviceError, match="no stream of samples is open"):
        device.link.call("scored")
    device.observe(some(2, "place"))
    with pytest.raises(DeviceError, match="expected a stream of samples to evaluate"):
        device.link.call("scored")


# --- what the board keeps -----------------------------------------------------------------------


def test_data_on_the_board_have_a_file_of_targets_beside_labels(opened):
    device = opened(*BOTH)
    names = api.push_data(device, some(5, *BOTH))
    assert names == {key: f"test.{key}.npy" for key in ("x", "y", "targets")}
    names = api.push_data(device, some(5, "place"))
    assert names == {key: f"test.{key}.npy" for key in ("x", "y")}
    assert "test.targets.npy" not in device.files()


def test_samples_on_the_board_give_what_observe_takes(tmp_path):
    import engram

    for name, outputs in (("a", ("classes",)), ("b", ("place",)), ("c", BOTH)):
        data = some(4, *outputs)
        for key, raw in data.files().items():
            (tmp_path / f"{name}.{key}.npy").write_bytes(raw)
        answers = []
        for x, y in engram.samples(str(tmp_path / name)):
            label, targets = y if isinstance(y, tuple) else (y, y)
            answers.append(
                (list(x), label, targets if isinstance(targets, int) else list(targets))
            )
        for i, (x, label, targets) in enumerate(answers):
            assert x == data.x[i].tolist()
            if data.y is not None:
                assert label == data.y[i]
            if data.targets is not None:
                assert targets == data.targets[i].tolist()


def test_labels_and_targets_of_other_lengths_are_refused_on_the_board(opened):
    device = opened(*BOTH)
    api.push_data(device, some(5, *BOTH))
    api.push_data(device, some(4, *BOTH), name="other")
    with pytest.raises(DeviceError, match="targets: expected float32 of 5 rows, got <f4 of shape"):
        device.link.call("eval_begin", x="test.x.npy", y="test.y.npy", targets="other.targets.npy")
    with pytest.raises(DeviceError, match=r"labels: expected uint8 of shape \(5,\), got <f4"):
        device.link.call(
            "eval_begin", x="test.x.npy", y="test.targets.npy", targets="test.targets.npy"
        )


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "names", "words"),
    [
        (
            ("place",),
            ("classes",),
            "targets of 2 values, as the model .* got labels; .*y: float32",
        ),
        (("place",), ("size",), r"targets of 2 values, .*got targets of 1 value; .*\(n, 2\)"),
        (
            ("classes",),
            ("place",),
            "labels, .*got targets of 2 values; .*integers from 0 to 2",
        ),
        (("classes",), BOTH, "labels, .*got labels and targets of 3 values"),
        (BOTH, ("classes",), "labels and targets of 3 values.*got labels; .*, targets: float32"),
        (BOTH, ("place", "size"), "labels and targets of 3 values.*got targets of 3 values"),
    ],
)
def test_samples_that_a_model_cannot_learn_from_are_refused(opened, outputs, names, words):
    device, data = opened(*outputs), some(4, *names)
    for call in (
        lambda: device.observe(data),
        lambda: api.learn(device, data),
        lambda: api.eval(device, data),
        lambda: api.eval(device, data, stream=True),
    ):
        with pytest.raises(InputError, match=f"expected samples with .*{words}"):
            call()
    assert list(device.files()) == ["model.safetensors"]


def test_inputs_alone_are_refused(opened):
    with pytest.raises(InputError, match="expected labelled samples, got samples without labels"):
        api.learn(opened("place"), samples.make(some(4, "place").x))


def test_a_session_is_tested_by_an_accuracy(opened):
    device, data = opened("place"), some(4, "place")
    for stream in (False, True):
        with pytest.raises(InputError, match="tells classes apart for the test of session 1"):
            api.eval(device, data, stream=stream, session=1)
    device.link.samples(wire.EVALUATE, data.records())
    with pytest.raises(DeviceError, match="got one that regresses; evaluate it without a session"):
        device.link.call("tested", session=1)
    both = opened(*BOTH)
    api.eval(both, some(9, *BOTH), stream=True, session=0)
    assert len(api.metrics(both)["start"]) == 1


def test_a_stream_of_sessions_needs_labels(opened, tmp_path):
    data = arrays(12, "place")
    np.savez(tmp_path / "rooms.npz", room=np.arange(12) % 2, **data)
    with pytest.raises(InputError, match="expected labels, by which a stream of sessions is cut"):
        api.learn_stream(opened("place"), tmp_path / "rooms.npz", field="room")


def test_a_stream_of_sessions_carries_targets(opened, tmp_path):
    np.savez(tmp_path / "all.npz", **arrays(60, *BOTH))
    np.savez(tmp_path / "test.npz", **arrays(20, *BOTH, seed=2))
    device = opened(*BOTH, batch=8)
    run = api.learn_stream(
        device, tmp_path / "all.npz", sessions="0+1,2", test=tmp_path / "test.npz", per_class=10
    )
    assert [session.summary["samples"] for session in run.sessions] == [20, 10]
    evaluations = [record for record in log.read(run.log) if record["kind"] == "evaluation"]
    assert evaluations[-1]["size"]["mse"] > 0 and run.summary["matrix"]


# --- files --------------------------------------------------------------------------------------


def test_floats_are_targets_and_integers_labels(tmp_path):
    x = np.zeros((3, 4), np.float32)
    one = samples.make(x, [0.5, 1.5, 2.5])
    assert one.y is None and one.targets.dtype == np.float32 and one.targets.shape == (3, 1)
    assert samples.make(x, np.ones((3, 2))).targets.shape == (3, 2)
    assert samples.make(x, [0, 1, 2]).targets is None
    both = samples.make(x, [0, 1, 2], [[1], [2], [3]])
    assert both.labels.tolist() == [0, 1, 2] and both.targets.tolist() == [[1], [2], [3]]
    np.savez(tmp_path / "d.npz", x_train=x, y_train=[0, 1, 2], targets_train=np.ones((3, 2)))
    assert samples.load(tmp_path / "d.npz").targets.shape == (3, 2)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "t.npy", np.ones(3))
    assert samples.load(tmp_path / "x.npy", tmp_path / "t.npy").targets.shape == (3, 1)


@pytest.mark.parametrize(
    ("y", "targets", "words"),
    [
        (
            np.ones((3, 2, 2)),
            None,
            r"targets of shape \(3,\) or \(3, values\), float32, got \(3, 2",
        ),
        (np.ones(2), None, r"got \(2,\) float64; give one row per sample"),
        ([0.5, np.nan, 1], None, "finite targets, got NaN"),
        ([0.5, 1.5, 2.5], np.ones(3), "expected labels as integers from 0 to 254, got float64"),
        ([0, 1, 2], np.array(["a", "b", "c"]), "float32, got"),
    ],
)
def test_targets_that_are_none_are_refused(y, targets, words):
    with pytest.raises(InputError, match=words):
        samples.make(np.zeros((3, 4), np.float32), y, targets)


# --- options ------------------------------------------------------------------------------------


def test_options_reach_the_learner_and_the_log(opened):
    options = {"scope": "head,all.b", "micro": 4, "optimiser": "adam", "clip": 0.5, "batch": 8}
    device = opened(*BOTH, **options)
    facts = device.need_open()
    assert {key: facts[key] for key in options} == options
    result = api.learn(device, some(16, *BOTH))
    begin = next(log.read(result.log))
    assert begin["options"] == options
    assert {key: begin["learner"][key] for key in options} == options
    assert begin["learner"]["targets"] == 3
    assert begin["learner"]["outputs"] == [
        {"name": "classes", "objective": "classify", "values": 3},
        {"name": "place", "objective": "regress", "values": 2},
        {"name": "size", "objective": "regress", "values": 1},
    ]


def test_a_scope_and_a_depth_replace_each_other(opened):
    device = opened(*BOTH, depth=1)
    assert device.need_open()["scope"] == "last:1"
    assert device.need_open(scope="head")["scope"] == "head"
    assert device.info()["options"] == {"scope": "head"}
    assert device.need_open(depth=2)["scope"] == "last:2"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scope": "tail"}, r"all, head, last:K or a node .*\(hidden, .*got 'tail'"),
        ({"batch": 8, "micro": 3}, r"divides the batch \(1, 2, 4, 8\), got 3"),
        ({"strategy": "lwf"}, "expected objectives among classify, got classify, regress"),
    ],
)
def test_a_boards_refusal_reaches_the_user(opened, options, words):
    with pytest.raises(DeviceError, match=words):
        opened(*BOTH, **options)


# --- what the user sees -------------------------------------------------------------------------


@pytest.fixture
def engram(device, monkeypatch):
    """engram(words): what the command prints, over this file's board."""

    @contextmanager
    def connect(port, reporter=None, on_text=None):
        device.reporter = reporter or Silent()
        yield device

    def said(*words):
        result = run(*words)
        assert result.exit_code == 0, result.stderr
        return result.stdout, result.stderr

    monkeypatch.setattr(api, "connect", connect)
    return said


def saved(tmp_path, n, *outputs):
    np.savez(tmp_path / "data.npz", **arrays(n, *outputs))
    return tmp_path / "data.npz"


def test_a_regression_from_the_command_line(engram, tmp_path):
    model, data = write(tmp_path / "m.safetensors", "place"), saved(tmp_path, 24, "place")
    wishes = ["--optimiser", "adam", "--scope", "last:2", "--batch", "8", "--micro", "4"]
    out, _ = engram("push", "model", model, *wishes, "--clip", "1")
    assert "plane: 2 target values, 86 trained parameters" in out
    out, text = engram("learn", data, "--log", "l.jsonl", "--lr", "0.01", "--epochs", "1")
    assert "24 samples in 3 steps, replay" in out and "→" in out
    assert re.search(r"loss 0\.\d+", text) and "right" not in text
    begin = json.loads(Path("l.jsonl").read_text().splitlines()[0])
    assert begin["options"]["clip"] == 1 and begin["learner"]["scope"] == "last:2"
    out, _ = engram("log", "l.jsonl")
    assert len(re.findall(r"^ +\d/3 +0\.\d+ +– ", out, re.M)) == 3
    out, _ = engram("report", "l.jsonl", "--out", "r")
    assert sorted(path.name for path in Path("r").glob("*.png")) == ["loss.png", "phases.png"]
    assert "Right in the mini-batch" not in Path("r/report.html").read_text()
    out, text = engram("eval", data)
    assert re.search(r"mse +mae +samples\s+[\d.]+ +[\d.]+ +24", out) and "class" not in out
    assert "mse 0." in text
    out, _ = engram("eval", data, "--json")
    assert set(json.loads(out)) == {"n", "mse", "mae"}
    out, _ = engram("predict", data)
    assert re.fullmatch(r"(-?[\d.e-]+\t-?[\d.e-]+\n){24}", out)
    out, _ = engram("predict", data, "--json")
    assert len(json.loads(out)[0]["values"]) == 2
    assert "2 target values" in engram("info")[0]


def test_several_outputs_from_the_command_line(engram, tmp_path):
    model, data = write(tmp_path / "m.safetensors", *BOTH), saved(tmp_path, 24, *BOTH)
    assert "plane: 3 classes and 3 target values" in engram("push", "model", model)[0]
    out, _ = engram("push", "data", data)
    assert out == "✓ on the board as test.x.npy, test.y.npy, test.targets.npy\n"
    out, text = engram("eval")
    assert re.search(r"all +\d+\.\d% +24", out) and re.search(r"place +[\d.]+ +[\d.]+ +24", out)
    assert "% right  place: mse" in text
    out, _ = engram("predict", data)
    assert re.fullmatch(r"([012]\t[01]\.\d{4}(\t-?[\d.e-]+){3}\n){24}", out)
    first = json.loads(engram("predict", data, "--json")[0])[0]
    assert (
        first["classes"].keys() == {"label", "probability"} and len(first["size"]["values"]) == 1
    )
    out, text = engram("learn", data)
    assert re.search(r"loss \d\.\d+ +right", " ".join(text.split()))


def test_inputs_and_targets_may_be_two_files(engram, tmp_path):
    engram("push", "model", write(tmp_path / "m.safetensors", "size"))
    data = arrays(9, "size")
    np.save(tmp_path / "x.npy", data["x"])
    np.save(tmp_path / "t.npy", data["y"][:, 0].astype(np.float64))
    out, _ = engram("eval", "x.npy", "--labels", "t.npy", "--stream", "--json")
    assert json.loads(out)["n"] == 9


@pytest.mark.parametrize(
    ("objectives", "words"),
    [
        (["classify"], "cross-entropy"),
        (["regress"], "squared error"),
        (["classify", "regress"], "cross-entropy and squared error"),
        (None, "cross-entropy"),
    ],
)
def test_a_report_names_the_losses(objectives, words):
    learner = {"outputs": [{"objective": o} for o in objectives]} if objectives else {}
    assert log_page._loss_words([log_page.LoggedSession({"learner": learner})]) == words
    assert log_page._loss_words([log_page.LoggedSession({})]) == "cross-entropy"


def test_progress_on_the_board_shows_what_there_is(capsys):
    record = {"step": 1, "of": 2, "loss": 0.25}
    show({**record, "acc": None})
    show({**record, "acc": 0.5})
    plain, right = capsys.readouterr().out.split("\r")[1:]
    assert plain.endswith("loss 0.250") and right.endswith("loss 0.250  right  50 %")


# --- a virtual board ----------------------------------------------------------------------------


@pytest.mark.board
def test_a_virtual_board_regresses(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = some(30, *BOTH, seed=2)
    with api.connect(name) as board:
        api.push_model(
            board, write(tmp_path / "m.safetensors", *BOTH), batch=8, micro=4, optimiser="adam",
            lr=0.02,
        )  # fmt: skip
        before = api.eval(board, test)
        api.learn(board, some(60, *BOTH), epochs=6)
        after = api.eval(board)
        by_stream = api.eval(board, test, stream=True)
        assert by_stream["right"] == after["right"]
        assert by_stream["place"] == pytest.approx(after["place"])
        assert after["place"]["mse"] < 0.5 * before["place"]["mse"]
        assert after["accuracy"] > before["accuracy"]
        answers = api.predict(board, test)
        assert [len(each["place"]) for each in answers] == [2] * 30


def test_targets_survive_a_restart(board, opened):
    device = opened("place", batch=4)
    device.observe(some(8, "place"))
    board.transport.write(b"\x03")  # the agent ends, and its learner with it
    again = Device(Link(board.transport, timing=QUICK))
    again.open()
    learned = api.learn(again, some(4, "place", seed=3), epochs=20, lr=0.1)
    assert again.store_info()["store"]["live"] == 12
    assert learned.summary["last_loss"] < learned.summary["first_loss"]

"""The verbs that make a board learn, on the real agent and learner over a cable in memory."""

import json
import os
import signal
import threading

import numpy as np
import pytest

from engram.errors import ModelError
from engram_host import api, samples
from engram_host.device import Device
from engram_host.errors import DeviceError, InputError, Stopped
from engram_host.learning import log
from engram_host.line.link import Link
from host.conftest import QUICK
from link.faulty import FaultyTransport, stubborn


def test_a_board_learns_a_new_class_and_keeps_the_old_ones(device, model, some, data):
    api.push_model(device, model, lr=0.03, budget=400)
    before = api.eval(device, samples.make(data.x_test, data.y_test))
    assert before["right"][5] == 0 and before["accuracy"] > 0.45
    api.learn(device, some([0, 1, 2, 3, 4], 30))
    learned = api.learn(device, some([5], 60), epochs=3)
    after = api.eval(device)  # the samples are on the board by now
    known = [right / total for right, total in zip(after["right"], after["total"])][:6]
    assert min(known) > 0.8, known
    assert learned.summary["steps"] == len(learned.steps) == learned.steps[0]["of"]
    assert learned.summary["last_loss"] < learned.summary["first_loss"]


def test_what_was_learned_is_there_after_a_restart(board, device, model, some, data):
    api.push_model(device, model)
    api.learn(device, some([5], 40), epochs=2)
    test = samples.make(data.x_test, data.y_test)
    before = api.eval(device, test)
    board.transport.write(b"\x03")  # the agent ends, and its learner with it
    again = Device(Link(board.transport, timing=QUICK))
    assert again.info()["learner"] is None
    result = api.push_model(again, model)
    assert result["session"] == 1
    assert api.eval(again) == before
    assert again.store_info()["store"]["live"] == 40


def test_a_board_knows_again_how_many_bits_its_latents_have(board, device, model, some):
    api.push_model(device, model, bits=4, batch=8)
    api.learn(device, some([5], 20))
    board.transport.write(b"\x03")  # the agent ends, and its options with it
    again = Device(Link(board.transport, timing=QUICK))
    result = api.push_model(again, model)
    assert result["bits"] == 4 and result["session"] == 1
    assert again.store_info()["store"]["live"] == 20
    with pytest.raises(DeviceError, match="4 bits"):
        api.push_model(again, model, bits=5)


def test_a_session_is_written_down_as_it_happens(device, model, some, tmp_path):
    api.push_model(device, model, batch=8)
    seen = []
    result = api.learn(device, some([5], 20), log=tmp_path / "l.jsonl", on_step=seen.append)
    records = list(log.read(result.log))
    assert [r["kind"] for r in records] == ["begin", "observe", *["step"] * len(seen), "summary"]
    begin, observe, step, summary = records[0], records[1], records[2], records[-1]
    assert begin["options"]["batch"] == 8 and begin["samples"] == 20 and begin["board"] == "fake"
    assert set(step["phases"]) == {"replay_read", "forward", "backward", "update"}
    for key in ("loss", "acc", "ram_bytes", "flash_bytes", "total", "outside", "wall_s"):
        assert key in step
    for record in (observe, step, summary):
        assert (record["unit"], record["source"]) == ("us", "host")
    assert summary == result.summary and seen == result.steps
    assert summary["generation"] == 1 and summary["stopped"] is False
    assert summary["total"] == sum(s["total"] for s in seen)
    assert summary["flash_bytes"] >= step["flash_bytes"] > 0


def test_a_second_session_is_counted_from_its_own_beginning(device, model, some):
    api.push_model(device, model)
    first = api.learn(device, some([5], 20))
    second = api.learn(device, some([6], 20))
    assert second.steps[0]["flash_bytes"] < first.summary["flash_bytes"]
    assert second.log == first.log or second.log.parent == first.log.parent


def test_fine_tuning_mixes_nothing_old_in(device, model, some):
    api.push_model(device, model)
    api.learn(device, some([5], 20))
    plain = api.learn(device, some([6], 20), strategy="finetune")
    session = api.learn(device, some([7], 20), strategy="replay")
    assert {s["replayed"] for s in plain.steps} == {0}
    assert all(s["replayed"] for s in session.steps)


def test_predictions_come_with_their_probability(device, model, some, data):
    api.push_model(device, model)
    answers = api.predict(device, samples.make(data.x_test[:40]))
    assert len(answers) == 40
    assert all(0 <= label < 10 and 0 < probability <= 1 for label, probability in answers)
    right = sum(label == y for (label, _), y in zip(answers, data.y_test[:40].tolist()) if y < 5)
    assert right > 0.9 * int((data.y_test[:40] < 5).sum())


def test_streamed_samples_are_scored_as_those_on_the_board(device, model, data):
    api.push_model(device, model)
    test = samples.make(data.x_test[:90], data.y_test[:90])
    assert api.eval(device, test, stream=True) == api.eval(device, test)


def test_options_stay_in_force_until_others_are_given(device, model, some):
    api.push_model(device, model, batch=8, lr=0.01)
    assert device.need_open()["batch"] == 8
    api.learn(device, some([5], 16), lr=0.02)
    assert device.info()["options"] == {"batch": 8, "lr": 0.02}
    assert device.need_open()["session"] == 1  # opening again lost nothing


def test_reset_forgets(device, model, some):
    api.push_model(device, model)
    api.learn(device, some([5], 20))
    result = api.reset(device)
    assert result["session"] == 0 and device.store_info()["store"]["live"] == 0
    assert device.load() is None


# --- refused ------------------------------------------------------------------------------------


def test_samples_of_another_shape_or_type_are_refused_before_they_are_sent(device, model):
    api.push_model(device, model)
    pattern = "expected samples of 64 uint8, as the model takes them, got samples of"
    with pytest.raises(InputError, match=f"{pattern} 63 uint8"):
        api.learn(device, samples.make(np.zeros((2, 63), np.uint8), [5, 5]))
    with pytest.raises(InputError, match=f"{pattern} 64 float64; .* within 0 to 1: give .x . 255"):
        api.predict(device, samples.make(np.full((2, 64), 0.5)))
    with pytest.raises(InputError, match="expected labels from 0 to 9, got 12"):
        api.eval(device, samples.make(np.zeros((1, 64), np.uint8), [12]), stream=True)


def test_a_label_the_model_has_not_is_refused_by_the_board(device, model):
    api.push_model(device, model)
    wrong = samples.make(np.zeros((3, 64), np.uint8), [5, 6, 10])
    with pytest.raises(DeviceError, match="expected a label from 0 to 9, got 10") as error:
        api.learn(device, wrong, classes=10)  # else the head grows
    assert error.value.kind == "DataError"
    summary = list(log.read(log.latest()))[-1]
    assert summary["kind"] == "summary" and "label" in summary["error"]


def test_learning_without_a_model_says_what_to_do(device, some):
    with pytest.raises(DeviceError, match="no file 'model.safetensors'; push it first"):
        api.learn(device, some([5], 4))


def test_no_samples_at_all_are_refused(device, model):
    api.push_model(device, model)
    with pytest.raises(DeviceError, match="expected new samples to learn, got none"):
        api.learn(device, samples.make(np.zeros((0, 64), np.uint8), []))


def test_a_file_that_is_no_model_is_refused_before_it_is_sent(device, tmp_path):
    wrong = tmp_path / "x.safetensors"
    wrong.write_bytes(b"\x10\0\0\0\0\0\0\0" + b'{"a": 1}        ')
    with pytest.raises(ModelError, match="its header does not describe tensors"):
        api.push_model(device, wrong)
    pattern = "none.safetensors: expected a device model file, got no file"
    with pytest.raises(InputError, match=pattern):
        api.push_model(device, tmp_path / "none.safetensors")
    assert device.files() == {}


def test_a_flash_region_with_something_else_in_it_is_not_touched(board, device, model, some):
    region = board.facts.store_device()
    region.data[: 4 * 4096] = b"somebody's data " * 1024
    before = bytes(region.data)
    with pytest.raises(DeviceError, match="holds no replay store.*`engram reset` does that"):
        api.push_model(device, model)
    assert bytes(region.data) == before
    assert api.reset(device)["session"] == 0  # when the user says so
    api.learn(device, some([5], 8))


# --- interrupted --------------------------------------------------------------------------------


def test_ctrl_c_stops_at_the_next_step_and_the_board_goes_on(device, model, some):
    api.push_model(device, model)

    def press(step):
        if step["step"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="stopped after step 3; the board is ready"):
        api.learn(device, some([5], 60), epochs=5, on_step=press)
    records = list(log.read(log.latest()))
    assert [r["kind"] for r in records].count("step") == 3
    assert records[-1]["kind"] == "summary" and records[-1]["stopped"] is True
    learner = device.info()["learner"]
    assert learner["session"] == 0  # what was sent is still to be learned
    assert len(device.files()) == 1
    assert api.learn(device, some([5], 1)).steps[0]["loss"] > 0


def test_ctrl_c_is_pythons_own_again_afterwards(device, model, some):
    before = signal.getsignal(signal.SIGINT)
    api.push_model(device, model)
    api.learn(device, some([5], 4))
    assert signal.getsignal(signal.SIGINT) is before


def test_learning_works_outside_the_main_thread(device, model, some):
    """There signals cannot be caught; a program with windows learns in the background."""
    api.push_model(device, model)
    results = []
    thread = threading.Thread(target=lambda: results.append(api.learn(device, some([5], 8))))
    thread.start()
    thread.join(30)
    assert results and results[0].summary["steps"] > 0


# --- a bad cable --------------------------------------------------------------------------------


def without_interrupts(transport):
    """A cable that turns no byte into Ctrl-C: that would end the agent, which is another test."""
    write = transport.write
    transport.write = lambda data: write(data.replace(b"\x03", b"\x02"))
    return transport


def test_over_a_bad_cable_every_sample_is_observed_once(board, model, some, data):
    """Lost, doubled and damaged frames change nothing of what is learned."""
    cable = FaultyTransport(without_interrupts(board.transport), seed=5)
    link = Link(cable, timing=QUICK._replace(resend=0.05, resend_most=0.2))
    device = stubborn(lambda: Device(link))
    api.push_model(device, model, seed=4)
    learned = api.learn(device, some([5, 6], 50), epochs=2)
    assert device.store_info()["store"]["live"] == 100
    assert cable.done and link.counts["resent"]
    board.transport.write(b"\x03")
    good = Device(Link(board.transport, timing=QUICK))
    api.push_model(good, model, seed=4)
    api.reset(good)
    again = api.learn(good, some([5, 6], 50), epochs=2)
    assert [s["loss"] for s in again.steps] == [s["loss"] for s in learned.steps]


# --- logs ---------------------------------------------------------------------------------------


def test_a_log_is_followed_until_its_summary(tmp_path):
    path = tmp_path / "l.jsonl"
    lines = [{"kind": "begin"}, {"kind": "step", "step": 1}, {"kind": "summary"}]
    path.write_text(json.dumps(lines[0]) + "\n" + json.dumps(lines[1])[:9])

    def go_on():
        with path.open("a") as file:
            file.write(json.dumps(lines[1])[9:] + "\n")
            file.write(json.dumps(lines[2]) + "\n")

    threading.Timer(0.3, go_on).start()
    assert list(log.read(path)) == lines[:1]  # the half line is left out
    assert list(log.read(path, follow=True, poll_s=0.01)) == lines


def test_a_file_that_is_no_log_is_told(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"kind": "begin"}\nhello\n')
    with pytest.raises(InputError, match=r"l.jsonl:2: expected a JSON object .* got 'hello'"):
        list(log.read(path))
    with pytest.raises(InputError, match="none.jsonl: expected .*, got no file"):
        list(log.read(tmp_path / "none.jsonl"))


# --- a heap in pieces ---------------------------------------------------------------------------


def test_a_model_that_finds_no_piece_of_heap_is_opened_on_an_empty_one(device, model, monkeypatch):
    api.push_model(device, model)
    call, resets = device.link.call, []

    def fragmented(function, **arguments):
        if function in ("open", "reset") and not resets:
            raise DeviceError("FitError", "the arena, in one piece, needs 9 bytes, 10 are there")
        return call(function, **arguments)

    monkeypatch.setattr(device.link, "call", fragmented)
    monkeypatch.setattr(device.link, "soft_reset", lambda: resets.append(1))
    assert device.reset(batch=8)["batch"] == 8 and resets == [1]
    resets.clear()
    assert device.open(batch=4)["batch"] == 4 and resets == [1]


def test_a_model_that_is_too_large_is_told_at_once(device, model, monkeypatch):
    def refuse(function, **arguments):
        raise DeviceError("FitError", "the model (batch 99) needs 10 bytes, 9 are available")

    monkeypatch.setattr(device.link, "call", refuse)
    monkeypatch.setattr(device.link, "soft_reset", lambda: pytest.fail("a reset does not help"))
    with pytest.raises(DeviceError, match="needs 10 bytes"):
        device.open(batch=99)


def test_a_reset_takes_options_and_keeps_the_others(device, model):
    api.push_model(device, model, batch=8, strategy="head")
    result = device.reset(bits=4, budget="3kB")
    assert result["bits"] == 4 and result["batch"] == 8 and result["strategy"] == "head"
    assert device.info()["options"] == {
        "batch": 8, "strategy": "head", "bits": 4, "budget_bytes": 3000,
    }

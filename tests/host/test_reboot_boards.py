"""Boards with a program of their own: the host gets in, and a reset loses nothing kept."""

import json

import numpy as np
import pytest

from engram_host import api
from engram_host.errors import Stopped
from engram_host.line import ports
from host.command import run

pytestmark = [pytest.mark.board, pytest.mark.usefixtures("own_boards")]

MAIN = """
import engram
print("main.py begins")
learner = engram.open("model.safetensors", batch=8)
while True:
    pass
"""
BUSY = "while True: pass\n"
REPL = """
import engram
learner = engram.open("model.safetensors", batch=8)
for x, y in engram.samples("base"): ok = learner.observe(x, y)

learner = engram.open("model.safetensors", batch=4)
len(learner.store), learner.batch
first = learner
learner = engram.open("model.safetensors")
first.predict(x)
help(engram)
learner.info()["batch"]
"""


def test_a_program_that_holds_a_learner_does_not_block_the_host(name, model, some, tmp_path):
    with api.connect(name) as board:
        board.put("model.safetensors", model.read_bytes())
        board.put("main.py", MAIN.encode())
    api.reboot(name)
    with api.connect(name) as board:
        facts = board.info()
        assert facts["learner"]["batch"] == 8 and facts["options"] == {"batch": 8}
        log = tmp_path / "a.jsonl"
        learned = api.learn(board, some([5], 16), epochs=1, log=log)  # by that learner
        assert learned.summary["samples"] == 16
        other = api.learn(board, some([5], 16), epochs=1, batch=4, log=log)
        assert other.summary["session"] == 2
        assert api.push_model(board, model, batch=16)["batch"] == 16
    api.reboot(name)
    with api.connect(name) as board:  # main.py opened it again, with what was saved
        assert board.info()["learner"]["session"] == 2


def test_an_open_bracket_typed_to_a_busy_program_does_not_block_the_host(name):
    with api.connect(name) as board:
        board.put("main.py", BUSY.encode())
    api.reboot(name)
    port = ports.open_transport(name)
    port.write(b"(\r")  # it waits for the REPL, as a greeting to no agent does
    port.close()
    with api.connect(name) as board:
        assert board.info()["learner"] is None


def test_what_was_interrupted_goes_on_after_a_reboot(name, model, some, data, tmp_path):
    def stop(step):
        raise Stopped("now")

    with api.connect(name) as board:
        api.push_model(board, model, batch=8, lr=0.03)
        with pytest.raises(Stopped):
            api.learn(board, some([5], 24), epochs=1, on_step=stop, log=tmp_path / "a.jsonl")
        api.reboot(board)
        facts = board.info()
        assert facts["learner"] is None and facts["options"] == {"batch": 8, "lr": 0.03}
        learned = api.learn(board, some([6], 8), epochs=1, log=tmp_path / "b.jsonl")
        assert board.store_info()["store"]["live"] == 32
        assert learned.steps[0]["of"] == 32 // 8  # of the samples before the reboot too


def test_a_stream_goes_on_after_a_reboot_with_the_options_of_its_push(
    name, model, data, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "all.npz", x=data.x_train[:200], y=data.y_train[:200])
    stream = {"sessions": "0-4,5", "per_class": 5}
    steps_done = []

    def stop(step):
        steps_done.append(step["step"])
        if len(steps_done) == 5:
            raise Stopped("now")

    with api.connect(name) as board:
        api.push_model(board, model, batch=8, bits=4)
        with pytest.raises(Stopped):
            api.learn_stream(board, tmp_path / "all.npz", on_step=stop, epochs=1, **stream)
        state = board.stream()
        api.reboot(board)
        words = []
        api.learn_stream(board, tmp_path / "all.npz", say=words.append, epochs=1, **stream)
        assert board.stream()["id"] == state["id"] and board.stream()["done"] == 2
        assert words == [f"goes on after {state['done']} of 2 sessions"]


def test_the_verb_reboots_and_says_so(name):
    assert "the board restarts" in run("reboot", "--port", name).stdout
    assert json.loads(run("reboot", "--json", "--port", name).stdout) == {"restarted": True}
    with api.connect(name) as board:
        assert board.info()["learner"] is None


def test_a_learner_is_opened_twice_at_the_repl(name, model, some):
    with api.connect(name) as board:
        board.put("model.safetensors", model.read_bytes())
        board.push_data("base", some([5], 8))
    output = run("repl", "--port", name, input=REPL).stdout
    assert "(8, 4)" in output and "got one that was released" in output
    assert "object <module 'engram'" in output and output.rstrip().rstrip("> ").endswith("16")

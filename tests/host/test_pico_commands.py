"""The verbs on the emulated Pico, as a user gives them one after the other: a firmware of
MicroPython's own port, over USB, whose flash takes its time."""

import json

import numpy as np
import pytest

from engram_host import virtual
from firmware.ready import ready
from host.command import run

pytestmark = [pytest.mark.board, pytest.mark.slow]

NAME = "virtual_pico"
HZ = 125_000_000


@pytest.fixture(scope="module", autouse=True)
def pico(tmp_path_factory):
    """The board, blank, its state in a place of this file's own."""
    ready(NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGRAM_STATE", str(tmp_path_factory.mktemp("state")))
        yield
        virtual.stop(NAME)


def told(*args):
    """What a verb prints as JSON."""
    result = run(*args, "--port", NAME, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def shown(*args, **options):
    """The words that a verb prints."""
    result = run(*args, **options)
    assert result.exit_code == 0, result.stderr
    return " ".join(result.stdout.split())


def test_a_session_from_start_to_a_saved_flash(model, data, tmp_path):
    few, image = tmp_path / "few.npz", tmp_path / "pico.img"
    fives = data.x_train[data.y_train == 5][:20]
    np.savez(few, x=fives, y=np.full(len(fives), 5, np.uint8))
    assert "virtual_pico runs" in shown("start", NAME, "--fresh")
    assert told("info")["learner"] is None

    assert told("push", "model", model)["classes"] == 10
    words = shown("learn", few, "--epochs", "1", "--port", NAME, "--log", tmp_path / "l.jsonl")
    assert " cycles (cycles), " in words and " s at 125 MHz" in words
    step = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()][2]
    assert step["unit"] == step["source"] == "cycles" and step["total"] > HZ / 2
    facts = told("info")
    assert facts["flash"]["store"]["live"] == 20
    assert facts["flash"]["checkpoints"]["generation"] == 1
    plan, use = (facts["learner"][f"ram_{word}_bytes"] for word in ("planned", "measured"))
    assert plan == pytest.approx(use, rel=0.01)

    assert "is off" in shown("stop", NAME, "--save", image)
    assert "was not running" in shown("stop", NAME)
    assert "virtual_pico runs" in shown("start", NAME, "--flash", image)
    assert told("push", "model", model)["session"] == 1


def test_after_a_reset_the_board_answers_at_once(model):
    """Its clock is seconds ahead then, by what erasing a megabyte takes."""
    told("push", "model", model)
    told("reset", "--yes")
    assert told("info")["flash"]["store"]["live"] == 0


def test_lines_for_the_repl_and_a_restart():
    lines = "import machine, engram_board\nengram_board.NAME\nmachine.reset()\n1 / 0\n6 * 7\n"
    result = run("repl", "--port", NAME, input=lines)
    assert result.exit_code == 1
    assert "'virtual_pico'" in result.stdout and "ZeroDivisionError" in result.stdout
    assert result.stdout.endswith(">>> 6 * 7\n42\n")
    assert told("info")["board"] == NAME  # the agent is started again


def test_what_is_on_its_port_is_listed():
    told("info")
    ports = json.loads(run("boards", "--json").stdout)["ports"]
    (row,) = [row for row in ports if row["board"] == NAME]
    assert row["engram"] and row["free_bytes"] > 100_000

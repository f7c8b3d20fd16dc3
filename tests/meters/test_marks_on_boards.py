"""The phases on the virtual boards: pins cost no memory, and a whole session is measured."""

import pytest

from engram_host.learning import log
from host.command import engram
from hosts import BoardHost, run_cpython

STEP = "replay_read forward backward update idle"
EXPECTED = [
    "exact step with pins allocates nothing",
    f"exact {STEP}",
    "exact all steps alike True",
]


@pytest.mark.board
@pytest.mark.parametrize("name", ["unix", "qemu_m4f"])
def test_a_marked_step_allocates_nothing(name, tmp_path):
    host = BoardHost(name, tmp_path)
    host.start()
    try:
        assert host.run("phases_check") == EXPECTED
    finally:
        host.stop()


def test_a_marked_step_shows_its_phases_on_cpython():
    assert run_cpython("cpython-py", "phases_check") == EXPECTED


@pytest.mark.board
@pytest.mark.slow
def test_the_emulated_board_is_measured_end_to_end(model, some, tmp_path, monkeypatch):
    """engram push, engram learn --meter simulated: emulated instructions carry the timeline."""
    import numpy as np

    samples = some([5], 24)
    np.savez(tmp_path / "new.npz", x=samples.x, y=samples.labels)
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))

    port = ("--port", "qemu_m4f")
    try:
        engram("push", "model", str(model), *port)
        path = tmp_path / "l.jsonl"
        options = ("--epochs", "2", "--log", str(path), "--meter", "simulated")
        output = engram("learn", str(tmp_path / "new.npz"), *port, *options)
    finally:
        engram("stop", "qemu_m4f")
    assert "(simulated, simulated)" in output and "(device" not in output
    records = list(log.read(path))
    energy = next(r for r in records if r["kind"] == "energy")
    steps = [r for r in records if r["kind"] == "step"]
    assert energy["source"] == "simulated" and energy["marked"] == "pins"
    assert energy["idle_mw"] == pytest.approx(10, abs=0.1)
    seconds = sum(r["total"] for r in steps) / 7_812_500 / len(steps)
    assert energy["step"]["s"] == pytest.approx(seconds, rel=0.01)
    power = {"replay_read": 12, "forward": 20, "backward": 22, "update": 18}
    for phase in ("backward", "update", "replay_read"):
        figures = energy["phases"][phase]
        assert abs(figures["mj"] - power[phase] * figures["s"]) < figures["u_mj"]
        assert figures["u_mj"] < 0.1 * figures["mj"]

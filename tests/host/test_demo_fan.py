"""`engram demo fan`: in this process with the real agent, and on the emulated board."""

import json

import numpy as np
import pytest

from engram.store import RamFlash
from engram_host import api, boards, build
from engram_host.demo import fan, fan_phases
from engram_host.demo.fan_phases import NEW, PHASES, Phase
from engram_host.device import Device
from engram_host.errors import InputError
from engram_host.line.link import Link
from engram_host.report.fan_page import write_fan_report
from host.command import run
from host.conftest import QUICK
from link.fake_board import BoardFacts, FakeBoard


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fan")


@pytest.fixture(scope="module")
def result(place):
    """The demo on the agent in this process, with the real library and kernels."""
    root = place / "flash"
    root.mkdir()
    board = FakeBoard(BoardFacts(root, RamFlash(96, 4096, 256)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        with Device(Link(board.transport, timing=QUICK)) as device:
            yield fan.run(device, place, 2, lambda text: None)
    board.close()


def test_every_phase_is_as_promised(result):
    assert [row["name"] for row in result["phases"]] == [phase.name for phase in PHASES]
    assert [row["name"] for row in result["phases"] if not row["kept"]] == []
    assert result["adapted"] and result["faults_learned"] == 0 and result["kept"]
    assert len(result["speeds"]) == len(result["readings"]["means"])
    assert result["learned"]["losses"][-1] < 0.5 * result["learned"]["losses"][0]


def test_what_was_learned_is_of_the_new_speed(result):
    """But for blocks beside one, whose first means are of it too."""
    starts = [at for told in result["adapted"] for at in told["samples"]]
    assert sum(result["speeds"][at] == NEW for at in starts) >= 0.7 * len(starts)
    first = next(row["first"] for row in result["phases"] if row["expects"] == "learned")
    assert min(starts) >= first


def test_the_model_makes_the_new_speed_again_after_it_was_learned(result):
    def error(when):
        (row,) = [r for r in result["maps"][when] if r["hz"] == NEW and r["imbalance"] == 1]
        return np.square(np.subtract(row["given"], row["again"])).mean()

    assert error("after") < error("before")
    assert all(len(row["codes"][0]) == 2 for row in result["maps"]["after"])


def test_the_report_is_whole(result, place):
    paths = write_fan_report({**result, "counter_kind": "icount"}, place / "page")
    page = paths["report"].read_text()
    assert "</html>" in page and "http://" not in page.replace("http://www.w3.org", "")
    for row in result["phases"]:
        assert row["name"] in page
    assert len(paths["pictures"]) == 4 and all(path.stat().st_size for path in paths["pictures"])
    assert json.loads(paths["summary"].read_text())["kept"] is True
    again = api.report(paths["result"], place / "again")
    assert again["report"].read_text() == page
    log = api.report(place / "watch.jsonl", place / "log")["report"].read_text()
    assert "new blocks learned" in log and "What was learned" in log


def test_a_board_that_has_learned_is_left_alone(result, place, tmp_path):
    root = tmp_path / "flash"
    root.mkdir()
    board = FakeBoard(BoardFacts(root, RamFlash(96, 4096, 256)))
    with Device(Link(board.transport, timing=QUICK)) as device:
        fan._pushed(device, tmp_path, 2)
        device.observe(fan.vibration.raw(fan.Fan(1).windows(2, 15), device.taken().front_end))
        with pytest.raises(InputError, match="engram reset"):
            fan._pushed(device, tmp_path, 2)
    board.close()


SHARES = np.array([0] * 9 + [1], bool)


@pytest.mark.parametrize(
    "expects, alarmed, at, kept",
    [
        ("quiet", SHARES, None, False),
        ("quiet", ~SHARES & False, None, True),
        ("alarm", ~SHARES, None, True),
        ("alarm", np.roll(SHARES, 1) ^ ~SHARES, None, False),
        ("ends", np.arange(10) < 5, None, True),
        ("ends", np.arange(10) >= 5, None, False),
        ("learned", np.arange(10) < 3, 110, True),
        ("learned", np.arange(10) < 3, 104, True),
        ("learned", np.arange(10) < 2, 110, False),
        ("learned", np.arange(10) < 3, None, False),
        ("learned", np.arange(10) < 3, 99, False),
    ],
)
def test_a_promise_can_be_broken(expects, alarmed, at, kept):
    phase = Phase("p", (15, NEW), 1, expects)
    row = fan_phases.outcome(phase, 100, [NEW] * 10, alarmed, at)
    assert row["kept"] is kept


def test_faults_that_were_learned_are_counted():
    phases = [
        {"first": 0, "windows": 80, "imbalance": 1.0},
        {"first": 80, "windows": 80, "imbalance": 2.5},
    ]
    assert fan_phases.faults_learned(phases, [{"samples": [0, 72, 80]}, {"samples": [152]}]) == 2


def told(kept):
    row = {
        "name": "fault", "windows": 8, "expected": "at least 90%", "share": 0.5, "kept": kept,
        "expects": "alarm",
    }  # fmt: skip
    result = {"kept": kept, "phases": [row], "adapted": [], "faults_learned": 0}
    return {"result": result, "summary": {"kept": kept}, "paths": {"report": "page.html"}}


@pytest.mark.parametrize("kept", [True, False])
def test_the_exit_code_says_whether_the_promise_was_kept(monkeypatch, kept):
    monkeypatch.setattr(fan, "fan_demo", lambda *_, **__: told(kept))
    for form in ([], ["--json"]):
        answer = run("demo", "fan", *form)
        assert answer.exit_code == (0 if kept else 1)
        assert ("not as the demo promises: fault" in answer.stderr) is not kept
    assert json.loads(answer.stdout) == {"kept": kept}


def test_stock_firmware_is_refused_before_anything_is_done(tmp_path):
    answer = run("demo", "fan", "--port", "qemu_m4f_stock", "--out", tmp_path / "out")
    assert answer.exit_code == 1 and "--port qemu_m4f" in answer.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.board
@pytest.mark.parametrize(("name", "kind"), [("unix", "host"), ("qemu_m4f", "icount")])
def test_a_virtual_board_keeps_the_promise(name, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board = boards.load(name)
    if not board.artefact.exists():
        build.build(board)
    told = fan.fan_demo(name, out=tmp_path / "out")
    assert told["summary"]["kept"], told["summary"]["phases"]
    assert told["result"]["counter_kind"] == kind and told["result"]["units_a_window"] > 0
    assert (tmp_path / "out" / "report.html").exists()

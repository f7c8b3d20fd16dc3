"""What a session costs: the learner's work and what the link takes beside it, all of it told."""

import json

import pytest

from engram.link import calls
from engram_host import api, boards
from engram_host.device import _words
from engram_host.learning import log as logs
from engram_host.planning import energy
from engram_host.report import write_log_report
from host.command import run


@pytest.fixture
def learned(device, model, some, tmp_path):
    device.push_model(model)
    return api.learn(device, some([5, 6], 20), epochs=3, log=tmp_path / "l.jsonl")


def test_the_summary_tells_all_that_the_requests_took(learned):
    summary, steps = learned.summary, learned.steps
    assert set(summary["busy"]) == {"observe", "learn", "save"}
    assert summary["busy_units"] == sum(summary["busy"].values())
    assert summary["link"] == sum(step["link"] for step in steps) > 0
    assert summary["busy"]["learn"] >= summary["total"] + summary["link"]
    assert summary["busy"]["observe"] >= summary["observe_units"]
    assert summary["busy"]["save"] >= summary["save_units"]


def test_the_steps_share_what_their_requests_took(device, model, some):
    device.push_model(model)
    device.observe(some([5], 40))
    before = device.busy()
    steps = list(device.learning(4))
    total = sum(step["total"] + step["link"] for step in steps)
    whole = device.busy() - before
    assert 0 < total <= whole  # the last answer's own encoding is in the next request


def test_time_and_energy_are_of_the_whole_session(monkeypatch, device, model, some, tmp_path):
    known = boards.load_all()
    energy_model = energy.model_of("qemu_m4f", "instructions", known)
    monkeypatch.setattr(energy, "model_of", lambda *_: energy_model)
    device.push_model(model)
    result = api.learn(device, some([5], 20), epochs=1, log=tmp_path / "l.jsonl")
    assert result.summary["energy"] == energy_model.energy(result.summary["busy_units"])
    step = result.steps[0]
    assert step["energy"] == energy_model.energy(step["total"] + step["link"])


def test_the_heap_is_measured_twice_a_run_and_not_in_each_slice(device, model, some, monkeypatch):
    """On a board a collection costs more than a step."""
    device.push_model(model)
    device.observe(some([5], 40))
    collections = []
    heap_used = calls.heap_used
    monkeypatch.setattr(calls, "heap_used", lambda: collections.append(1) or heap_used())
    monkeypatch.setattr("engram_host.device._SLICE_ROWS", 1)
    before = len(collections)
    assert len(list(device.learning(6))) >= 15
    # before learn_begin, which is no slice, and before the first two slices
    assert len(collections) - before == 3


def test_the_command_and_the_log_show_it(learned, tmp_path):
    from rich.console import Console

    from engram_host.commands.learn import _table

    console = Console(width=120, record=True)
    console.print(_table(learned))
    text = console.export_text()
    steps = learned.summary["steps"]
    whole = (learned.summary["total"] + learned.summary["link"]) / steps
    assert f"{whole:,.0f} us (host)" in text
    assert f"{learned.summary['busy_units']:,} us (host): observe" in text and "link " in text
    lines = run("log", learned.log).stdout.splitlines()
    head = next(line for line in lines if "backward" in line)
    assert head.split()[-1] == "link"
    row = next(line for line in lines if line.split()[:1] == [f"1/{steps}"])
    assert row.split()[-1] == f"{learned.steps[0]['link']:,}"


def test_the_report_shows_it_and_the_learners_own_memory(learned, tmp_path):
    records = list(logs.read(learned.log))
    for record in records:
        if record["kind"] == "step":
            record.update(ram_bytes=900_000, learner_ram_bytes=51_200)
    log = tmp_path / "changed.jsonl"
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    page = write_log_report([log], tmp_path / "r")["report"].read_text()
    assert "50.0 KiB" in page and "878.9 KiB" not in page
    summary = learned.summary
    per_step = (summary["total"] + summary["link"]) / summary["steps"]
    assert f"{per_step:,.0f}" in page and "link (frames, JSON, heap)" in page


def test_progress_and_table_of_the_demo_count_the_same_classes():
    """The classes that came until then: the others are not known, and no failure."""
    result = {"n": 40, "correct": 19, "total": [10] * 4, "right": [10, 9, 0, 0]}
    assert _words(result) == "47.5% right"
    assert _words(result, [0, 1]) == "95.0% right on all classes seen"


@pytest.mark.board
def test_the_link_takes_less_than_a_step_on_a_board(own_boards, model, some, tmp_path):
    """Instructions on the emulated Cortex-M4F, exact: a request walked the heap four times."""
    from engram_host import virtual

    virtual.stop("qemu_m4f")
    api.start("qemu_m4f", fresh=True)
    with api.connect("qemu_m4f") as board:
        board.push_model(model, batch=16)
        result = api.learn(board, some([5], 100), epochs=2, log=tmp_path / "l.jsonl")
    summary = result.summary
    link = summary["busy"]["learn"] / summary["steps"] - summary["total"] / summary["steps"]
    assert 0 < link < 1_000_000
    assert 0.8 * summary["busy"]["learn"] < summary["total"] + summary["link"]
    assert summary["busy"]["observe"] / 100 < 400_000
    assert summary["learner_ram_bytes"] < summary["ram_bytes"]
    (first, *_) = summary["energy"]["mj"].items()
    assert first[1] == pytest.approx(
        energy.model_of("qemu_m4f", "instructions", boards.load_all()).energy(
            summary["busy_units"]
        )["mj"][first[0]]
    )

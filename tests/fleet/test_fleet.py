"""The boards that nothing else here runs on, in short; `make test-boards` runs all of it on
all of them. And the judge itself: a wrong line must come to light."""

import json

import pytest

from engram_host.errors import BuildError
from fleet import checks, run, table
from hosts import BoardHost

NEW = ("qemu_m33", "qemu_m55", "virtual_pico")
DEMO = {
    "accuracy_replay": 0.95,
    "accuracy_finetune": 0.1,
    "accuracy_joint": 0.97,
    "ram_peak_bytes": 100_000,
    "ram_planned_bytes": 100_500,
    "share_outside_kernels": 0.05,
    "per_step": 1_234_567,
    "unit": "instructions",
    "kind": "icount",
}
ROW = {
    "board": "some_board",
    "core": "cortex-m7",
    "ram_bytes": 1 << 20,
    "device_tests": {"wire_check": None},
    "demo": DEMO,
}


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize("name", NEW)
def test_device_tests(built, name, tmp_path):
    built(name)
    host = BoardHost(name, tmp_path)
    host.start()
    try:
        assert checks.run(host, checks.QUICK) == dict.fromkeys(checks.QUICK)
    finally:
        host.stop()


def test_a_wrong_line_is_seen():
    right = list(checks.reference("cpython-py", "learner_check"))
    assert checks.fault("learner_check", right) is None
    assert "lines expected" in checks.fault("learner_check", right[:-1])
    exact = next(i for i, line in enumerate(right) if line.startswith("exact"))
    close = next(i for i, line in enumerate(right) if line.startswith("close"))
    words = right[close].split()
    for at, line in ((exact, right[exact] + "1"), (close, " ".join([*words[:-1], "7.5"]))):
        assert "expected, got" in checks.fault(
            "learner_check", [*right[:at], line, *right[at + 1 :]]
        )
    assert checks.fault("heap_check", []) and checks.fault("kernels_check", [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accuracy_replay": 0.89, "accuracy_joint": 0.9}, "with replay 0.890 < 0.9"),
        ({"accuracy_finetune": 0.5}, "no contrast"),
        ({"accuracy_joint": 0.995}, "0.045 below joint"),
        ({"ram_planned_bytes": 98_900}, "98900 bytes planned"),
    ],
)
def test_a_bar_that_is_missed_is_told(change, words):
    assert run.faults_of(ROW) == []
    (message,) = run.faults_of({**ROW, "demo": {**DEMO, **change}})
    assert words in message


def test_a_failed_device_test_is_told():
    assert run.faults_of({**ROW, "device_tests": {"wire_check": "why"}}) == ["wire_check: why"]


def test_a_board_without_time_is_told():
    row = run.within("qemu_m7", 0)
    assert row["faults"] == ["the budget was used up"]
    assert table.cells(row)[3:5] == ["0/0", "–"]


def test_a_board_that_is_not_built_is_told(monkeypatch):
    def refuse(board):
        raise BuildError(f"no compiler for {board.name}\nits log")

    monkeypatch.setattr(run.build, "build", refuse)
    (row,) = run.all_rows(["qemu_m7"], 1e12)
    assert row["faults"] == ["no compiler for qemu_m7"]


def test_rows_of_other_boards_stay(tmp_path):
    out = tmp_path / "boards.json"
    old = [{"board": name, "was": "there"} for name in ("unix", "qemu_m3", "gone")]
    assert run.with_earlier([{"board": "unix"}], out) == [{"board": "unix"}]
    out.write_text(json.dumps({"boards": old}))
    assert run.with_earlier([{"board": "unix"}], out) == [old[1], {"board": "unix"}]


def test_table_is_put_into_the_document(tmp_path):
    page = tmp_path / "boards.md"
    table.put(table.markdown([ROW]), page)
    page.write_text(page.read_text() + "\nmore\n")
    table.put(table.markdown([ROW, ROW | {"board": "other"}]), page)
    text = page.read_text()
    assert text.startswith("# Boards") and text.endswith("\nmore\n")
    row = "| cortex-m7 | 1024 KB | 1/1 | 95.0 % | 10.0 % | 100,000 B |"
    row += " 1,234,567 instructions (icount) | 5.0 % |"
    assert f"\n| `other` {row}\n| `some_board` {row}\n{table.END}" in text
    table.put(table.markdown([ROW | {"core": "new"}]), page)
    assert page.read_text() == text.replace("some_board` | cortex-m7", "some_board` | new")


def test_a_table_of_other_columns_is_replaced(tmp_path):
    page = tmp_path / "boards.md"
    page.write_text(f"{table.BEGIN}\n| board | was |\n|---|---|\n| `old` | 1 |\n{table.END}\n")
    table.put(table.markdown([ROW]), page)
    assert "`some_board`" in page.read_text() and "`old`" not in page.read_text()

"""Install and demo to their end on emulated boards with stock firmware, held to its bars."""

import pytest

from engram_host import boards
from install import stock_boards

ROW = {
    "board": "some_board",
    "ram_bytes": 1 << 18,
    "kernels": {"_engram_small": "armv7emsp"},
    "library_bytes": 115_000,
    "micro": 8,
    "free_bytes": 30_000,
    "unit": "instructions",
    "per_step": 9_000_000,
    "replay": 0.95,
    "finetune": 0.1,
    "joint": 0.97,
}


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize("name", stock_boards.NAMES)
def test_install_and_demo(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    row = stock_boards.measure(name + boards.STOCK, tmp_path)
    assert stock_boards.faults_of(row) == []
    assert row["kernels"], "native ones expected on every emulated board"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replay": 0.89, "joint": 0.9}, "with replay 0.890"),
        ({"finetune": 0.5}, "no contrast"),
        ({"joint": 0.995}, "joint 0.995"),
        ({"free_bytes": 11_000}, "leaves 11000 bytes"),
    ],
)
def test_a_bar_that_is_missed_is_told(change, words):
    assert stock_boards.faults_of(ROW) == []
    (message,) = stock_boards.faults_of({**ROW, **change})
    assert words in message


def test_the_table_has_a_line_a_board():
    lines = stock_boards.table([ROW, ROW]).splitlines()
    assert len({line.count("|") for line in lines}) == 1 and len(lines) == 4
    assert "| `some_board_stock` | 256 KB | `_engram_small` of armv7emsp |" in lines[2]

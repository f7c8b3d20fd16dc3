"""The document of whole models: made by the command, with every row, and what it promises."""

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import models  # noqa: E402
import models_table  # noqa: E402

LEAST = 1.3  # times as many instructions as ours, of another library's kernels


def printed(name):
    page = models_table.DOCUMENT.read_text()
    return re.search(f"(?s)<!-- {name}: begin -->(.*)<!-- {name}: end -->", page)[1]


@pytest.mark.parametrize("board", models.BOARDS)
@pytest.mark.parametrize("model", models.MODELS)
def test_the_document_has_a_row_for_every_model_on_every_board(model, board):
    rows = [line for line in printed("models").splitlines() if f"| {model} | {board} |" in line]
    assert len(rows) == 1


@pytest.mark.parametrize("model", models.MODELS)
def test_a_model_beats_the_other_library_in_both_codes(model):
    rows = [line for line in printed("models").splitlines() if line.startswith(f"| {model} |")]
    ratios = {row.split(" | ")[1]: re.findall(r"([0-9.]+) times", row) for row in rows}
    for board in ("qemu_m7", "qemu_m0p"):
        assert float(ratios[board][0]) >= LEAST


def test_figures_are_compared_layer_by_layer_with_those_of_the_same_code():
    (model, arch), theirs = next(iter(models_table.peers().items()))
    name, their = next(iter(theirs.items()))
    layer = {"layer": name, "products": their, "instructions": their // 2}
    copy = {"layer": models.COPY, "products": 0, "instructions": their // 2}
    row = {
        "model": model, "board": "qemu_m4f", "instructions": their, "ram_planned_bytes": 1,
        "ram_measured_bytes": 1, "frozen_weight_bytes": 1, "flash_bytes": 1,
        "layers": [layer, copy],
    }  # fmt: skip
    assert arch == "armv7emsp"
    assert f"| {their:,} | 1.00 times |" in models_table.whole([row])
    assert f"| {their:,} | 2.00 times |" in models_table.by_layer([row])
    other = {**row, "board": "qemu_m3"}  # of whose code there are no figures
    assert "times" not in models_table.whole([other])
    assert models_table.by_layer([other]).count("\n") == 1

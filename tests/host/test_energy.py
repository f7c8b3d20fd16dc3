"""Time, energy and the plan's table: formulas, and the figures of the boards."""

import io
import json

import numpy as np
import pytest
from demo_result import CHIPS, M7, chip
from rich.console import Console

from engram.continual.config import Config
from engram.errors import ModelError
from engram.nn.model import ModelSpec
from engram_host import boards
from engram_host.boards import home
from engram_host.convert import convert
from engram_host.errors import InputError
from engram_host.planning.energy import (
    CORTEX_M4F,
    ESTIMATE_CODE,
    INSTRUCTIONS_PER_MAC,
    code_of,
    cost,
    costs,
    estimate_instructions,
    left_out,
)
from engram_host.planning.report import plan_report, plan_table


def test_cost_is_cycles_over_clock_times_power():
    board = chip("fast", "Some Chip", 100_000_000, 40.0)  # 1.25 cycles an instruction
    assert cost(200_000_000, board, CORTEX_M4F) == {
        "board": "fast",
        "chip": "Some Chip",
        "instructions": 200_000_000,
        "ms": pytest.approx(2500),
        "mj": pytest.approx(100),
        "least_mj": pytest.approx(100),
        "assumption": "",
        "source": "model",
    }


def test_a_board_without_power_figures_has_no_cost():
    bare = {key: value for key, value in CHIPS[0].items() if key != "power"}
    with pytest.raises(InputError, match=r"board nano: expected \[power\] with active_mw"):
        cost(1, bare, CORTEX_M4F)
    assert [row["board"] for row in costs(1, [bare, CHIPS[1]], CORTEX_M4F)] == ["nucleo"]
    assert left_out([bare, CHIPS[1]], CORTEX_M4F) == {}


# Chips of three sorts of code; on the right those that a count in the code of the left stands for.
SORTS = {
    "m4f": chip("m4f", "An M4F", 1, 1.0),
    "m7": chip("m7", "An M7", 1, 1.0, M7),
    "m3": chip("m3", "An M3", 1, 1.0, {"core": "cortex-m3", "arch": "armv7m"}),
    "m4": chip("m4", "An M4", 1, 1.0, {"core": "cortex-m4", "arch": "armv7em"}),
}


@pytest.mark.parametrize(
    ("source", "holds"),
    [("m4f", ["m4f", "m7"]), ("m7", ["m7"]), ("m3", ["m3"]), ("m4", ["m4"])],
)
def test_a_count_stands_for_chips_that_run_the_same_code(source, holds):
    """A float addition is one instruction with an FPU, and a call of some dozens without."""
    code, chips = code_of(SORTS[source]), list(SORTS.values())
    assert [row["board"] for row in costs(1000, chips, code)] == holds
    reasons = left_out(chips, code)
    assert sorted([*reasons, *holds]) == sorted(SORTS)
    for name, reason in reasons.items():
        assert str(code) in reason and str(code_of(SORTS[name])) in reason
        with pytest.raises(InputError, match=f"board {name}: no time or energy: counted in"):
            cost(1, SORTS[name], code)


def test_what_is_assumed_of_a_chip_stands_beside_its_figure():
    assumptions = {row["board"]: row["assumption"] for row in costs(1, CHIPS, CORTEX_M4F)}
    assert "subset of its own" in assumptions.pop("teensy")
    assert set(assumptions.values()) == {""}


def test_an_assumed_count_gives_a_range_that_holds_the_count_of_its_own_code():
    """A training step of the digits: 1,000,701 instructions on qemu_m4f, 680,816 on qemu_m7."""
    teensy = [boards.load("teensy41").facts]
    (row,) = costs(1_000_701, teensy, CORTEX_M4F)
    (own,) = costs(680_816, teensy, code_of(boards.load("qemu_m7").facts))
    assert own["least_mj"] == own["mj"] and own["assumption"] == ""
    assert row["least_mj"] <= own["mj"] < row["mj"]
    assert "0.68 of the instructions" in row["assumption"]


def test_the_boards_without_fpu_say_nothing_of_the_chips_with_one():
    facts = {board.name: board.facts for board in boards.load_all()}
    names = {name for name, board in facts.items() if "power" in board}
    assert ESTIMATE_CODE == code_of(facts["qemu_m4f"])  # the benchmarks that it rests on
    assert {row["board"] for row in costs(1, facts.values(), code_of(facts["qemu_m4f"]))} == names
    with_fpu = {name for name in names if "fpu" in facts[name]["chip"]}
    for source in ("qemu_m3", "qemu_m0p"):
        assert with_fpu <= set(left_out(facts.values(), code_of(facts[source])))


def test_three_chips_have_figures_with_their_sources():
    rows = [board for board in boards.load_all() if board.has_power_figures]
    assert len({board.facts["chip"]["name"] for board in rows}) >= 3
    for board in rows:
        power = board.facts["power"]
        assert 1 <= power["cycles_per_instruction"] < 4 and 1 < power["active_mw"] < 2000
        assert len(power["source"]) > 20 and len(power["cpi_source"]) > 20


def test_estimates_weigh_both_kinds_of_mac():
    per = INSTRUCTIONS_PER_MAC
    assert estimate_instructions(1000, 0) == round(1000 * per["int8"])
    assert estimate_instructions(1000, 10) == round(1000 * per["int8"] + 10 * per["f32"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "digits.safetensors"
    pixels = np.random.default_rng(0).integers(0, 17, (64, 8, 8, 1)).astype(np.uint8)
    convert(home() / "examples/digits/digits_float.safetensors", pixels, path)
    return path


def test_the_plan_counts_what_the_layers_do(model):
    report = plan_report(model, CHIPS, batch=16)
    rows = [(r["op"], r["parameters"], r["macs_forward"], r["macs_backward"])
            for r in report["layers"]]  # fmt: skip
    conv3, classifier = 2 * 2 * 32 * 9 * 12, 32 * 10
    assert rows == [
        ("conv2d", 16 * 9 + 3 * 16, 8 * 8 * 16 * 9, 0),
        ("conv2d", 12 * 9 * 16 + 3 * 12, 4 * 4 * 12 * 9 * 16, 0),
        ("conv2d", 32 * 9 * 12 + 32, conv3, conv3),  # nothing below needs a gradient
        ("relu", 0, 0, 0),
        ("global_avgpool", 0, 0, 0),
        ("dense", 330, classifier, 2 * classifier),
    ]
    assert report["macs_observe"] == 9216 + 27648
    assert report["macs_predict"] == report["macs_observe"] + conv3 + classifier
    assert report["macs_step"] == 16 * (2 * conv3 + 3 * classifier)
    assert sum(row["flash_bytes"] for row in report["layers"]) < report["model_file_bytes"]


def test_the_plan_is_the_device_librarys(model):
    with model.open("rb") as stream:
        layout = Config(ModelSpec(stream), 8).plan(500).layout
    report = plan_report(model, CHIPS, batch=8, replay_slots=500, bits=8)
    assert report["ram_peak_bytes"] == layout.total_bytes
    assert [tuple(row) for row in report["ram_rows"]] == layout.rows
    smaller = plan_report(model, CHIPS, batch=4, replay_slots=500, bits=8)
    assert smaller["ram_peak_bytes"] < report["ram_peak_bytes"]


def test_the_plan_says_what_fits(model):
    tiny = chip("tiny", "Tiny", 1_000_000, 1.0)
    tiny["chip"]["ram_bytes"] = 20_000
    fit = {row["board"]: row["fits"] for row in plan_report(model, [*CHIPS, tiny])["fit"]}
    assert fit == {"nano": True, "nucleo": True, "teensy": True, "tiny": False}
    tiny["chip"]["ram_bytes"] = 1 << 20
    tiny["memory"] = {"heap_bytes": 30_000}  # what MicroPython may have counts, not the chip
    assert not plan_report(model, [tiny])["fit"][0]["fits"]


def test_the_plans_table_shows_layers_and_chips(model):
    report = plan_report(model, CHIPS)
    console = Console(file=io.StringIO(), width=130)
    console.print(plan_table(report))
    text = console.file.getvalue()
    for word in ("global_avgpool", "13,824", f"{report['ram_peak_bytes']:,} B", "i.MX RT1062"):
        assert word in text
    assert "(model)" in text
    json.dumps(report)


def test_a_missing_model_is_said(tmp_path):
    with pytest.raises(ModelError, match="make it with `engram convert`"):
        plan_report(tmp_path / "none.safetensors", CHIPS)

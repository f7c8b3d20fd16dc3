"""The plan of a learner, against the learner that a board then opens."""

import json

import pytest
from command import run

from engram.errors import DataError
from engram.nn.model import ModelSpec
from engram.session import open_flash
from engram.store.file_units import FileUnits
from engram_host import api, boards
from engram_host.planning.report import plan_report

REGION = {
    "store_bytes": 96 * 4096, "erase_bytes": 4096, "program_bytes": 256, "program_once": False,
}  # fmt: skip
BOARD = {
    "name": "fake",
    "chip": {"name": "none", "clock_hz": 1, "ram_bytes": 262_144},
    "flash": REGION,
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bits": 4},
        {"strategy": "head", "bits": 3},
        {"strategy": "ewc", "bits": 5, "batch": 8},
        {"depth": 1, "classes": 14, "bits": 4},
    ],
    ids=str,
)
def test_the_board_opens_what_was_planned(device, model, options):
    fit = plan_report(model, [BOARD], **options)["fit"][0]
    told = device.push_model(model, **options)
    assert fit["needed_bytes"] == told["ram_planned_bytes"]
    store = device.store_info()["store"]
    assert fit["flash"]["latents"] == store["capacity"]
    assert fit["flash"]["slot_bytes"] == store["slot_bytes"]
    assert fit["flash"]["store_bytes"] == 96 * 4096
    assert fit["flash"]["saved_bytes"] == (96 - store["blocks"]) * 4096


@pytest.mark.parametrize("name", ["teensy41", "rpi_pico"])
def test_a_real_board_is_planned_with_the_files_its_firmware_keeps(name, model, tmp_path):
    fit = plan_report(model, [boards.load(name).facts])["fit"][0]
    kept = boards.store(boards.load(name).facts)
    assert kept.kind == "files"
    files = FileUnits(str(tmp_path / "engram_store"), kept.units, kept.erase_bytes)
    with open(model, "rb") as stream:
        store, _, _ = open_flash(ModelSpec(stream), files, files.program_bytes, 8)
    assert fit["flash"]["latents"] == store.capacity > 0
    assert fit["flash"]["slot_bytes"] == store.info()["slot_bytes"]


def test_fewer_layers_that_learn_cost_less(model):
    whole, head = plan_report(model, [BOARD]), plan_report(model, [BOARD], depth=1)
    assert head["ram_peak_bytes"] < whole["ram_peak_bytes"]
    assert head["macs_step"] < whole["macs_step"]
    below = [row for row in head["layers"] if row["stage"] == "adaptive"][0]
    assert below["macs_backward"] == 0 and below["ram_bytes"] < whole["layers"][2]["ram_bytes"]


def backward(model, **options):
    """{name: multiply-accumulates of the backward pass} of the adaptive nodes with weights."""
    rows = plan_report(model, [], **options)["layers"]
    return {
        row["name"]: row["macs_backward"]
        for row in rows
        if row["stage"] == "adaptive" and row["parameters"]
    }


def test_backward_passes_follow_what_learns(model):
    """Weights that learn cost as much as the forward pass; gradients of inputs the same, where
    something below learns; biases nothing to speak of."""
    conv, dense = 2 * 2 * 32 * 9 * 12, 32 * 10
    assert backward(model) == {"a0": conv, "a3": 2 * dense}
    assert backward(model, scope="head") == {"a0": 0, "a3": dense}
    assert backward(model, scope="a0") == {"a0": conv, "a3": dense}
    assert backward(model, scope="bias") == {"a0": 0, "a3": dense}
    assert backward(model, scope="head,a0.b") == {"a0": 0, "a3": 2 * dense}


def test_what_learning_keeps_follows_its_options(model):
    def peak(**options):
        return plan_report(model, [], batch=16, **options)["ram_peak_bytes"]

    assert peak(micro=1) < peak(micro=4) < peak(micro=16)
    learned = 4 * (12 * 9 * 32 + 32 + 330)
    arena = {
        name: sum(row[2] for row in plan_report(model, [], optimiser=name)["ram_rows"]
                  if row[0] in ("grads", "velocity", "mean", "square"))
        for name in ("sgd", "momentum", "adam")
    }  # fmt: skip
    assert arena == {"sgd": learned, "momentum": learned, "adam": 3 * learned}
    assert plan_report(model, [], momentum=0.0)["optimiser"] == "sgd"
    with pytest.raises(DataError, match=r"expected a micro-batch that divides the batch .*got 5"):
        peak(micro=5)


def test_the_command_takes_the_options_of_learning(model):
    words = "--micro 2 --scope head --optimiser adam --clip 1 --board teensy41 --json".split()
    told = json.loads(run("plan", model, *words).stdout)
    assert (told["micro"], told["scope"], told["optimiser"]) == (2, "head", "adam")
    assert told["fit"][0]["micro"] == 2
    shown = run("plan", model, "--momentum", "0", "--batch", "8").stdout
    assert "mini-batches of 8" in shown and "frozen" in shown
    wrong = run("plan", model, "--scope", "nothing")
    assert wrong.exit_code != 0 and "a3" in wrong.stderr


def test_a_region_that_is_too_small_does_not_fit(model):
    small = {**BOARD, "flash": {**REGION, "store_bytes": 8 * 4096}}
    fit = plan_report(model, [small])["fit"][0]
    assert fit["flash"]["latents"] == 0 and not fit["fits"]
    with pytest.raises(DataError, match="expected a strategy of .*, got magic"):
        api.plan(model, strategy="magic")

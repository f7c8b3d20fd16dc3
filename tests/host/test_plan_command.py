"""The plan of a learner, against the learner that a board then opens."""

import json
import re

import pytest
from command import run

from engram.errors import DataError
from engram.nn.model import ModelSpec
from engram.opener import open_flash
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
    result = device.push_model(model, **options)
    assert fit["needed_bytes"] == result["ram_planned_bytes"]
    store = device.store_info()["store"]
    assert fit["flash"]["latents"] == store["capacity"]
    assert fit["flash"]["slot_bytes"] == store["slot_bytes"]
    assert fit["flash"]["store_bytes"] == 96 * 4096
    assert fit["flash"]["saved_bytes"] == (96 - store["blocks"]) * 4096


def test_a_pico_is_planned_with_the_region_of_the_emulated_one(model):
    fits = plan_report(
        model, [boards.load(name).facts for name in ("rpi_pico", "virtual_pico")], bits=8
    )["fit"]
    assert fits[0]["flash"] == fits[1]["flash"]
    assert fits[0]["flash"]["store_bytes"] == 192 * 4096 and fits[0]["flash"]["latents"] > 1000
    assert boards.store(boards.load("rpi_pico").facts).mapped


@pytest.mark.parametrize("name", ["esp32_generic_s3", "esp32_generic"])
def test_a_real_board_is_planned_with_the_files_its_firmware_keeps(name, model, tmp_path):
    fit = plan_report(model, [boards.load(name).facts], bits=8)["fit"][0]
    region = boards.store(boards.load(name).facts)
    assert region.kind == "files"
    files = FileUnits(str(tmp_path / "engram_store"), region.units, region.erase_bytes)
    with open(model, "rb") as stream:
        store, _, _ = open_flash(ModelSpec(stream), files, files.program_bytes, 8)
    assert fit["flash"]["latents"] == store.capacity > 0
    assert fit["flash"]["slot_bytes"] == store.info()["slot_bytes"]


# --- whether it fits -----------------------------------------------------------------------------

ROOM = {"heap_bytes": 90_000, "fs_bytes": 122_880}


def fit_of(model, room=ROOM, flash=REGION, **options):
    """With an index of the store for latents of 8 bits, if nothing else is said."""
    board = {**BOARD, "flash": flash, "room": room}
    return plan_report(model, [board], **{"bits": 8, **options})["fit"][0]


def test_a_plan_is_held_against_the_memory_that_a_learner_gets(model):
    """Not against the chip's RAM: firmware, agent and library have their part."""
    roomy = fit_of(model, {**ROOM, "heap_bytes": 200_000})
    assert roomy["available"] == "measured" and roomy["available_bytes"] == 200_000
    assert roomy["fits"] and roomy["micro"] == 16 and roomy["reasons"] == []
    tight = fit_of(model)
    assert tight["fits"] and tight["micro"] < 16  # as a board does by itself


def test_memory_while_a_learner_is_opened_counts(model):
    fit = fit_of(model, {**ROOM, "heap_bytes": 60_000})
    assert fit["needed_bytes"] < 60_000 < fit["opening_bytes"] and not fit["fits"]
    (reason,) = fit["reasons"]
    over = fit["opening_bytes"] - 60_000
    assert reason.startswith(f"RAM: expected {fit['opening_bytes']:,} bytes free while ")
    assert reason.endswith(f"got 60,000: {over:,} too few")


def test_a_model_larger_than_the_free_files_does_not_fit(model):
    fit = fit_of(model, {"heap_bytes": 200_000, "fs_bytes": 16_384})
    assert not fit["fits"] and fit["proposal"] == {}
    assert fit["reasons"] == [
        "files: expected 24,576 bytes free for the model file of 19,336, got 16,384"
    ]


def test_latents_larger_than_an_erase_unit_are_the_reason_and_fewer_bits_the_way(model):
    small_units = {**REGION, "erase_bytes": 160, "program_bytes": 16, "store_bytes": 384_000}
    fit = fit_of(model, {**ROOM, "heap_bytes": 400_000}, small_units)
    assert not fit["fits"] and "192-byte latents" in fit["reasons"][0]
    assert fit["proposal"] == {"bits": 4}
    assert fit_of(model, {**ROOM, "heap_bytes": 400_000}, small_units, bits=4)["fits"]


@pytest.mark.parametrize(
    ("heap", "options", "proposal"),
    [
        (98_000, {"micro": 16}, {"batch": 8}),
        (73_000, {"optimiser": "adam"}, {"scope": "head"}),
        (85_000, {"strategy": "ewc"}, {"strategy": "replay"}),
        (20_000, {}, {}),
    ],
)
def test_what_is_proposed_fits_and_nothing_smaller_does(model, heap, options, proposal):
    room = {**ROOM, "heap_bytes": heap}
    fit = fit_of(model, room, **options)
    assert not fit["fits"] and fit["proposal"] == proposal
    if proposal:
        changed = {**options, **proposal}
        if "micro" in options:
            changed["micro"] = min(options["micro"], changed.get("batch", 16))
        assert fit_of(model, room, **changed)["fits"]


def test_a_board_without_a_measurement_is_estimated_and_says_so(model):
    facts = boards.load("rpi_pico").facts
    fit = plan_report(model, [facts])["fit"][0]
    assert fit["available"] == "estimated"
    assert fit["available_bytes"] < facts["chip"]["ram_bytes"] - 50_000
    assert "about 21" in run("plan", model, "--board", "rpi_pico").stdout


def test_a_stock_board_by_name_has_less_room_and_its_store_in_files(model):
    ours, stock = api.plan(model, boards=["qemu_m4f", "qemu_m4f_stock"])["fit"]
    assert stock["available_bytes"] < ours["available_bytes"] - 60_000
    assert stock["flash"]["store_bytes"] < ours["flash"]["store_bytes"]
    assert stock["micro"] < ours["micro"] == 16


def test_a_refusal_names_the_way_out_at_the_command_line(model):
    words = ["--board", "qemu_m4f_stock", "--strategy", "ewc", "--batch", "32", "--micro", "32"]
    text = " ".join(run("plan", model, *words).stdout.split())
    assert "qemu_m4f_stock: RAM: expected" in text and "too few" in text
    assert re.search(r"it fits with --(scope|strategy|batch) \w+", text)


def test_a_connected_board_is_asked(device, model):
    fit = api.plan(model, port=device)["fit"]
    assert [(row["board"], row["available"]) for row in fit] == [("fake", "asked")]
    assert fit[0]["fits"] and fit[0]["flash"]["store_bytes"] == 96 * 4096


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
    report = json.loads(run("plan", model, *words).stdout)
    assert (report["micro"], report["scope"], report["optimiser"]) == (2, "head", "adam")
    assert report["fit"][0]["micro"] == 2
    output = run("plan", model, "--momentum", "0", "--batch", "8").stdout
    assert "mini-batches of 8" in output and "frozen" in output
    wrong = run("plan", model, "--scope", "nothing")
    assert wrong.exit_code != 0 and "a3" in wrong.stderr


def test_a_region_that_is_too_small_does_not_fit(model):
    small = {**BOARD, "flash": {**REGION, "store_bytes": 8 * 4096}}
    fit = plan_report(model, [small])["fit"][0]
    assert fit["flash"]["latents"] == 0 and not fit["fits"]
    with pytest.raises(DataError, match="expected a strategy of .*, got magic"):
        api.plan(model, strategy="magic")

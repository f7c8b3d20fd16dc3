"""The plan of a learner, against the learner that a board then opens."""

import pytest

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


def test_a_region_that_is_too_small_does_not_fit(model):
    small = {**BOARD, "flash": {**REGION, "store_bytes": 8 * 4096}}
    fit = plan_report(model, [small])["fit"][0]
    assert fit["flash"]["latents"] == 0 and not fit["fits"]
    with pytest.raises(DataError, match="strategy .* expected, magic came"):
        api.plan(model, strategy="magic")

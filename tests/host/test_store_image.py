"""The store-... verbs and rollback, on flash images and on a board."""

import json
from binascii import crc32

import numpy as np
import pytest
from click.testing import CliRunner

from engram.store import Checkpoints, RamFlash, Region, ReplayStore
from engram_host import api, samples
from engram_host.cli import main
from engram_host.device import Device
from engram_host.errors import DeviceError
from engram_host.line.link import Link
from engram_host.store.figures import saved_states
from engram_host.store.image import StoreImage
from host.conftest import QUICK


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture(params=[False, True], ids=["packed", "aligned"])
def lived(request, tmp_path):
    """A flash whose log begins at 4096, its store after a few collections, and its file."""
    flash = RamFlash(6, 1024, 16)
    store = ReplayStore(flash, 16, 0xC0FFEE11, 40, bits=4, align=request.param, reserve=2)
    for n in range(150):
        if len(store) == store.capacity - 5:
            store.delete(next(s for s in range(len(store.labels)) if store.labels[s] != 255))
        store.append(bytes([n]) * 40, n % 3, n)
    assert store.info()["collections"] > 3
    file = tmp_path / "flash.bin"

    def write():
        file.write_bytes(b"\x11" * 4096 + bytes(flash.data))
        return file

    return flash, store, write


def test_an_intact_image(lived):
    _, store, write = lived
    result = run("store-check", "--image", write(), "--json")
    assert result.exit_code == 0, result.output
    facts, info = json.loads(result.output), store.info()
    assert facts["live"] == info["live"] and facts["damaged"] == 0
    assert facts["labels"] == {str(label): store.counts(label) for label in range(3)}
    assert (facts["model_id"], facts["bits"], facts["latent_bytes"]) == ("c0ffee11", 4, 40)
    assert (facts["units"], facts["erase_bytes"]) == (6, 1024)
    assert facts["slots_per_unit"] == info["slots_per_block"]
    assert facts["wear_max"] == info["wear_max"]
    assert "no damage" in run("store-check", "--image", write()).output


def test_targets_are_shown(tmp_path):
    flash = RamFlash(6, 1024, 16)
    store = ReplayStore(flash, 16, 0xC0FFEE11, 40, targets=2)
    for n in range(30):
        store.append(bytes([n]) * 40, 254, 1, np.array([n, -n / 4], np.float32).tobytes())
    image, lines = tmp_path / "flash.bin", tmp_path / "all.jsonl"
    image.write_bytes(bytes(flash.data))
    facts = json.loads(run("store-info", "--image", image, "--json").output)
    assert (facts["format_version"], facts["targets"], facts["live"]) == (2, 2, 30)
    assert "2 float32 targets" in " ".join(run("store-info", "--image", image).output.split())
    assert json.loads(run("store-check", "--image", image, "--json").output)["targets"] == 2
    assert run("store-dump", lines, "--image", image).exit_code == 0
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["target"] for row in rows] == [[n, -n / 4] for n in range(30)]
    assert run("store-format", "--yes", "--keep-wear", "--image", image).exit_code == 0
    assert json.loads(run("store-info", "--image", image, "--json").output)["targets"] == 2


def test_a_bit_that_fell_over_is_shown(lived):
    flash, store, write = lived
    slot = next(s for s in range(len(store.labels)) if store.labels[s] != 255)
    latent = bytearray(40)
    store.read_into(slot, latent)
    flash.data[flash.data.find(bytes(latent)) + 7] ^= 16
    result = run("store-check", "--image", write(), "--json")
    facts = json.loads(result.output)
    assert result.exit_code == 1 and facts["damaged"] == 1
    assert facts["live"] == store.info()["live"] - 1
    unit, index = divmod(slot, facts["slots_per_unit"])
    assert f"unit {unit - facts_first(flash)}, slot {index}" in run(
        "store-check", "--image", write()
    ).output


def facts_first(flash):
    """The first unit that has a header: units are numbered from it."""
    return next(n for n in range(6) if flash.data[n * 1024 : n * 1024 + 4] == b"EGRL")


def test_dumps_hold_every_sample_once(lived, tmp_path):
    _, store, write = lived
    lines, arrays = tmp_path / "all.jsonl", tmp_path / "all.npy"
    for out in (lines, arrays):
        result = run("store-dump", out, "--image", write())
        assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    target = set()
    for slot, label in enumerate(store.labels):
        if label != 255:
            latent = bytearray(40)
            store.read_into(slot, latent)
            target.add((latent.hex(), label))
    assert len(rows) == len(target) and {(row["latent"], row["label"]) for row in rows} == target
    assert all(row["latent"] == f"{row['session']:02x}" * 40 for row in rows)
    latents = np.load(arrays)
    assert latents.shape == (len(target), 40) and latents[0].tobytes().hex() == rows[0]["latent"]


def test_what_is_no_image_is_refused(tmp_path):
    file = tmp_path / "noise.bin"
    file.write_bytes(bytes(8192))
    result = run("store-check", "--image", file)
    assert result.exit_code == 1 and "expected a replay log" in result.stderr
    result = run("store-check", "--image", tmp_path / "none.bin")
    assert result.exit_code == 1 and "expected a flash image" in result.stderr
    result = run("store-dump", tmp_path / "x.csv", "--image", file)
    assert result.exit_code == 1 and ".jsonl, .npy or .bin" in result.stderr


# --- figures, formats, boards -------------------------------------------------------------------


@pytest.fixture
def region(tmp_path):
    """A region of 12 units, a log of 8 and two saved states behind it; its store, its file."""
    flash = RamFlash(12, 1024, 16)
    store = ReplayStore(Region(flash, 0, 8), 16, 0xC0FFEE11, 40, bits=4)
    for n in range(400):
        if len(store) == store.capacity - 5:
            store.delete(next(s for s in range(len(store.labels)) if store.labels[s] != 255))
        store.append(bytes([n & 0xFF]) * 40, n % 3, n // 100)
    checkpoints = Checkpoints(flash, 16, 0xBEEF, 8, 4)
    for _ in range(3):
        checkpoints.save([bytes(100), bytes(1500)])
    file = tmp_path / "region.bin"
    file.write_bytes(b"\x11" * 4096 + bytes(flash.data))
    return flash, store, file


def test_figures_are_those_of_the_store(region):
    flash, store, file = region
    result = run("store-info", "--image", file, "--json")
    assert result.exit_code == 0, result.output
    facts, info = json.loads(result.output), store.info()
    for name, key in (
        ("live", "live"), ("capacity", "capacity"), ("dead", "dead"), ("damaged", "torn"),
        ("free_units", "free_blocks"), ("wear_min", "wear_min"), ("wear_max", "wear_max"),
        ("index_ram_bytes", "ram_bytes"), ("appended", "appended"), ("slot_bytes", "slot_bytes"),
    ):  # fmt: skip
        assert facts[name] == info[key], name
    amplification = (info["appended"] + info["moved"]) / info["appended"]
    assert info["moved"] > 0 and facts["write_amplification"] == pytest.approx(amplification, 5e-3)
    assert sum(facts["sessions"].values()) == info["live"] and "3" in facts["sessions"]
    states = facts["checkpoints"]
    assert [state["generation"] for state in states] == [3, 2]
    assert all(state["intact"] and state["model_id"] == "0000beef" for state in states)
    assert states[0]["parts"] == [100, 1500]
    text = run("store-info", "--image", file).output
    assert "generation 3 of model 0000beef" in text and "c0ffee11" in text


def test_a_damaged_state_is_shown_as_such(region):
    _, _, file = region
    image = bytearray(file.read_bytes())
    image[4096 + 8 * 1024 + 700] ^= 1  # generation 3 went over the first
    file.write_bytes(image)
    states = json.loads(run("store-info", "--image", file, "--json").output)["checkpoints"]
    assert [(s["generation"], s["intact"]) for s in states] == [(2, True), (3, False)]


def test_the_log_is_found_where_its_first_unit_lost_its_header(region):
    flash, store, file = region
    image = bytearray(file.read_bytes())
    image[4096 : 4096 + 1024] = b"\xff" * 1024
    file.write_bytes(image)
    facts = json.loads(run("store-info", "--image", file, "--json").output)
    loss = sum(store.labels[s] != 255 for s in range(facts["slots_per_unit"]))
    assert facts["live"] == store.info()["live"] - loss and len(facts["checkpoints"]) == 2


def test_formats_of_an_image(region):
    _, store, file = region
    before = file.read_bytes()
    result = CliRunner().invoke(main, ["store-format", "--image", str(file)], input="n\n")
    assert result.exit_code == 1 and file.read_bytes() == before
    text = " ".join(result.stderr.split())
    assert f"{len(store)} stored samples of model c0ffee11" in text
    assert "generation 3 of model 0000beef" in text and "Erase that?" in text
    assert run("store-format", "--image", file, "--yes", "--keep-wear").exit_code == 0
    facts = json.loads(run("store-info", "--image", file, "--json").output)
    assert facts["live"] == 0 and facts["checkpoints"] == []
    assert facts["wear_max"] > store.info()["wear_max"]
    assert run("store-format", "--image", file, "--yes").exit_code == 0
    assert file.read_bytes() == before[:4096] + b"\xff" * (12 * 1024)
    file.write_bytes(b"\xff" * 12 * 1024)
    result = run("store-info", "--image", file)
    text = " ".join(result.stderr.split())
    assert result.exit_code == 1 and "expected stored samples, got blank flash" in text


def test_an_image_and_a_port_are_one_too_many(region):
    result = run("store-info", "--image", region[2], "--port", "unix")
    assert result.exit_code == 2 and "got both" in result.stderr


def test_a_board_is_read_as_its_image_is(board, device, model, some, tmp_path):
    api.push_model(device, model)
    with pytest.raises(DeviceError, match="no saved state is there"):
        api.rollback(device)
    for label in (5, 6):
        api.learn(device, some([label], 30))
    copy = tmp_path / "copy.bin"
    assert api.store_dump(None, copy, port=device)["samples"] == 60
    assert copy.read_bytes() == bytes(board.facts.store_device().data)
    on_board, in_file = api.store_info(port=device), api.store_info(copy)
    assert on_board.pop("source") == "the replay region of fake" and in_file.pop("source")
    assert on_board == in_file and on_board["labels"] == {"5": 30, "6": 30}
    info = device.store_info()
    assert on_board["capacity"] == info["store"]["capacity"]
    assert on_board["checkpoints"][0]["generation"] == info["checkpoints"]["generation"] == 2
    assert api.store_check(port=device)["damaged"] == 0
    api.store_format(port=device)
    assert device.info()["learner"]["session"] == 0
    assert device.store_info()["store"]["live"] == 0


def test_a_board_goes_back(device, model, some, data):
    api.push_model(device, model)
    test = samples.make(data.x_test, data.y_test)
    right = [api.eval(device, test)]
    for label in (5, 6):
        api.learn(device, some([label], 30), epochs=2)
        right.append(api.eval(device, test))
    assert right[0] != right[1] != right[2]
    result = api.rollback(device, "last")
    assert (result["generation"], result["session"]) == (2, 2)
    assert api.eval(device) == right[2]
    result = api.rollback(device, "previous")
    assert (result["generation"], result["session"]) == (1, 1)
    assert api.eval(device) == right[1]
    with pytest.raises(DeviceError, match="generation 1 is the only saved state"):
        api.rollback(device, "previous")
    result = api.rollback(device, "factory")
    assert (result["generation"], result["session"]) == (None, 0)
    assert api.eval(device) == right[0] and device.store_info()["store"]["live"] == 60


def test_states_of_another_model_are_no_way_back(board, device, model, some):
    api.push_model(device, model)
    api.learn(device, some([5], 20))
    flash = board.facts.store_device()
    image = bytes(flash.data)
    other = StoreImage(image, "flash", is_region=True)
    unit = saved_states(other)[0]["unit"]
    flash.data[unit * 4096 + 8] ^= 1  # the model's identity; the header's crc has to fit again
    head = bytes(flash.data[unit * 4096 : unit * 4096 + 24])
    flash.data[unit * 4096 + 24 : unit * 4096 + 28] = crc32(head).to_bytes(4, "little")
    board.transport.write(b"\x03")
    again = Device(Link(board.transport, timing=QUICK))
    image = bytes(flash.data)
    with pytest.raises(DeviceError, match=r"state of model.*20 samples.*would be lost.*--fresh"):
        api.rollback(again, "factory")
    assert flash.data == image
    result = api.store_format(port=again)
    assert result is None and flash.data == b"\xff" * len(flash.data)

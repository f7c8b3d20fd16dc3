"""engram store-check and store-dump on flash images."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from engram.store import RamFlash, ReplayStore
from engram_host.cli import main


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
    told = run("store-check", "--image", write(), "--json")
    assert told.exit_code == 0, told.output
    facts, info = json.loads(told.output), store.info()
    assert facts["live"] == info["live"] and facts["damaged"] == 0
    assert facts["labels"] == {str(label): store.counts(label) for label in range(3)}
    assert (facts["model_id"], facts["bits"], facts["latent_bytes"]) == ("c0ffee11", 4, 40)
    assert (facts["units"], facts["erase_bytes"]) == (6, 1024)
    assert facts["slots_per_unit"] == info["slots_per_block"]
    assert facts["wear_max"] == info["wear_max"]
    assert "no damage" in run("store-check", "--image", write()).output


def test_a_bit_that_fell_over_is_shown(lived):
    flash, store, write = lived
    slot = next(s for s in range(len(store.labels)) if store.labels[s] != 255)
    latent = bytearray(40)
    store.read_into(slot, latent)
    flash.data[flash.data.find(bytes(latent)) + 7] ^= 16
    told = run("store-check", "--image", write(), "--json")
    facts = json.loads(told.output)
    assert told.exit_code == 1 and facts["damaged"] == 1
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
        told = run("store-dump", out, "--image", write())
        assert told.exit_code == 0, told.output
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    want = set()
    for slot, label in enumerate(store.labels):
        if label != 255:
            latent = bytearray(40)
            store.read_into(slot, latent)
            want.add((latent.hex(), label))
    assert len(rows) == len(want) and {(row["latent"], row["label"]) for row in rows} == want
    assert all(row["latent"] == f"{row['experience']:02x}" * 40 for row in rows)
    latents = np.load(arrays)
    assert latents.shape == (len(want), 40) and latents[0].tobytes().hex() == rows[0]["latent"]


def test_what_is_no_image_is_refused(tmp_path):
    file = tmp_path / "noise.bin"
    file.write_bytes(bytes(8192))
    told = run("store-check", "--image", file)
    assert told.exit_code == 1 and "holds no replay log" in told.stderr
    told = run("store-check", "--image", tmp_path / "none.bin")
    assert told.exit_code == 1 and "a flash image expected" in told.stderr
    told = run("store-dump", tmp_path / "x.csv", "--image", file)
    assert told.exit_code == 1 and ".jsonl, .npy or .bin" in told.stderr

"""Format versions 1 and 2 are for ever: golden regions are read, and written alike."""

import base64
import re
import struct
from pathlib import Path

import pytest
from nor import NorFlash
from store_life import FULL_LIFE, FullLife, Scene, check

from engram.store import Checkpoints, ReplayStore, log
from engram.store import format as fmt
from engram.store.format import Layout

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

GOLDEN = {
    1: {"packed": Scene(5, 512, 16, 60), "aligned": Scene(5, 512, 16, 60, align=True)},
    2: {
        "packed": Scene(5, 512, 16, 45, targets=3),
        "aligned": Scene(5, 512, 16, 45, align=True, targets=3),
    },
}
REGIONS = [(version, name) for version in GOLDEN for name in GOLDEN[version]]


@pytest.fixture(autouse=True)
def wear_of_the_golden_lives(monkeypatch):
    """The golden lives were lived when units might differ by 64 erases; the format says nothing of
    which unit is collected, so that may change, but these bytes depend on it."""
    monkeypatch.setattr(log, "WEAR_SPREAD", 64)


def lived(scene):
    flash = scene.flash()
    life = FullLife(scene, flash, 1)
    life.live(FULL_LIFE)
    return flash, life


def golden_text(version):
    """The golden file of a version anew: only for a new one, beside those of the others."""
    lines = [f"# Regions in format version {version}: see test_format.py. Never to be changed."]
    for name, scene in GOLDEN[version].items():
        lines += [name, *base64.encodebytes(bytes(lived(scene)[0].data)).decode().split(), ""]
    return "\n".join(lines) + "\n"


def golden(version):
    parts = {}
    name = None
    for line in (HERE / f"golden_v{version}.txt").read_text().splitlines():
        if line in GOLDEN[version]:
            name = line
        elif line and not line.startswith("#"):
            parts[name] = parts.get(name, "") + line
    return {name: base64.b64decode(text) for name, text in parts.items()}


@pytest.mark.parametrize("version, name", REGIONS)
def test_the_golden_region_is_read(version, name):
    scene = GOLDEN[version][name]
    _, life = lived(scene)
    flash = scene.flash().like(golden(version)[name])
    check(scene, flash, [life.state()], boot=2)


@pytest.mark.parametrize("version, name", REGIONS)
def test_the_golden_region_is_written(version, name):
    """Byte for byte, by the same life."""
    assert bytes(lived(GOLDEN[version][name])[0].data) == golden(version)[name]


@pytest.mark.parametrize("version", GOLDEN)
def test_the_golden_regions_hold_what_they_should(version):
    for name, image in golden(version).items():
        heads = [image[at : at + 8] for at in range(0, len(image), 512)]
        kinds = [head[:4] for head in heads]
        assert kinds.count(fmt.MAGIC) == 3 and kinds.count(b"EGCP") == 2, name
        units = [head for head in heads if head[:4] == fmt.MAGIC]
        targets = GOLDEN[version][name].targets
        assert {(head[4], head[7]) for head in units} == {(version, targets)}


# ---------------------------------------------------------------- the document


def document():
    return (ROOT / "device_lib/engram/store/REPLAY_FORMAT.md").read_text()


def table(title):
    """[(offset, size, field)] of the table below a heading, numbers where they are numbers."""
    section = document().split(f"## {title}")[1].split("\n##")[0]
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?)? ?\| ([^|]+?) \|", section, re.M)
    return [row for row in rows if row[0] not in ("offset", "---")]


def test_the_document_and_the_unit_header_agree():
    at = 0
    values = {
        "magic": fmt.MAGIC, "version": 1, "kind": 0x53, "bits": 6, "targets": 0,
        "erase_bytes": 512, "units": 4, "page_bytes": 1, "latent_bytes": 20, "slots": 14,
        "model_id": 0xC0FFEE11, "unit sequence": 1, "erase count": 1,
    }
    flash = NorFlash(4, 512, 16)
    ReplayStore(flash, 16, 0xC0FFEE11, 20, bits=6)
    names = []
    for offset, size, field in table("3 An erase unit")[:13]:
        assert int(offset) == at
        raw = bytes(flash.data[at : at + int(size)])
        part = values[field]
        assert raw == (part if isinstance(part, bytes) else part.to_bytes(int(size), "little"))
        names.append(field)
        at += int(size)
    assert names == list(values)
    assert table("3 An erase unit")[13] == (str(at), "4", "crc32")
    assert fmt.HEADER_BYTES == at + 4


def test_the_document_and_the_slot_agree():
    flash = NorFlash(4, 512, 16)
    store = ReplayStore(flash, 16, 1, 20)
    store.append(bytes(20), 0, 0)
    store.append(bytes(range(20)), 7, 0x1234)
    slot = bytes(flash.data[40 + 32 : 40 + 64])
    body = struct.pack("<BHI", 7, 0x1234, 2) + bytes(range(20))
    assert slot == b"\xff" + body + struct.pack("<I", fmt.crc32(body))
    store.delete(1)
    assert flash.data[40 + 32] == 0 and flash.data[40 + 33 : 40 + 64] == slot[1:]
    sizes = [size for _, size, _ in table("4 A slot")]
    assert sizes == ["1", "1", "2", "4", "`latent_bytes`", "4 `targets`", "4"]


def test_the_document_and_the_slot_of_version_2_agree():
    flash = NorFlash(4, 512, 16)
    store = ReplayStore(flash, 16, 1, 20, targets=2)
    assert flash.data[4:8] == bytes((2, 0x53, 8, 2))
    values = struct.pack("<2f", -1.5, 1e-3)
    store.append(bytes(range(20)), fmt.NO_CLASS, 0x1234, values)
    body = struct.pack("<BHI", 254, 0x1234, 1) + bytes(range(20)) + values
    record = body + struct.pack("<I", fmt.crc32(body))
    assert flash.data[41 : 41 + len(record)] == record
    assert "| 7 | 1 | targets |" in document() and "254: none" in document()


def test_the_document_and_the_checkpoint_agree():
    flash = NorFlash(4, 512, 16)
    Checkpoints(flash, 16, 0xC0FFEE11).save([b"abcd", b"efg"])
    rows = table("6 Checkpoints")
    ends = [int(offset) + int(size) for offset, size, _ in rows[:-1]]
    assert [int(offset) for offset, _, _ in rows[:-1]] == [0, *ends[:-1]]
    payload = struct.pack("<II", 4, 3) + b"abcdefg"
    head = struct.pack("<4sBBHIIII", b"EGCP", 1, 0, 2, 0xC0FFEE11, 1, 15, fmt.crc32(payload))
    assert flash.data[: ends[-1]] == head + struct.pack("<I", fmt.crc32(head))
    assert flash.data[256 : 256 + 15] == payload


def test_the_numbers_of_the_document():
    layout = Layout(4096, 1, 256)
    assert (layout.slots, layout.slot_bytes, layout.first_at, layout.mark_at) == (15, 268, 40, 36)
    assert "15 slots of 268 bytes from offset 40" in document()
    for data in (b"", b"a", bytes(300)):
        assert fmt.crc32(data + struct.pack("<I", fmt.crc32(data))) == 0x2144DF1C
    assert f"{fmt.CRC_RESIDUE:#010x}".upper()[2:] in document()
    assert log._EMPTY == fmt.EMPTY == 255
    assert fmt.CRC_RESIDUE == log._CRC_RESIDUE < 1 << 30


@pytest.mark.parametrize("page_bytes", [1, 4, 8, 16, 256, 512])
@pytest.mark.parametrize("latent_bytes", [1, 7, 64, 500, 4000])
def test_layouts_fit_their_unit(page_bytes, latent_bytes):
    layout = Layout(8192, page_bytes, latent_bytes)
    end = layout.slot_at(layout.slots)
    assert layout.slots > 0 and end <= 8192 < end + layout.slot_bytes
    assert layout.slot_bytes % 4 == 0 and layout.first_at % page_bytes == 0
    assert layout.mark_at >= fmt.HEADER_BYTES
    if page_bytes > 1:
        for at in (layout.mark_at, layout.slot_at(1), layout.slot_at(1) + layout.record_at):
            assert at % page_bytes == 0

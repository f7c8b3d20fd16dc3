"""What the replay store does for its caller, and what it refuses."""

import struct
from array import array

import numpy as np
import pytest
from nor import NorFlash

from engram import DataError, StoreError
from engram.store import RamFlash, Region, ReplayStore, regions, units_of
from engram.store.format import KIND_STORE, NO_CLASS, UnitHeader

MODEL = 0xC0FFEE11


def open_store(flash=None, latent_bytes=20, **options):
    return ReplayStore(flash or NorFlash(6, 512, 16), 16, MODEL, latent_bytes, **options)


def fill(store):
    while len(store) < store.capacity:
        store.append(bytes([len(store) & 255]) * store.latent_bytes, len(store) % 255, 0)


def snapshot(store):
    return bytes(store.labels), bytes(store.sessions), len(store)


def test_records_come_back_with_label_and_session():
    flash = NorFlash(6, 512, 16)
    store = open_store(flash)
    slots = [store.append(bytes(range(i, i + 20)), i, 300 + i) for i in range(5)]
    for again in (store, open_store(flash)):
        for i, slot in enumerate(slots):
            buf = bytearray(20)
            assert again.read_into(slot, buf) == i
            assert buf == bytes(range(i, i + 20))
            assert again.labels[slot] == i and again.sessions[slot] == 300 + i
        assert len(again) == 5 and again.counts(3) == 1 and again.counts(9) == 0


def test_the_example_of_the_guide_fills_a_unit():
    """256-byte latents in 4096-byte units: 15 a unit."""
    store = ReplayStore(RamFlash(8), 256, MODEL, 256)
    assert store.info()["slots_per_block"] == 15 and store.capacity == 7 * 15


@pytest.mark.parametrize(
    "buf",
    [
        bytearray(20), array("b", bytes(20)), array("B", bytes(20)), np.zeros(20, np.int8),
        memoryview(bytearray(60))[20:40], np.zeros((3, 20), np.uint8)[1],
    ],
    ids=["bytearray", "b", "B", "int8", "memoryview", "row"],
)
def test_latents_in_any_buffer_of_bytes(buf):
    store = open_store()
    data = bytes(range(236, 256))
    source = memoryview(buf).cast("B")
    source[:] = data
    slot = store.append(buf, 1, 1)
    source[:] = bytes(20)
    store.read_into(slot, buf)
    assert bytes(source) == data


BAD_APPENDS = (
    ((bytes(19), 1, 1), DataError, "expected a latent of 20 bytes, got 19"),
    ((bytes(21), 1, 1), DataError, "expected a latent of 20 bytes, got 21"),
    ((b"", 1, 1), DataError, "expected a latent of 20 bytes, got 0"),
    (("x" * 20, 1, 1), DataError, "expected 20 bytes, got a str"),
    (([0] * 20, 1, 1), DataError, "expected 20 bytes, got a list"),
    ((array("f", range(20)), 1, 1), DataError, "expected a buffer of single bytes"),
    ((bytes(20), 255, 1), DataError, "expected a label from 0 to 254, got 255"),
    ((bytes(20), -1, 1), DataError, "expected a label from 0 to 254, got -1"),
    ((bytes(20), 1.0, 1), DataError, "expected a label from 0 to 254, got 1.0"),
    ((bytes(20), None, 1), DataError, "expected a label from 0 to 254, got None"),
    ((bytes(20), 1, -1), DataError, "expected a session from 0 to 65535, got -1"),
    ((bytes(20), 1, 65536), DataError, "expected a session from 0 to 65535, got 65536"),
    ((bytes(20), 1, "1"), DataError, "expected a session from 0 to 65535, got '1'"),
)


@pytest.mark.parametrize("args, error, text", BAD_APPENDS)
def test_a_bad_append_changes_nothing(args, error, text):
    flash = NorFlash(6, 512, 16)
    store = open_store(flash)
    store.append(bytes(20), 1, 1)
    before, image = snapshot(store), bytes(flash.data)
    with pytest.raises(error, match=text):
        store.append(*args)
    assert snapshot(store) == before and flash.data == image
    store.append(bytes(20), 1, 1)
    assert len(open_store(flash)) == 2


# -- targets -------------------------------------------------------------------------------


def target(*values):
    return np.array(values, "<f4").tobytes()


def test_targets_come_back_with_their_record():
    flash = NorFlash(6, 512, 16)
    store = open_store(flash, targets=3)
    for i in range(300):
        if len(store) == store.capacity:
            store.delete(next(s for s, label in enumerate(store.labels) if label not in (255, 7)))
        store.append(bytes([i % 256]) * 20, NO_CLASS if i % 9 else 7, i, target(i, -i, i / 8))
    assert store.info()["moved"] > 10
    again, count = open_store(flash, targets=3), 0
    assert again.info()["targets"] == 3
    for slot, label in enumerate(again.labels):
        if label != 255:
            latent, values = bytearray(20), array("f", bytes(12))
            assert again.read_into(slot, latent, memoryview(values).cast("B")) == label
            i = again.sessions[slot]
            assert values.tolist() == [i, -i, i / 8] and latent == bytes([i % 256]) * 20
            assert label == (NO_CLASS if i % 9 else 7)
            count += 1
    assert count == len(store)


@pytest.mark.parametrize("first, second", [(0, 2), (2, 0), (2, 3)])
def test_a_store_of_other_targets_is_refused(first, second):
    flash = NorFlash(6, 512, 16)
    open_store(flash, targets=first)
    image = bytes(flash.data)
    text = f"expected records with {second} targets, got a store of records with {first}; open"
    with pytest.raises(StoreError, match=text):
        open_store(flash, targets=second)
    assert flash.data == image
    assert len(ReplayStore.format(flash, 16, MODEL, 20, targets=second)) == 0


@pytest.mark.parametrize("targets", [-1, 65])
def test_so_many_targets_are_refused(targets):
    with pytest.raises(StoreError, match=f"expected 0 to 64 targets, got {targets}; give"):
        open_store(targets=targets)


BAD_TARGETS = (
    (2, None, "expected a target of 8 bytes, got None; give the 2 float32 values"),
    (2, bytes(4), "expected a target of 8 bytes, got 4"),
    (2, array("f", (1, 2)), "expected a target of 8 bytes, got 2"),
    (2, [1.0, 2.0], "expected 8 bytes, got a list"),
    (0, bytes(4), "expected no target, got one; open a store with targets="),
)


@pytest.mark.parametrize("targets, value, text", BAD_TARGETS)
def test_a_bad_target_changes_nothing(targets, value, text):
    flash = NorFlash(6, 512, 16)
    store = open_store(flash, targets=targets)
    image = bytes(flash.data)
    with pytest.raises(DataError, match=text):
        store.append(bytes(20), 1, 1, value)
    assert flash.data == image and len(store) == 0


def test_254_is_a_class_where_there_are_no_targets():
    """As in stores of version 1, which stay what they are."""
    store = open_store()
    store.append(bytes(20), 254, 1)
    assert store.counts(254) == 1


BAD_READS = (
    (0, bytearray(19), DataError, "expected a latent of 20 bytes, got 19"),
    (0, bytes(20), DataError, "can be written"),
    (0, array("i", range(20)), DataError, "expected a buffer of single bytes"),
    (1, bytearray(20), StoreError, "expected a slot from 0 to 55 with a record, got 1"),
    (-1, bytearray(20), StoreError, "expected a slot from 0 to 55 with a record, got -1"),
    (56, bytearray(20), StoreError, "expected a slot from 0 to 55 with a record, got 56"),
    ("0", bytearray(20), StoreError, "with a record, got '0'"),
)


@pytest.mark.parametrize("slot, buf, error, text", BAD_READS)
def test_a_bad_read_changes_nothing(slot, buf, error, text):
    flash = NorFlash(4, 512, 16)
    store = open_store(flash)
    store.append(bytes([7] * 20), 1, 1)
    before, image, content = snapshot(store), bytes(flash.data), bytes(buf)
    with pytest.raises(error, match=text):
        store.read_into(slot, buf)
    assert snapshot(store) == before and flash.data == image and bytes(buf) == content


def test_deleted_records_stay_deleted():
    flash = NorFlash(4, 512, 16)
    store = open_store(flash)
    slots = [store.append(bytes([i] * 20), i, 0) for i in range(6)]
    store.delete(slots[2])
    store.delete(slots[5])
    for again in (store, open_store(flash)):
        assert [label for label in again.labels if label != 255] == [0, 1, 3, 4]
        with pytest.raises(StoreError, match="got 2, which has none"):
            again.delete(slots[2])
    assert store.append(bytes(20), 9, 0) == 6, "a deleted slot is not written again"


def test_a_full_store_says_so_and_changes_nothing():
    flash = NorFlash(4, 512, 16)
    store = open_store(flash)
    fill(store)
    before, image = snapshot(store), bytes(flash.data)
    with pytest.raises(StoreError, match="full, 42 records: delete some"):
        store.append(bytes(20), 1, 1)
    assert snapshot(store) == before and flash.data == image
    store.delete(0)
    store.append(bytes(20), 1, 1)
    assert store.collections == 1 and len(store) == store.capacity == 42


def test_capacity_is_reached_after_any_history():
    """Collected, torn or deleted slots all come back: what was promised can be stored."""
    store = open_store(NorFlash(5, 512, 16))
    for _ in range(7):
        fill(store)
        for slot in range(0, len(store.labels), 3):
            if store.labels[slot] != 255:
                store.delete(slot)
    fill(store)
    assert len(store) == store.capacity and store.info()["free_blocks"] == 1


def test_survivors_keep_label_and_session_when_moved():
    store = open_store(NorFlash(3, 512, 16), latent_bytes=60)
    for i in range(40):
        if len(store) == store.capacity:
            oldest = min(
                (s for s in range(len(store.labels)) if store.labels[s] not in (255, 0)),
                key=lambda s: store.labels[s],
            )
            store.delete(oldest)
        store.append(bytes([i]) * 60, i, 1600 * i)
    buf = bytearray(60)
    seen = []
    for slot, label in enumerate(store.labels):
        if label != 255:
            assert store.read_into(slot, buf) == label
            assert buf == bytes([label]) * 60 and store.sessions[slot] == 1600 * label % 65536
            seen.append(label)
    assert sorted(seen) == [0, *range(40 - store.capacity + 1, 40)]
    assert store.info()["moved"] > 10


def test_the_index_is_three_bytes_per_slot():
    """Whoever plans RAM counts on it."""
    small, large = (ReplayStore(RamFlash(n), 256, MODEL, 60) for n in (8, 72))
    slots = len(large.labels) - len(small.labels)
    growth = large.info()["ram_bytes"] - small.info()["ram_bytes"]
    assert 3 * slots <= growth <= 3 * slots + 8 * 64


def test_the_index_objects_stay_the_same():
    """Callers may keep them."""
    flash = NorFlash(4, 512, 16)
    store = open_store(flash)
    labels, sessions = store.labels, store.sessions
    flash.calls_left = 1
    with pytest.raises(KeyboardInterrupt):
        store.append(bytes(20), 1, 1)
    store.append(bytes(20), 2, 1)
    assert store.labels is labels and store.sessions is sessions and 2 in labels


def test_info_counts_what_the_flash_saw():
    flash = NorFlash(4, 512, 16)
    store = open_store(flash)
    sizes, records = [], []
    real = flash.writeblocks

    def writeblocks(block, buf, offset):
        sizes.append(len(buf))
        if offset and len(buf) > 16:  # neither a header nor a mark
            records.append(block)
        real(block, buf, offset)

    flash.writeblocks = writeblocks
    start = store.info()
    for i in range(60):
        if len(store) == store.capacity:
            store.delete(next(s for s in range(56) if store.labels[s] != 255))
        store.append(bytes([i] * 20), 0, 0)
    info = store.info()
    assert info["bytes_programmed"] - start["bytes_programmed"] == sum(sizes)
    assert info["erases"] == sum(flash.wear)
    assert info["appended"] == 60 and info["moved"] == len(records) - 60 > 0
    assert info["collections"] == sum(flash.wear) - 3, "each but the first openings of the units"
    assert info["dropped"] == 0
    assert (info["live"], info["dead"], info["free_blocks"]) == (42, 0, 1)
    assert (info["blocks"], info["erase_bytes"], info["program_bytes"]) == (4, 512, 16)
    assert (info["latent_bytes"], info["bits"], info["model_id"]) == (20, 8, MODEL)
    assert info["capacity"] == 42 and info["torn"] == info["bad"] == info["bad_blocks"] == 0


# ---------------------------------------------------------------- what a region may hold


def test_a_blank_region_is_formatted_or_refused():
    flash = NorFlash(4, 512, 16)
    with pytest.raises(StoreError, match=r"blank flash; make one with ReplayStore\.format"):
        open_store(flash, format_if_blank=False)
    assert flash.data == b"\xff" * 2048
    open_store(flash).append(bytes(20), 3, 3)
    assert len(open_store(flash, format_if_blank=False)) == 1


def littlefs(data):
    data[8:16] = b"littlefs"


def fat(data):
    data[0:3], data[54:59] = b"\xeb\x3c\x90", b"FAT12"


def numbers(data):
    data[:] = bytes(i & 0xFF for i in range(len(data)))


def one_late_byte(data):
    data[-1] = 0


@pytest.mark.parametrize(
    "content, text",
    [
        (littlefs, "block 0 has a littlefs file system"),
        (fat, "block 0 has a FAT file system"),
        (numbers, "block 0 has data that starts with 00 01 02 03 04 05 06 07"),
        (one_late_byte, "block 3 has data that starts with ff ff ff"),
    ],
)
def test_foreign_content_is_refused_and_kept(content, text):
    flash = NorFlash(4, 512, 16)
    content(flash.data)
    image = bytes(flash.data)
    with pytest.raises(StoreError, match=text + r".*ReplayStore\.format"):
        open_store(flash)
    assert flash.data == image
    store = ReplayStore.format(flash, 16, MODEL, 20)
    store.append(bytes(20), 1, 1)
    assert len(open_store(flash)) == 1


def test_overwritten_units_are_left_alone():
    """What overwrote several units of a store is not erased, the rest of the store is served."""
    flash = NorFlash(6, 512, 16)
    store = open_store(flash)
    fill(store)
    flash.data[0:1024] = bytes(range(256)) * 4
    store = open_store(flash)
    assert store.info()["bad_blocks"] == 2 and len(store) > 20
    for _ in range(50):
        store.delete(next(s for s in range(len(store.labels)) if store.labels[s] != 255))
        store.append(bytes(20), 1, 1)
    assert flash.data[0:1024] == bytes(range(256)) * 4


@pytest.mark.parametrize(
    "other, text",
    [
        (dict(model_id=0x12345678), "latents of model 12345678 .*, got those of model c0ffee11"),
        (dict(latent_bytes=24), "24-byte latents of 8 bits.*, got .*20-byte latents of 8 bits"),
        (dict(bits=4), "20-byte latents of 4 bits.*, got .*20-byte latents of 8 bits"),
        (dict(align=True), "aligned to 16 bytes, got .*packed"),
    ],
)
def test_another_model_or_geometry_is_refused_and_kept(other, text):
    flash = NorFlash(4, 512, 16)
    fill(open_store(flash))
    image = bytes(flash.data)
    arguments = {**dict(model_id=MODEL, latent_bytes=20), **other}
    with pytest.raises(StoreError, match=text + r".*ReplayStore\.format"):
        ReplayStore(flash, 16, **arguments)
    assert flash.data == image


def test_the_open_unit_is_the_newest_that_is_not_retired():
    """A retired unit may have the largest sequence of all, between two used ones."""
    flash = NorFlash(5, 512, 16)
    store = open_store(flash)
    for i in range(14 * 3 - 5):
        store.append(bytes([i] * 20), 1, 1)
    units = [bytes(flash.data[at : at + 512]) for at in range(0, 2560, 512)]
    assert [struct.unpack_from("<I", unit, 24)[0] for unit in units[:3]] == [1, 2, 3]
    header = UnitHeader(KIND_STORE, 8, 512, 5, 1, 20, 14, MODEL, 9, 4).pack()
    retired = header + bytes(4) + b"\xff" * (512 - 40)
    flash.data[:] = b"".join([*units[:2], retired, units[2], units[4]])
    store = open_store(flash)
    assert len(store) == 37
    assert store.append(bytes(20), 2, 2) == 3 * 14 + 9, "the open unit goes on where it was"


def test_a_region_of_another_size_is_refused():
    flash = NorFlash(6, 512, 16)
    fill(open_store(flash))
    with pytest.raises(StoreError, match="4 units of 512 bytes.*, got .* 6 units of 512 bytes"):
        open_store(Region(flash, 0, 4))


def test_another_format_version_is_refused():
    flash = NorFlash(4, 512, 16)
    fill(open_store(flash))
    for unit in range(4):
        flash.data[unit * 512 + 4] = 4  # two bits from version 1
    with pytest.raises(StoreError, match="version 1 or 2, got version 4; use"):
        open_store(flash)


@pytest.mark.parametrize("blocks, latent", [(1, 20), (4, 500), (1, 5000)])
def test_a_region_that_is_too_small(blocks, latent):
    with pytest.raises(StoreError) as error:
        open_store(NorFlash(blocks, 512, 16), latent)
    needed = 2 * max(512, 40 + -(-(12 + latent) // 4) * 4)
    assert f"needs {needed} bytes" in str(error.value)
    assert f"{blocks * 512} bytes, {blocks} units of 512, are available" in str(error.value)


@pytest.mark.parametrize(
    "options, text",
    [
        (dict(program_bytes=3), "program_bytes must divide the erase unit of 512 bytes; 3"),
        (dict(program_bytes=0), "program_bytes must divide"),
        (dict(program_bytes=1024), "program_bytes must divide"),
        (dict(latent_bytes=0), "latents of 1 to 65535 bytes"),
        (dict(bits=0), "1 to 32 bits"),
        (dict(reserve=0), "reserve of 1 to 3 units"),
        (dict(reserve=4), "reserve of 1 to 3 units"),
    ],
)
def test_options_out_of_range(options, text):
    arguments = {**dict(program_bytes=16, model_id=1, latent_bytes=20), **options}
    flash = NorFlash(4, 512, 16)
    with pytest.raises(StoreError, match=text):
        ReplayStore(flash, **arguments)
    assert flash.data == b"\xff" * 2048


# ---------------------------------------------------------------- devices


class RamDisk:
    """MicroPython's example of a RAM disk: what is written replaces what was there."""

    def __init__(self):
        self.data = bytearray(b"\xff" * 2048)

    def readblocks(self, n, buf, off=0):
        buf[:] = self.data[n * 512 + off : n * 512 + off + len(buf)]

    def writeblocks(self, n, buf, off):
        self.data[n * 512 + off : n * 512 + off + len(buf)] = buf

    def ioctl(self, op, arg):
        return {4: 4, 5: 512}.get(op, 0)


def test_a_device_that_does_not_erase_is_refused():
    disk = RamDisk()
    disk.data[600] = 1
    with pytest.raises(StoreError, match="does not read as 0xFF after an erase"):
        ReplayStore.format(disk, 16, MODEL, 20, align=False)


def test_a_device_that_padding_would_harm_is_refused():
    with pytest.raises(StoreError, match="overwrites what flash would keep"):
        ReplayStore(RamDisk(), 256, MODEL, 20, align=False)


def test_a_device_without_geometry_is_refused():
    disk = RamDisk()
    disk.ioctl = lambda op, arg: None
    with pytest.raises(StoreError, match="ioctl 4 and 5.*None and None"):
        ReplayStore(disk, 16, MODEL, 20)


def test_regions_split_a_device():
    flash = NorFlash(10, 512, 16)
    replay, region = regions(flash, 600, 16)
    assert (replay.ioctl(4, 0), region.ioctl(4, 0)) == (6, 4)
    region.writeblocks(0, b"\x00" * 16, 496)
    assert flash.data[6 * 512 + 496] == 0
    region.ioctl(6, 0)
    assert flash.data == b"\xff" * len(flash.data)
    for call in (
        lambda: replay.readblocks(6, bytearray(4)),
        lambda: replay.writeblocks(-1, bytes(16), 0),
        lambda: region.ioctl(6, 4),
    ):
        with pytest.raises(OSError):
            call()


def test_a_replay_region_takes_no_more_units_than_its_index_shall_have():
    flash = NorFlash(40, 512, 16)
    units = units_of(flash, 16, False, 20, 0, 100)
    replay, region = regions(flash, 600, 16, units)
    store = ReplayStore(replay, 16, 1, 20, align=False)
    assert 90 <= len(store.labels) <= 100 and replay.count + region.count == 40
    assert units_of(flash, 16, False, 20, 0, 1) == 4, "a policy replaces whole units"
    assert regions(flash, 600, 16)[0].count == 36


def test_regions_of_a_device_that_is_too_small():
    with pytest.raises(StoreError, match="need 4096 bytes.*2048 are available"):
        regions(NorFlash(4, 512, 16), 1200, 16)

"""Flash of files, for boards whose file system has all of it."""

import os

import pytest

from engram.store import Checkpoints, ReplayStore, regions
from engram.store.file_units import FileUnits


def read(dev, block, offset, count):
    buf = bytearray(count)
    dev.readblocks(block, buf, offset)
    return bytes(buf)


def test_a_unit_without_a_file_is_blank_and_stays_without(tmp_path):
    dev = FileUnits(str(tmp_path / "s"), 4, 1024)
    assert read(dev, 3, 10, 700) == b"\xff" * 700
    dev.ioctl(6, 3)
    assert os.listdir(tmp_path / "s") == []


def test_a_mount_of_a_blank_region_makes_two_files(tmp_path):
    """Of the open unit, and of the one by which the region is known while that is erased."""
    dev = FileUnits(str(tmp_path / "s"), 96, 4096)
    ReplayStore(dev, 1, 7, 60, align=False)
    dev.release()
    assert sorted(os.listdir(tmp_path / "s")) == ["0", "1"]


def test_bits_are_only_cleared_and_the_rest_is_blank(tmp_path):
    dev = FileUnits(str(tmp_path / "s"), 4, 1024)
    dev.writeblocks(1, b"\xf0\x0f", 5)
    dev.writeblocks(1, b"\x30\xff", 5)
    assert read(dev, 1, 3, 6) == b"\xff\xff\x30\x0f\xff\xff"
    with pytest.raises(OSError):
        dev.writeblocks(1, b"\x3c", 5)
    with pytest.raises(OSError):
        dev.writeblocks(1, b"\x00" * 2, 1023)
    assert read(dev, 1, 3, 6) == b"\xff\xff\x30\x0f\xff\xff"


@pytest.mark.parametrize("released", [True, False])
def test_another_one_finds_what_is_there_and_what_was_erased(tmp_path, released):
    folder = str(tmp_path / "s")
    dev = FileUnits(folder, 4, 1024)
    for block in (0, 2):
        dev.writeblocks(block, bytes((block, 1)), 0)
    dev.ioctl(6, 0)
    if released:
        dev.release()
    (tmp_path / "s" / "7").write_bytes(b"beyond")
    (tmp_path / "s" / "note.txt").write_bytes(b"not a unit")
    again = FileUnits(folder, 4, 1024)
    assert [read(again, block, 0, 3) for block in range(4)] == [
        b"\xff" * 3, b"\xff" * 3, b"\x02\x01\xff", b"\xff" * 3
    ]
    again.writeblocks(0, b"\x55", 1)
    assert read(again, 0, 0, 3) == b"\xff\x55\xff"


def test_a_mount_and_a_format_beat_at_every_unit(tmp_path):
    dev, beats = FileUnits(str(tmp_path / "s"), 12, 1024), []
    ReplayStore(dev, 1, 7, 60, align=False, beat=lambda: beats.append(1))
    assert len(beats) >= 12
    beats.clear()
    ReplayStore(dev, 1, 7, 60, align=False, erase=True, beat=lambda: beats.append(1))
    assert len(beats) >= 2 * 11


def test_what_changes_flash_beats_once_a_record_and_a_part_of_a_state(tmp_path):
    """A board with files takes a tenth of a second for each: it must not be silent for all."""
    dev, beats = FileUnits(str(tmp_path / "s"), 12, 1024), []
    replay, region = regions(dev, 1024, 1)
    beat = lambda: beats.append(1)  # noqa: E731
    store = ReplayStore(replay, 1, 7, 60, align=False, beat=beat)
    slots = [store.append(bytes(60), 1, 0) for _ in range(20)]
    beats.clear()
    for slot in slots:
        store.delete(slot)
    assert len(beats) >= 20
    checkpoints = Checkpoints(region, 1, 7, beat=beat)
    beats.clear()
    checkpoints.save([bytearray(1000)])
    assert len(beats) >= 1000 // 256

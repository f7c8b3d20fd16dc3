"""A file that has no room on a board is refused before its first byte; parts of others go."""

import os
from binascii import crc32

import pytest

from engram.link import files as board_files
from engram_host.errors import NoRoom
from engram_host.line import room
from link.test_transfer import connect, interrupted

BLOCK = 4096


@pytest.fixture
def disk(board, tmp_path, monkeypatch):
    """A file system of 32 blocks: .free is how many blocks are free when no file is there."""

    class Disk:
        free = 30

        def statvfs(self, root):
            files = [p for p in tmp_path.rglob("*") if p.is_file()]
            blocks = sum(-(-p.stat().st_size // BLOCK) for p in files)
            return (BLOCK, BLOCK, 32, self.free - blocks)

    there = Disk()
    monkeypatch.setattr(board_files.os, "statvfs", there.statvfs)
    return there


def test_a_file_without_room_is_refused_before_its_first_byte_with_the_figures(board, disk):
    link = connect(board)
    link.put("old.bin", os.urandom(60_000))
    counts = []
    with pytest.raises(NoRoom) as error:
        link.put("new.bin", os.urandom(80_000), counts.append)
    assert str(error.value) == (
        "new.bin: expected 86,016 bytes free in the board's file system for 80,000 bytes, got "
        "61,440 of 131,072; do: engram remove old.bin"
    )
    assert counts == [] and link.call("list") == [["old.bin", 60_000]]
    link.call("remove", name="old.bin")
    assert link.put("new.bin", os.urandom(80_000)) is True


def test_files_to_remove_are_proposed_until_there_is_room_and_no_longer(board, disk):
    link = connect(board)
    for name, size in (("a.bin", 20_000), ("b.bin", 40_000), ("c.bin", 30_000), ("d.bin", 100)):
        link.put(name, os.urandom(size))
    with pytest.raises(NoRoom, match=r"do: engram remove b\.bin c\.bin$"):
        link.put("new.bin", os.urandom(80_000))
    with pytest.raises(NoRoom, match="too large for this board even without its other files"):
        link.put("new.bin", os.urandom(125_000))


def test_the_file_that_is_replaced_stays_until_the_new_one_is_whole(board, disk):
    """Both have room at once, or the push is refused and the old file is as it was."""
    link, old = connect(board), os.urandom(70_000)
    link.put("model", old)
    with pytest.raises(NoRoom, match="do: engram remove model"):
        link.put("model", os.urandom(70_000))
    assert link.get("model") == old


def test_several_files_are_refused_together(board, disk):
    link = connect(board)
    link.put("x", b"a" * 50_000)
    files = {"x": b"a" * 50_000, "y": b"b" * 60_000}
    link.need_room(files)  # x is there already
    with pytest.raises(NoRoom, match="x, y: expected"):
        link.need_room({**files, "x": b"c" * 50_000})


def test_part_files_of_other_names_go_when_a_push_begins(board, disk, tmp_path):
    link = connect(board)
    for name in ("a.bin", "b.bin"):
        interrupted(link, name, os.urandom(60_000), at=40_000)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.bin.part"]
    link.put("c.bin", os.urandom(100_000))  # has room only without the part
    assert [p.name for p in tmp_path.iterdir()] == ["c.bin"]


def test_a_transfer_goes_on_with_its_own_part_file_where_the_whole_has_no_room_twice(board, disk):
    data, seen = os.urandom(100_000), []
    interrupted(connect(board), "a.bin", data, at=60_000)
    link = connect(board)
    assert link.put("a.bin", data, seen.append) is True
    assert seen[0] >= 60_000 and link.get("a.bin") == data


def test_the_part_file_of_an_older_content_goes_too(board, disk):
    link, data = connect(board), os.urandom(100_000)
    interrupted(link, "a.bin", os.urandom(100_000), at=60_000)
    assert link.put("a.bin", data) is True and link.get("a.bin") == data


@pytest.mark.parametrize("blocks", [-21, 1 << 32, (1 << 32) - 25])
def test_a_count_of_free_blocks_that_cannot_be_is_none(board, tmp_path, monkeypatch, blocks):
    """littlefs counts blocks of unwritten files twice: its count may be negative, or wrap."""
    monkeypatch.setattr(board_files.os, "statvfs", lambda root: (BLOCK, BLOCK, 32, blocks))
    assert connect(board).call("info")["fs"]["free_bytes"] == 0


def test_a_write_that_fails_leaves_no_file_open(tmp_path):
    class Full:
        closed = False

        def write(self, data):
            raise OSError(28)

        def close(self):
            self.closed = True
            raise OSError(28)

    store, stream = board_files.Files(str(tmp_path)), Full()
    store.put_open("a.bin", 4, crc32(b"1234"))
    store._in = stream
    with pytest.raises(OSError):
        store.put_data(0, b"1234")
    assert stream.closed and store._in is None
    assert store.put_open("a.bin", 4, crc32(b"1234"))["same"] is False


def test_blocks_are_counted_whole():
    assert room.needed_bytes([1], BLOCK) == BLOCK  # lies in the directory; one stays free
    assert room.needed_bytes([1000], BLOCK) == 2 * BLOCK
    assert room.needed_bytes([4088], BLOCK) == 2 * BLOCK
    assert room.needed_bytes([4089, 4089], BLOCK) == 5 * BLOCK

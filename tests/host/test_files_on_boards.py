"""Files of a board: listed, removed, and free space that is true, on littlefs."""

import os
import struct

import numpy as np
import pytest

from engram.link import wire
from engram_host import api
from engram_host.errors import DeviceError, NoRoom
from engram_host.samples import Samples
from host.command import run

pytestmark = [pytest.mark.board, pytest.mark.usefixtures("own_boards")]


def pour(link, size):
    """Sends a file as a host does that does not look whether there is room."""
    data = os.urandom(size)
    link._put_open("full.bin", data)
    part = link.max_payload - 4
    for at in range(0, size, part):
        link.request(wire.PUT_DATA, struct.pack("<I", at) + data[at : at + part])


def test_free_space_is_true_during_a_transfer_and_after_one_that_failed(name):
    """An open file whose data is not written counts twice in littlefs."""
    with api.connect(name) as board:
        before = board.info()["fs"]
        pour(board.link, 60_000)
        assert board.info()["fs"]["free_bytes"] == before["free_bytes"] - 15 * 4096
        with pytest.raises(DeviceError, match="file system is full, remove files"):
            pour(board.link, 130_000)
        blocks = -(-board.files()["full.bin.part"] // 4088)
        assert blocks > 20
        assert board.info()["fs"] == {**before, "free_bytes": before["free_bytes"] - blocks * 4096}
        board.put("a.bin", b"1")
        assert api.files(board)["files"] == [{"name": "a.bin", "bytes": 1, "part": False}]
        assert board.info()["fs"] == before


def test_the_largest_file_that_is_let_in_has_room_and_is_the_largest(name):
    with api.connect(name) as board:
        board.put("other.bin", os.urandom(40_000))
        space = board.info()["fs"]
        payload = space["block_bytes"] - 8
        most = (space["free_bytes"] // space["block_bytes"] - 1) * payload
        with pytest.raises(NoRoom):
            board.put("most.bin", os.urandom(most + 1))
        data = os.urandom(most)
        board.put("most.bin", data)
        assert board.get("most.bin") == data
        with pytest.raises(DeviceError, match="file system is full"):
            pour(board.link, 2 * payload)


def test_data_without_room_are_refused_before_anything_is_sent(name, tmp_path):
    x, y = np.zeros((1790, 64), np.uint8), np.zeros(1790, np.uint8)
    with api.connect(name) as board:
        with pytest.raises(NoRoom, match=r"test\.x\.npy, test\.y\.npy: expected .* free"):
            board.push_data("test", Samples(x, y))
        assert board.files() == {}


def test_files_are_listed_and_removed_at_the_command_line(name, tmp_path):
    np.savez(tmp_path / "t.npz", x=np.zeros((100, 64), np.uint8), y=np.zeros(100, np.uint8))
    assert run("push", "data", tmp_path / "t.npz", "--port", name).exit_code == 0
    with api.connect(name) as board:
        board.link._put_open("model", bytes(9000))
        board.link.request(wire.PUT_DATA, struct.pack("<I", 0) + bytes(1000))
    text = run("files", "--port", name).stdout
    assert "test.x.npy" in text and "6,528 B" in text and "of 131,072 B free" in text
    assert [line.split()[0] for line in text.splitlines() if "interrupted" in line] == [
        "model.part"
    ]
    result = run("remove", "test.x.npy", "model.part", "--port", name)
    assert result.exit_code == 0 and "removed test.x.npy, model.part" in result.stdout
    result = run("remove", "test.x.npy", "--port", name)
    assert result.exit_code == 1 and "no file 'test.x.npy'" in result.stderr
    assert "test.y.npy" in run("files", "--port", name).stdout

"""NOR flash of the virtual boards: its rules, and that what is written stays written."""

import errno
import random
import time

import pytest

from engram_host import boards
from engram_host.errors import InputError

pytestmark = pytest.mark.board

DEVICE = "import engram_board as board\nd = board.store_device()\nE, P = 4096, 256\n"


@pytest.fixture
def store(child):
    child.run(DEVICE)
    return child


def refused(child, code):
    """The errno with which the board refuses a statement."""
    return int(
        child.run(f"try:\n    {code}\n    print(0)\nexcept OSError as e:\n    print(e.errno)")
    )


def test_geometry_is_that_of_board_toml(store, name):
    flash = boards.load(name).flash
    assert store.value("d.ioctl(5, 0)") == flash.erase_bytes
    assert store.value("d.ioctl(4, 0)") == flash.store_bytes // flash.erase_bytes
    assert store.value("(board.PROGRAM_BYTES, board.NAME)") == (flash.program_bytes, name)
    assert store.value("board.PROGRAM_ONCE") is flash.program_once
    assert store.value("board.fs_device().ioctl(4, 0)") == flash.fs_bytes // flash.erase_bytes


def test_blank_then_program_then_erase(store):
    store.run("b = bytearray(P)\nd.readblocks(0, b, 0)")
    assert store.value("bytes(b)") == b"\xff" * 256
    store.run("d.writeblocks(0, bytes(range(256)), P)\nd.readblocks(0, b, P)")
    assert store.value("bytes(b)") == bytes(range(256))
    store.run("d.ioctl(6, 0)\nd.readblocks(0, b, P)")
    assert store.value("bytes(b)") == b"\xff" * 256


def test_program_clears_bits_only(store):
    store.run("d.writeblocks(1, b'\\xf0' * P, 0)")
    store.run("d.writeblocks(1, b'\\xc0' * P, 0)")  # clearing more is allowed
    assert refused(store, "d.writeblocks(1, b'\\xc1' * P, 0)") == errno.EIO
    assert refused(store, "d.writeblocks(1, bytes(P - 1) + b'\\xfe', 0)") == errno.EIO
    store.run("b = bytearray(P)\nd.readblocks(1, b, 0)")
    assert store.value("bytes(b)") == b"\xc0" * 256  # a refused program changed nothing


def test_padding_leaves_cells_alone(store):
    """A part of a program unit is written by padding the rest with ones."""
    store.run("d.writeblocks(1, b'ab' + b'\\xff' * (P - 2), 0)")
    store.run("d.writeblocks(1, b'\\xff\\xffcd' + b'\\xff' * (P - 4), 0)")
    store.run("b = bytearray(P)\nd.readblocks(1, b, 0)")
    assert store.value("bytes(b)") == b"abcd" + b"\xff" * 252


@pytest.mark.parametrize(
    "statement",
    [
        "d.writeblocks(2, b'x' * P, 1)",
        "d.writeblocks(2, b'x' * (P - 1), 0)",
        "d.writeblocks(2, b'x' * P)",  # whole blocks when no offset is given
        "d.writeblocks(d.ioctl(4, 0), b'x' * P, 0)",
        "d.writeblocks(-1, b'x' * P, 0)",
        "d.writeblocks(0, b'x' * P, -P)",
        "d.readblocks(d.ioctl(4, 0) - 1, bytearray(P), E)",
        "d.readblocks(1 << 29, bytearray(P), 0)",
        "d.ioctl(6, d.ioctl(4, 0))",
    ],
)
def test_wrong_place_or_length_is_refused(store, statement):
    assert refused(store, statement) == errno.EINVAL


def test_whole_block_write_erases_first(store):
    store.run("d.writeblocks(3, bytes(E))\nd.writeblocks(3, b'\\x5a' * E)\nb = bytearray(E)")
    store.run("d.readblocks(3, b)")
    assert store.value("b == b'\\x5a' * E") is True


def test_regions_do_not_overlap(store):
    """Filling the replay region leaves the file system alone."""
    store.run("f = open('x', 'w')\nf.write('kept')\nf.close()")
    store.run("for i in range(d.ioctl(4, 0)):\n    d.writeblocks(i, bytes(E))")
    store.soft_reset()
    assert store.value("open('x').read()") == "kept"


def test_memoryview_reads_without_a_copy(store):
    store.run("d.writeblocks(4, b'seen' * 64, 0)\nm = memoryview(d)")
    assert store.value("bytes(m[4 * E:4 * E + 4])") == b"seen"
    assert store.value("len(m)") == boards.load("unix").flash.store_bytes
    store.begin("m[0] = 1")
    assert "TypeError" in store.end()[1]


@pytest.mark.parametrize("how", ["soft_reset", "hard_reset", "kill"])
def test_survives(start, name, how):
    child = start(name)
    child.run(DEVICE + "d.writeblocks(5, b'stay' * 64, 0)")
    child.run("f = open('kept.txt', 'w')\nf.write('here')\nf.close()")
    getattr(child, how)()
    if how == "kill":
        child = start(name)
    child.run(DEVICE + "b = bytearray(4)\nd.readblocks(5, b, 0)")
    assert child.value("bytes(b), open('kept.txt').read()") == (b"stay", "here")


def test_killed_while_programming(start, name):
    """Ten times: what was acknowledged before the kill is there, whole."""
    draw = random.Random(7)
    child = start(name)
    child.run(DEVICE + "for i in range(64): d.ioctl(6, i)")
    page = 0
    for _ in range(10):
        child.begin(
            DEVICE + f"n = {page}\nwhile n < 1024:\n"
            "    d.writeblocks(n // 16, bytes([n & 127]) * P, n % 16 * P)\n"
            "    print(n)\n    n += 1"
        )
        time.sleep(draw.random() * 0.01)
        output = child.kill().split(b"\x04")[0]
        acknowledged = [int(line) for line in output.split(b"\r\n")[:-1]]
        last = max(acknowledged, default=page - 1)
        child = start(name)
        child.run(DEVICE + "b = bytearray(P)")
        whole = child.run(
            f"n = 0\nwhile n <= {last}:\n    d.readblocks(n // 16, b, n % 16 * P)\n"
            "    if b != bytes([n & 127]) * P: break\n    n += 1\nprint(n)"
        )
        assert int(whole) == last + 1
        # The page after that may be torn or whole: programming it once more completes it.
        page = last + 1
    assert page > 10


def test_image_is_given_and_saved(start, name, tmp_path):
    child = start(name)
    child.run(DEVICE + "d.writeblocks(0, b'image!!!' * 32, 0)")
    child.run("f = open('a', 'w')\nf.write('b')\nf.close()")
    child.kill()
    board, flash = child.board, tmp_path / f"{name}.bin"
    image = tmp_path / "image"
    board.save_flash(flash, image)
    content = image.read_bytes()
    assert len(content) == board.flash.data_bytes
    assert content[board.flash.fs_bytes :].startswith(b"image!!!")

    flash.unlink()
    board.load_flash(image, flash)
    child = start(name)
    child.run(DEVICE + "b = bytearray(8)\nd.readblocks(0, b, 0)")
    assert child.value("bytes(b), open('a').read()") == (b"image!!!", "b")


def test_images_are_the_same_on_both_boards(start, tmp_path):
    """A file system written on one is read on the other."""
    child = start("unix")
    child.run("f = open('from', 'w')\nf.write('unix')\nf.close()")
    child.kill()
    boards.load("qemu_m4f").load_flash(tmp_path / "unix.bin", tmp_path / "qemu_m4f.bin")
    assert start("qemu_m4f").value("open('from').read()") == "unix"


def test_image_that_is_too_large_is_refused(tmp_path):
    board = boards.load("unix")
    image = tmp_path / "image"
    image.write_bytes(bytes(board.flash.data_bytes + 1))
    with pytest.raises(InputError, match="has 425984"):
        board.load_flash(image, tmp_path / "flash")
    assert not (tmp_path / "flash").exists()

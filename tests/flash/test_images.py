"""What is read from firmware files, and which are refused for a board."""

import random

import firmware_files as files
import pytest

from engram_host import boards
from engram_host.errors import FlashError
from engram_host.flash import fit, image

CONTENT = files.program("rpi_pico")
AT = 0x10000000
RP2040 = 0xE48BFF56
REAL = [b for b in boards.load_all() if "upload" in b.facts]


def made(kind, board, content=None, **changed):
    """A good file of a kind for a board, or one with something changed."""
    facts = board.facts["upload"].get(kind, {}) | changed
    at = changed.get("at", board.facts["build"]["address"])
    content = content or files.program(board.name)
    build = {
        "uf2": lambda: files.uf2(content, at, facts["family"]),
        "dfu": lambda: files.dfuse(content, at),
        "pyocd": lambda: files.elf(content, at),
        "esptool": lambda: files.esp(content, facts["chip_id"]),
        "teensy": lambda: files.ihex(content, at),
    }
    return build[kind]()


def read(tmp_path, data):
    path = tmp_path / "firmware"
    path.write_bytes(data)
    return image.read(path)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("uf2", files.uf2(CONTENT, AT, RP2040)),
        ("hex", files.ihex(CONTENT, AT)),
        ("elf", files.elf(CONTENT, AT)),
        ("dfu", files.dfuse(CONTENT, AT)),
    ],
)
def test_every_kind_gives_content_address_and_mark(tmp_path, kind, data):
    result = read(tmp_path, data)
    assert (result.kind, result.spans) == (kind, ((AT, CONTENT),))
    assert result.extent == (AT, AT + len(CONTENT)) and result.size == len(CONTENT)
    assert result.engram == ("rpi_pico", files.__version__)


def test_an_esp_image_tells_its_chip_and_a_raw_one_nothing(tmp_path):
    assert read(tmp_path, files.esp(CONTENT, 9)).chip_id == 9
    raw = read(tmp_path, files.program(None))
    assert (raw.kind, raw.engram, raw.placed) == ("bin", None, False)


def test_hex_records_follow_their_segments(tmp_path):
    content = files.program(None, 0x300)
    result = read(tmp_path, files.ihex(content, 0x1000FF00))
    assert result.spans == ((0x1000FF00, content),)


def test_the_block_that_tools_put_in_front_for_rp2350_is_passed_over(tmp_path):
    family = 0xE48BFF59
    extra = files.uf2(bytes(256), 0x10FFFF00, image.UF2_ABSOLUTE)
    result = read(tmp_path, extra + files.uf2(CONTENT, AT, family))
    assert result.families == {family} and result.extent[1] == AT + len(CONTENT)


@pytest.mark.parametrize(
    "data",
    [
        files.uf2(CONTENT, AT, RP2040)[:-1],
        files.uf2(CONTENT, AT, RP2040)[:-4] + b"\0\0\0\0",
        files.uf2(CONTENT, AT, RP2040) * 2,
        files.ihex(CONTENT, AT)[:-12],
        files.ihex(CONTENT, AT).replace(b"0007", b"0107", 1),
        files.elf(CONTENT, AT)[:-1],
        files.elf(CONTENT, AT)[:60],
        files.dfuse(CONTENT, AT)[:700],
        files.esp(b"", 0)[:10],
        b"",
    ],
)
def test_a_damaged_file_is_refused(tmp_path, data):
    with pytest.raises(FlashError, match="damaged|empty|without content"):
        read(tmp_path, data)


def test_no_damage_whatever_gives_another_error(tmp_path):
    rng = random.Random(5)
    for data in (files.uf2(CONTENT, AT, RP2040), files.elf(CONTENT, AT),
                 files.dfuse(CONTENT, AT), files.ihex(CONTENT, AT)):  # fmt: skip
        for _ in range(150):
            content = bytearray(data[: rng.randrange(len(data)) + 1])
            for _ in range(3):
                content[rng.randrange(len(content))] = rng.randrange(256)
            try:
                read(tmp_path, bytes(content))
            except FlashError:
                pass


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.name)
def test_a_boards_own_firmware_fits_in_every_way(tmp_path, board):
    for way in board.facts["upload"]:
        fit.check(board, way, read(tmp_path, made(way, board)))


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.name)
def test_the_firmware_of_any_other_board_is_refused(tmp_path, board):
    """By its family, its chip, its addresses or, between two boards of one chip, its mark."""
    for other in REAL:
        for way in set(other.facts["upload"]) & set(board.facts["upload"]):
            if other is not board:
                with pytest.raises(FlashError, match="^not flashed: "):
                    fit.check(board, way, read(tmp_path, made(way, other)))


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.name)
def test_without_a_mark_the_chips_still_tell(tmp_path, board):
    """A stock firmware of the right chip is taken; one for another place or chip is not."""
    plain = files.program(None)
    for way in board.facts["upload"]:
        fit.check(board, way, read(tmp_path, made(way, board, plain)))
        wrong = {"family": 0x12345678} if way == "uf2" else {"chip_id": 77}
        if way in ("uf2", "esptool"):
            with pytest.raises(FlashError, match="not flashed: "):
                fit.check(board, way, read(tmp_path, made(way, board, plain, **wrong)))
        else:
            beyond = board.facts["build"]["address"] + board.facts["build"]["bytes"] - 8
            with pytest.raises(FlashError, match="addresses"):
                fit.check(board, way, read(tmp_path, made(way, board, plain, at=beyond)))


def test_a_file_that_is_too_large_is_refused(tmp_path):
    board = boards.load("esp32_generic")
    content = bytes(board.facts["build"]["bytes"] + 1)
    with pytest.raises(FlashError, match="addresses"):
        fit.check(board, "esptool", read(tmp_path, files.esp(content, 0)))


def test_a_file_of_another_kind_is_refused(tmp_path):
    board = boards.load("rpi_pico")
    with pytest.raises(FlashError, match="uf2 takes a file of kind uf2, this is one of kind elf"):
        fit.check(board, "uf2", read(tmp_path, files.elf(CONTENT, AT)))

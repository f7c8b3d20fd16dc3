"""board.toml: what is read from it, and what is refused with which words."""

import re

import pytest

from engram_host import boards
from engram_host.errors import HostError, InputError, VirtualBoardError

GOOD = (boards.home() / "boards" / "qemu_m4f" / "board.toml").read_text()


def read(tmp_path, text):
    folder = tmp_path / "qemu_m4f"
    folder.mkdir()
    (folder / "board.toml").write_text(text)
    return boards.read(folder / "board.toml")


def test_every_board_is_valid():
    assert {"unix", "qemu_m4f", "qemu_m3", "qemu_m0p"} <= set(boards.names())
    for board in boards.load_all():
        assert board.is_virtual or board.has_power_figures or "build" in board.facts
        assert board.flash.erase_bytes == 4096


def test_figures_have_sources():
    for board in boards.load_all():
        power = board.facts.get("power", {})
        for figure, source in (("active_mw", "source"), ("datasheet_mw", "datasheet_source")):
            assert (figure in power) == (source in power), board.name
        if power:
            assert "Assumption" in power["cpi_source"]
            assert "not run on hardware" in board.status


def test_unknown_name_tells_the_known():
    with pytest.raises(InputError, match="expected a board of .*qemu_m4f.*; got 'qemu'"):
        boards.load("qemu")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("clock_hz = 7812500", "clock_hz = 'fast'", r"\[chip\] clock_hz: expected int"),
        ("title = ", "titel = ", "expected title .str., got none"),
        ('kind = "qemu"', 'kind = "renode"', "kind: expected one of qemu, unix"),
        ('name = "qemu_m4f"', 'name = "other"', "its folder is 'qemu_m4f'"),
        ("fs_bytes = 131072", "fs_bytes = 131073", "fs_bytes: expected a multiple of erase_bytes"),
        ("store_bytes = 294912", "store_bytes = 299008", "need 1052672 bytes"),
        ("program_bytes = ", "program_bytes = 0 # ", "program_bytes: expected 1 or more, got 0"),
        ('arch = "armv7emsp"', 'arch = "armv7"', "arch: expected one of .*armv7emsp.*, got"),
        ("\n[flash]\n", "\n[flash\n", "board.toml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(InputError, match=words):
        read(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("store_byte = 393216", "expected firmware_bytes, .*store_bytes alone, got store_byte;"),
        ("erase_bytes = 8192", r"expected .* alone, got erase_bytes; put it into \[flash\]"),
        ("store_bytes = '384K'", "store_bytes: expected int, got '384K'"),
        ("store_bytes = 393215", "store_bytes: expected a multiple of erase_bytes, got 393215"),
        ("store_bytes = 397312", r"regions need 1052672 bytes, \[chip\] flash_bytes is 1048576"),
        ("fs_bytes = -4096", "fs_bytes: expected a multiple of erase_bytes, got -4096"),
    ],
)
def test_what_is_wrong_with_stock_flash_is_named(tmp_path, new, words):
    """The fault is in the table that divides flash with MicroPython alone, not in [flash]."""
    old = "store_bytes = 393216"
    assert GOOD.count(old) == 1
    with pytest.raises(InputError, match=rf"\[flash.with_stock\] {words}"):
        read(tmp_path, GOOD.replace(old, new))


def test_stock_flash_is_a_table(tmp_path):
    table = GOOD[GOOD.index("[flash.with_stock]") : GOOD.index("[memory]")]
    text = GOOD.replace(table, "").replace("[flash]\n", "[flash]\nwith_stock = 393216\n")
    with pytest.raises(InputError, match=r"\[flash\] with_stock: expected a table, got 393216"):
        read(tmp_path, text)


PICO = (boards.home() / "boards" / "rpi_pico" / "board.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('port = "rp2"', "", r"expected \[build\] port .str., got none"),
        ("[build]", "[built]", r"expected \[build\] port"),
        ("[upload.uf2]", "[upload.usb]", "<way> one of uf2, pyocd, dfu, esptool, teensy"),
        ("\nbytes = 1048576", "\nbytes = 1048577", "at most the 1048576 of .* firmware_bytes"),
        ('store = "mapped"', "", "store: expected one of mapped, driver, files, got None"),
        ('store = "mapped"', 'store = "raw"', "expected one of mapped, driver, files, got 'raw'"),
        ("family = 0x", "familie = 0x", r"expected \[upload.uf2\] family .int."),
        ('volumes = ["RPI-RP2"]', 'volumes = "RPI-RP2"', r"\[upload.uf2\] volumes: expected list"),
    ],
)
def test_what_is_wrong_with_a_real_board_is_named(tmp_path, old, new, words):
    (tmp_path / "rpi_pico").mkdir()
    assert old in PICO
    (tmp_path / "rpi_pico" / "board.toml").write_text(PICO.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        boards.read(tmp_path / "rpi_pico" / "board.toml")


def test_the_board_that_the_readme_writes_is_a_board(tmp_path):
    """It is the Pico's, with another name."""
    text = (boards.home() / "boards" / "README.md").read_text()
    (block,) = re.findall(r"^```toml\n(.*?)^```", text, re.M | re.S)
    (tmp_path / "my_board").mkdir()
    (tmp_path / "my_board" / "board.toml").write_text(block)
    mine, pico = boards.read(tmp_path / "my_board" / "board.toml"), boards.load("rpi_pico")
    for table in ("chip", "flash", "counter", "build", "link"):
        assert mine.facts[table] == pico.facts[table]
    assert mine.facts["upload"] == {"uf2": pico.facts["upload"]["uf2"]}


def test_half_a_power_table_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected \[power\] source"):
        read(tmp_path, GOOD + "\n[power]\nactive_mw = 1.0\n")


def test_phases_need_all_their_pins(tmp_path):
    with pytest.raises(InputError, match=r"\[phases\] pins: expected 3, got "):
        read(tmp_path, GOOD + '\n[phases]\npins = ["D2"]\n')


def test_command_without_firmware_tells_what_to_do(tmp_path):
    with pytest.raises(VirtualBoardError, match="engram build unix"):
        boards.load("unix").command(tmp_path / "flash", tmp_path / "no-firmware")


def test_model_board_has_no_command(tmp_path):
    words = "expected a virtual board, got a real chip .*; choose one of .*qemu_m0p, q"
    with pytest.raises(InputError, match=words):
        boards.load("teensy41").command(tmp_path / "flash")


def test_flash_file_begins_blank_and_is_kept(tmp_path):
    board = boards.load("qemu_m4f")
    flash = tmp_path / "folder" / "flash.bin"
    board.prepare_flash(flash)
    with open(flash, "r+b") as file:
        assert file.read(board.flash.data_bytes) == b"\xff" * board.flash.data_bytes
        file.seek(0)
        file.write(b"kept")
    board.prepare_flash(flash)
    assert flash.read_bytes()[:5] == b"kept\xff"
    assert flash.stat().st_size == board.facts["virtual"]["flash_backend_bytes"]
    assert flash.stat().st_blocks * 512 <= 2 * board.flash.data_bytes  # the rest is a hole


def test_home_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ENGRAM_HOME", str(tmp_path))
    with pytest.raises(HostError, match="expected a checkout of Engram"):
        boards.home()
    (tmp_path / "boards").mkdir()
    assert boards.home() == tmp_path.resolve()


EMULATORS = {"qemu_m4f": "qemu-system-arm", "virtual_pico": "nodejs"}


@pytest.mark.parametrize("name", EMULATORS)
def test_an_emulator_that_is_missing_is_named_with_its_package(name, tmp_path, monkeypatch):
    package = EMULATORS[name]
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "made_up").touch()
    words = rf"expected the program \S+ to run {name}, got none; .*apt-get install {package}"
    with pytest.raises(VirtualBoardError, match=words):
        boards.load(name).command(tmp_path / "flash.bin", tmp_path / "made_up")

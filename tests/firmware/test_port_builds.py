"""Firmware of real boards: the commands, what is missing, a build with a port that is a fake, and
a real one where its sources are to be had."""

import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from engram import __version__
from engram_host import api, boards, build, virtual
from engram_host.build import port_table, rp2, steps
from engram_host.build import ports as build_ports
from engram_host.errors import BuildError, SourceUnavailable
from engram_host.flash import fit, flasher, image
from engram_host.line import census

REAL = [board for board in boards.load_all() if "build" in board.facts]

# A port of MicroPython that compiles nothing: it leaves what it was told, and our mark.
MAKEFILE = """\
all:
\tmkdir -p $(BUILD)
\tfor name in BOARD USER_C_MODULES FROZEN_MANIFEST MICROPY_MPYCROSS FS_SIZE; do \\
\t    printenv $$name | sed "s/^/$$name=/"; done > $(BUILD)/told
\tcp $(dir $(FROZEN_MANIFEST))engram_firmware.py $(BUILD)/firmware.hex
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A checkout whose builds go elsewhere."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("boards", "firmware", "device_lib"):
        (home / name).symlink_to(boards.home() / name)
    monkeypatch.setenv("ENGRAM_HOME", str(home))
    return home


def fake_source(folder, board):
    """A tree with the port, the board and the libraries that a board wants."""
    facts = board.facts["build"]
    (folder / "py").mkdir(parents=True)
    parts = zip(("MAJOR", "MINOR", "MICRO"), (1, 25, 0))
    (folder / "py" / "mpconfig.h").write_text(
        "".join(f"#define MICROPY_VERSION_{name} {number}\n" for name, number in parts)
    )
    (folder / "ports" / facts["port"] / "boards" / facts["board"]).mkdir(parents=True)
    (folder / "ports" / facts["port"] / "Makefile").write_text(MAKEFILE)
    manifest = folder / "ports" / facts["port"] / facts["manifest"]
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.touch()
    (folder / "mpy-cross").mkdir()
    (folder / "mpy-cross" / "Makefile").write_text("all:\n\tmkdir -p $(BUILD)\n")
    for name, file in port_table.libraries(board).items():
        (folder / "lib" / name / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "lib" / name / file).touch()
    return folder


@pytest.fixture(scope="module")
def source():
    """MicroPython's, wherever the builds take it from."""
    return build.find_source().path


@pytest.mark.board
@pytest.mark.parametrize("board", REAL, ids=lambda board: board.name)
def test_micropython_has_the_board_and_its_manifest(source, board):
    facts = board.facts["build"]
    port = source / "ports" / facts["port"]
    assert (port / "boards" / facts["board"]).is_dir()
    assert (port / facts["manifest"]).is_file()


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.name)
def test_the_commands_name_port_board_modules_and_manifest(board, elsewhere):
    facts = board.facts["build"]
    *_, submodules, cross, last = build_ports.recipe(board)
    assert submodules.endswith("submodules") and cross.endswith("/mpy-cross")
    words = dict(word.split("=", 1) for word in last.split() if "=" in word)
    assert last.startswith(f"make -C $MICROPY_DIR/ports/{facts['port']} BOARD={facts['board']} ")
    manifest = Path(words["FROZEN_MANIFEST"]).read_text()
    ours = build_ports.port_of(board).ours
    if ours:
        assert f"{boards.home()}/firmware/ports/{ours}/manifest.py" in manifest
    else:
        assert f"$(PORT_DIR)/{facts['manifest']}" in manifest
        assert "device_lib/manifest.py" in manifest
        assert "python_kernels=False" in manifest  # 40 kB that firmware with those in C never runs
    modules = Path(words["USER_C_MODULES"])
    if modules.is_dir():
        assert "usermod/engram" in (modules / "engram" / "micropython.mk").read_text()
    else:
        assert "usermod/engram/micropython.cmake" in modules.read_text()
    for argument in facts.get("arguments", ()):
        assert argument in last


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.name)
def test_what_is_frozen_carries_the_mark_that_flashing_looks_for(board, elsewhere, tmp_path):
    build_ports.recipe(board)
    inputs = board.build_dir.with_name(board.name + ".inputs")
    frozen = (inputs / "engram_firmware.py").read_bytes()
    (tmp_path / "content").write_bytes(frozen)
    assert image.read(tmp_path / "content").engram == (board.name, __version__)
    names = {}
    exec(frozen, names)
    assert (names["BOARD"], names["VERSION"]) == (board.name, __version__)
    region = boards.store(board.facts)
    assert region.units * region.erase_bytes == board.flash.store_bytes
    expected = {"kind": region.kind, "units": region.units, "erase_bytes": region.erase_bytes}
    told = names.get("FACTS", {}).get("store")  # else the board module in C has it
    assert told == (None if build_ports.port_of(board).ours else expected)


def test_the_vendors_tools_are_there_before_the_first_make(elsewhere):
    first, *rest = build_ports.recipe(boards.load("esp32_generic"))
    assert first.startswith('. "$IDF_PATH/export.sh"')
    assert all(line.startswith("make ") for line in rest)


def test_a_build_calls_the_ports_make_and_gives_its_file(tmp_path, elsewhere, monkeypatch):
    board = boards.load("arduino_nano_33_ble")
    tree = fake_source(tmp_path / "micropython", board)
    monkeypatch.setattr(steps.shutil, "which", lambda program: program)
    monkeypatch.setenv("BOARD", "of a calling make")
    messages = []
    artefact = build_ports.build(board, tree, say=messages.append)
    assert artefact == board.build_dir / "firmware.hex" == build_ports.artefact(board)
    variables = dict(
        line.split("=", 1) for line in (artefact.parent / "told").read_text().splitlines()
    )
    root = board.build_dir.parent
    assert variables["BOARD"] == "ARDUINO_NANO_33_BLE_SENSE" and variables["FS_SIZE"] == "65536"
    assert variables["MICROPY_MPYCROSS"] == str(root / "mpy-cross" / "mpy-cross")
    assert variables["FROZEN_MANIFEST"] == str(root / "arduino_nano_33_ble.inputs" / "manifest.py")
    assert any("mpy-cross 1.25.0" in line for line in messages)


def test_another_source_begins_anew(tmp_path, elsewhere, monkeypatch):
    board = boards.load("arduino_nano_33_ble")
    monkeypatch.setattr(steps.shutil, "which", lambda program: program)
    build_ports.build(board, fake_source(tmp_path / "one", board))
    left = board.build_dir / "left.o"
    left.touch()
    build_ports.build(board, tmp_path / "one")
    assert left.exists()
    other = fake_source(tmp_path / "other", board)
    (other / "py" / "more.c").touch()
    build_ports.build(board, other)
    assert not left.exists()


def test_missing_libraries_are_named_with_the_way_to_get_them(tmp_path, elsewhere, monkeypatch):
    board = boards.load("nucleo_wb55")
    monkeypatch.setattr(steps.shutil, "which", lambda program: program)
    tree = fake_source(tmp_path / "micropython", board)
    shutil.rmtree(tree / "lib" / "stm32lib")
    with pytest.raises(BuildError, match="(?s)lib/stm32lib, which .*BOARD=NUCLEO_WB55 submodules"):
        build_ports.build(board, tree)


def test_a_missing_compiler_or_sdk_is_named(tmp_path, elsewhere, monkeypatch):
    monkeypatch.delenv("IDF_PATH", raising=False)
    board = boards.load("esp32_generic")
    with pytest.raises(BuildError, match="IDF_PATH is not set: source export.sh of Espressif"):
        build_ports.build(board, fake_source(tmp_path / "idf", board))
    monkeypatch.setattr(steps.shutil, "which", lambda program: None)
    board = boards.load("itsybitsy_m4")
    with pytest.raises(BuildError, match="apt-get install .*gcc-arm-none-eabi"):
        build_ports.build(board, fake_source(tmp_path / "arm", board))


def test_a_board_that_this_micropython_lacks_is_told(tmp_path, elsewhere):
    board = boards.load("teensy41")
    tree = fake_source(tmp_path / "micropython", board)
    shutil.rmtree(tree / "ports" / "mimxrt" / "boards" / "TEENSY41")
    with pytest.raises(BuildError, match="has no board TEENSY41 in ports/mimxrt/boards"):
        build_ports.build(board, tree)


def test_a_manifest_that_is_not_there_is_told(tmp_path, elsewhere):
    board = boards.load("teensy41")
    tree = fake_source(tmp_path / "micropython", board)
    (tree / "ports" / "mimxrt" / board.facts["build"]["manifest"]).unlink()
    with pytest.raises(BuildError, match="manifest: there is no .*TEENSY41/manifest.py"):
        build_ports.build(board, tree)


def test_a_model_has_no_build():
    with pytest.raises(BuildError, match="nucleo_l4r5zi: no port of MicroPython is known for it"):
        build_ports.build(boards.load("nucleo_l4r5zi"))


def test_a_port_that_fails_shows_the_end_of_its_log(tmp_path, elsewhere, monkeypatch):
    board = boards.load("itsybitsy_m4")
    tree = fake_source(tmp_path / "micropython", board)
    monkeypatch.setattr(steps.shutil, "which", lambda program: program)
    makefile = "all:\n\t@echo 'region FLASH overflowed' >&2; false\n"
    (tree / "ports" / "samd" / "Makefile").write_text(makefile)
    with pytest.raises(BuildError, match="region FLASH overflowed"):
        build_ports.build(board, tree)


# ---------------------------------------------------------------- a real build


# Thorough: each takes minutes, and every run builds virtual_pico of the same sources.
REAL_BUILDS = [("rpi_pico", 0xE48BFF56), ("rpi_pico2", 0xE48BFF59)]


@pytest.fixture(scope="module")
def made():
    """made(name): the firmware of an RP2 board, from what packages have."""

    def make(name):
        try:
            return build_ports.build(boards.load(name))
        except SourceUnavailable as e:
            pytest.skip(f"the sources of the rp2 port cannot be had here: {e}")
        except BuildError as e:
            if "or apt-get install" in str(e):
                pytest.skip(str(e))
            raise

    return make


@pytest.fixture
def pico(made):
    return made("rpi_pico")


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize(("name", "family"), REAL_BUILDS)
def test_the_firmware_of_a_pico_is_one_for_it_and_for_nothing_else(made, name, family):
    board, file = boards.load(name), made(name)
    content = image.read(file)
    assert content.engram == (name, __version__)
    assert content.families == {family} and content.extent[0] == 0x10000000
    fit.check(board, "uf2", content)
    assert flasher.firmware_of(board, "uf2") == file
    for other in {"rpi_pico", "rpi_pico_w", "rpi_pico2", "itsybitsy_m4"} - {name}:
        with pytest.raises(image.FlashError, match="not flashed"):
            fit.check(boards.load(other), "uf2", content)


@pytest.mark.board
@pytest.mark.slow
def test_nothing_of_this_computer_is_in_the_firmware(pico):
    spans = image.read(pico).spans
    assert not any(str(boards.home()).encode() in data for _, data in spans)
    assert not any(sys.prefix.encode() in data for _, data in spans)


def parts(board):
    """(C files, frozen modules) of a build, named from the folder that a machine does not decide.
    What the build itself writes is not among them."""
    out = board.build_dir
    roots = (out, out.parent / "rp2-tree", boards.home(), *rp2.provided("--no-emulator").values())
    names = lambda path: next(  # noqa: E731
        (str(path.relative_to(root)) for root in roots if path.is_relative_to(root)), str(path)
    )
    commands = json.loads((out / "compile_commands.json").read_text())
    sources = {names(Path(row["file"])) for row in commands}
    frozen = {names(path) for path in (out / "frozen_mpy").rglob("*.mpy")}
    return sources, frozen


@pytest.mark.board
@pytest.mark.slow
def test_a_picos_firmware_is_made_of_what_the_emulated_one_runs(pico):
    """Board module, boot, region and library: a mark in one module is all that differs."""
    emulated = boards.load("virtual_pico")
    build.build(emulated)
    (real_c, real_py), (emulated_c, emulated_py) = parts(boards.load("rpi_pico")), parts(emulated)
    assert real_c == emulated_c and len(real_c) > 300
    assert {"firmware/ports/rp2/board_rp2.c", "firmware/ports/common/modboard.c"} <= real_c
    assert real_py - emulated_py == {"frozen_mpy/engram_firmware.mpy"}
    assert not emulated_py - real_py
    assert {"frozen_mpy/_boot.mpy", "frozen_mpy/engram_board.mpy"} <= real_py


@pytest.mark.board
@pytest.mark.slow
def test_an_emulated_pico_starts_it_and_says_what_it_runs(pico, tmp_path, monkeypatch):
    """The boot ROM and the emulator of virtual_pico, with this firmware in place of its own."""
    emulated = boards.load("virtual_pico")
    try:
        rom = build.build(emulated).parent
    except SourceUnavailable as e:
        pytest.skip(f"the emulator cannot be had here: {e}")
    for name in ("rom.bin", "rp2040js"):
        (tmp_path / name).symlink_to(rom / name)
    firmware = tmp_path / "firmware.uf2"
    shutil.copy(pico, firmware)
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    status = virtual.start("virtual_pico", lambda flash: emulated.command(flash, firmware))
    try:
        end = time.monotonic() + 120  # it makes its file system first
        while (state := census.look(str(status.tty)))["state"] != census.AT_PROMPT:
            assert time.monotonic() < end, state
        assert (state["firmware_board"], state["firmware_engram"]) == ("rpi_pico", __version__)
        assert state["engram"] == __version__ and state["machine"].startswith("Raspberry Pi Pico")
        with api.connect(str(status.tty)) as board:
            facts, region = api.info(board), board.region()
        assert facts["board"] == "rpi_pico" and facts["counter"]["kind"] == "device"
        assert facts["fs"]["total_bytes"] == boards.load("rpi_pico").flash.fs_bytes
        assert region["store_bytes"] == boards.load("rpi_pico").flash.store_bytes
    finally:
        virtual.stop("virtual_pico")

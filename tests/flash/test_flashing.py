"""Flashing at the level of the tools' own interfaces: a drive that is a folder, fake programs."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import firmware_files as files
import pytest
import tool_fakes
from click.testing import CliRunner

from engram_host import boards, cli
from engram_host.boards import check as board_check
from engram_host.errors import FlashError, InputError
from engram_host.flash import fit, flasher, tool, volume, ways
from engram_host.line import ports

PICO_INFO = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"


@pytest.fixture(autouse=True)
def no_ports(monkeypatch):
    """No board of this computer is asked."""
    monkeypatch.setattr(ports, "serial_ports", list)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    folder = tool_fakes.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_MEMORY", str(tmp_path / "memory"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    return folder


def firmware(tmp_path, board, way, content=None):
    """A good file for a board, by the name that its build gives it."""
    facts, build = board.facts["upload"][way], board.facts["build"]
    content = content or files.program(board.name)
    make = {
        "uf2": lambda: files.uf2(content, build["address"], facts["family"]),
        "dfu": lambda: files.dfuse(content, build["address"]),
        "esptool": lambda: files.esp(content, facts["chip_id"]),
        "teensy": lambda: files.ihex(content, build["address"]),
    }
    kinds = {".elf": files.elf, ".hex": files.ihex}
    by_name = kinds.get(Path(facts["file"]).suffix, files.elf)
    path = tmp_path / facts["file"]
    path.write_bytes(make.get(way, lambda: by_name(content, build["address"]))())
    return path


def flash(board, **options):
    return flasher.flash(board, back_s=0, **options)


class BootLoader(threading.Thread):
    """The other end of a drive: takes the blocks as they come; goes away when it has them all."""

    def __init__(self, place, info=PICO_INFO, takes=True):
        super().__init__(daemon=True)
        self.place, self.takes, self.content = place, takes, {}
        place.mkdir()
        (place / volume.INFO).write_text(info)
        self.start()

    def run(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for path in self.place.glob("*.uf2"):
                data = path.read_bytes()
                blocks = [data[i : i + 512] for i in range(0, len(data), 512)]
                whole = [b for b in blocks if len(b) == 512]
                number = int.from_bytes(data[24:28], "little") if whole else None
                if self.takes and number == len(whole):
                    for b in whole:
                        at = int.from_bytes(b[12:16], "little")
                        self.content[at] = b[32 : 32 + int.from_bytes(b[16:20], "little")]
                    (self.place / volume.INFO).unlink()
                    return
            time.sleep(0.01)


# ---------------------------------------------------------------- UF2


def test_a_uf2_file_arrives_whole_and_the_drive_goes_away(tmp_path):
    board = boards.load("rpi_pico")
    loader = BootLoader(tmp_path / "drive")
    outcome = flash(board, firmware=firmware(tmp_path, board, "uf2"), volume=loader.place)
    loader.join(5)
    content = b"".join(loader.content[at] for at in sorted(loader.content))
    assert content == files.program("rpi_pico") and min(loader.content) == 0x10000000
    assert outcome.done and not outcome.verified and "nothing back" in outcome.why_not
    assert outcome.said is None  # there was no port to ask


def test_the_drive_is_found_among_others(tmp_path):
    (tmp_path / "stick").mkdir()
    itsy, pico = tmp_path / "itsy", tmp_path / "pico"
    BootLoader(itsy, "Model: x\nBoard-ID: SAMD51G19A-Itsy-v0\n")
    BootLoader(pico)
    places = lambda: [tmp_path / "gone", tmp_path / "stick", itsy, pico]  # noqa: E731
    assert volume.find(["RPI-RP2"], "", places) == pico
    assert volume.find(["SAMD51G19A-Itsy"], "", places) == itsy
    with pytest.raises(FlashError, match="RP2350 is mounted .found .*RPI-RP2 on .*hold BOOTSEL"):
        volume.find(["RP2350"], "hold BOOTSEL", places)
    with pytest.raises(FlashError, match="several boards .* --volume"):
        volume.find(["RPI-RP2", "SAMD51G19A-Itsy"], "", places)


def test_without_a_drive_it_says_what_to_press(tmp_path, monkeypatch):
    board = boards.load("rpi_pico")
    monkeypatch.setattr(volume, "mounted", list)
    monkeypatch.setattr(volume.find, "__defaults__", (list,))
    with pytest.raises(FlashError, match="hold BOOTSEL while you plug the board in"):
        flash(board, firmware=firmware(tmp_path, board, "uf2"))


def test_the_drive_of_another_board_is_refused_and_stays_as_it_is(tmp_path):
    board = boards.load("rpi_pico2")
    loader = BootLoader(tmp_path / "drive")
    pattern = "not flashed: .* expected .* Board-ID RP2350, got RPI-RP2"
    with pytest.raises(FlashError, match=pattern):
        flash(board, firmware=firmware(tmp_path, board, "uf2"), volume=loader.place)
    assert [p.name for p in loader.place.iterdir()] == [volume.INFO]


def test_a_folder_that_is_no_drive_is_refused(tmp_path):
    board = boards.load("rpi_pico")
    with pytest.raises(FlashError, match="expected the drive .*, got one without INFO_UF2.TXT"):
        flash(board, firmware=firmware(tmp_path, board, "uf2"), volume=tmp_path)


def test_a_boot_loader_that_does_not_take_it_is_told(tmp_path):
    loader = BootLoader(tmp_path / "drive", takes=False)
    with pytest.raises(FlashError, match="still there after 0 s"):
        volume.wait_gone(loader.place, 0.2)


def test_a_drive_that_is_stuck_does_not_hold_us(tmp_path):
    os.mkfifo(tmp_path / "firmware.uf2")  # opening it for writing waits for a reader, for ever
    source = tmp_path / "source" / "firmware.uf2"
    source.parent.mkdir()
    source.write_bytes(b"x")
    with pytest.raises(FlashError, match="did not end within 0 s"):
        volume.copy(source, tmp_path, 0.3)


# ---------------------------------------------------------------- programs


PROGRAMS = [
    ("rpi_pico", "pyocd"),
    ("nucleo_wb55", "pyocd"),
    ("nucleo_wb55", "dfu"),
    ("nucleo_l4a6zg", "dfu"),
    ("arduino_nano_33_ble", "pyocd"),
    ("esp32_generic", "esptool"),
    ("esp32_generic_s3", "esptool"),
    ("teensy41", "teensy"),
]


@pytest.mark.parametrize(("name", "way"), PROGRAMS)
def test_it_is_programmed_and_compared(tmp_path, tools, name, way):
    board = boards.load(name)
    file = firmware(tmp_path, board, way)
    outcome = flash(board, way=way, firmware=file)
    assert outcome.done and outcome.verified is (way != "teensy")
    at = board.facts["upload"][way].get("offset", board.facts["build"]["address"])
    memory = (tmp_path / "memory").read_bytes()[at:]
    assert memory == (file.read_bytes() if way == "esptool" else files.program(name))


@pytest.mark.parametrize(("name", "way"), PROGRAMS)
def test_a_dry_run_shows_exactly_what_then_runs(tmp_path, tools, name, way):
    board = boards.load(name)
    file = firmware(tmp_path, board, way)
    outcome = flash(board, way=way, firmware=file, dry_run=True)
    assert not outcome.done and not outcome.verified and tool_fakes.calls(tools) == []
    flash(board, way=way, firmware=file)
    calls = [" ".join(call) for call in tool_fakes.calls(tools)]
    commands = [s.replace("'", "") for s in outcome.steps if not s.startswith("compare ")]
    plain = lambda line: [w.rsplit("/", 1)[-1] for w in line.split()]  # noqa: E731
    assert [plain(line) for line in calls] == [plain(line) for line in commands]


@pytest.mark.parametrize(("name", "way"), [p for p in PROGRAMS if p[1] != "teensy"])
def test_what_did_not_arrive_is_noticed(tmp_path, tools, monkeypatch, name, way):
    board = boards.load(name)
    file = firmware(tmp_path, board, way)
    monkeypatch.setenv("FAKE_FAULT", "wrong")
    with pytest.raises(FlashError, match="holds something else from address 0x|Verification"):
        flash(board, way=way, firmware=file)


def test_a_tool_that_fails_is_quoted(tmp_path, tools, monkeypatch):
    board = boards.load("rpi_pico")
    monkeypatch.setenv("FAKE_FAULT", "absent")
    with pytest.raises(FlashError, match="exit status 1.*\n.*No available debug probes"):
        flash(board, way="pyocd", firmware=firmware(tmp_path, board, "pyocd"))


def test_a_tool_that_hangs_is_ended(tmp_path, tools, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "hang")
    start_s = time.monotonic()
    with pytest.raises(FlashError, match="did not end within 1 s"):
        tool.run(["pyocd", "load"], 1.0)
    assert time.monotonic() - start_s < 5


def test_a_tool_that_is_missing_is_named(tmp_path, monkeypatch):
    board = boards.load("esp32_generic")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlashError, match="esptool is not installed: pip install esptool"):
        flash(board, firmware=firmware(tmp_path, board, "esptool"))


def test_a_wrong_firmware_starts_no_tool(tmp_path, tools):
    wb55, l4a6 = boards.load("nucleo_wb55"), boards.load("nucleo_l4a6zg")
    with pytest.raises(FlashError, match="Engram's firmware for nucleo_l4a6zg"):
        flash(wb55, way="pyocd", firmware=firmware(tmp_path, l4a6, "pyocd"))
    assert tool_fakes.calls(tools) == []


def test_probe_and_port_reach_the_tool(tmp_path, tools):
    board = boards.load("nucleo_wb55")
    flash(board, firmware=firmware(tmp_path, board, "pyocd"), probe="0669FF")
    board = boards.load("esp32_generic")
    file = firmware(tmp_path, board, "esptool")
    outcome = flash(board, firmware=file, port="COM7", dry_run=True)
    assert all(call[call.index("-u") + 1] == "0669FF" for call in tool_fakes.calls(tools))
    assert all("--port COM7" in step for step in outcome.steps)


# ---------------------------------------------------------------- what the board then says


def says(monkeypatch, facts):
    """A serial port comes after flashing, and this is what is on it."""
    answers = iter([[]])
    monkeypatch.setattr(ports, "serial_ports", lambda: next(answers, [{"port": "COM3"}]))
    monkeypatch.setattr(flasher.census, "look", lambda url: {"port": url, **facts})


def test_the_board_is_asked_on_the_port_that_came(tmp_path, tools, monkeypatch):
    board = boards.load("nucleo_wb55")
    facts = {"state": "prompt", "firmware_board": board.name, "firmware_engram": files.__version__}
    says(monkeypatch, facts)
    outcome = flash(board, firmware=firmware(tmp_path, board, "pyocd"))
    assert outcome.said == {"port": "COM3", **facts}


@pytest.mark.parametrize("name", [None, "nucleo_l4a6zg"])
def test_a_board_that_runs_something_else_is_told(tmp_path, tools, monkeypatch, name):
    board = boards.load("nucleo_wb55")
    facts = {"firmware_board": name, "firmware_engram": files.__version__} if name else {}
    says(monkeypatch, {"state": "prompt", **facts})
    with pytest.raises(FlashError, match="on COM3 runs (none of|nucleo_l4a6zg)"):
        flash(board, firmware=firmware(tmp_path, board, "pyocd"))


# ---------------------------------------------------------------- the verb, and what it refuses


def test_the_table_of_ways_is_whole():
    for board in boards.load_all():
        for way, facts in board.facts.get("upload", {}).items():
            assert way in ways.WAYS and way in fit.TAKES and facts["file"], board.name
    assert set(ways.WAYS) == set(fit.TAKES) == set(board_check.REQUIRED_UPLOAD)


def test_a_virtual_board_a_model_and_a_wrong_way_are_refused():
    with pytest.raises(InputError, match="qemu_m4f is a virtual board: `engram start"):
        flash(boards.load("qemu_m4f"))
    with pytest.raises(InputError, match="not known how to flash it"):
        flash(boards.load("nucleo_l4r5zi"))
    with pytest.raises(InputError, match="rpi_pico: expected uf2 or pyocd .*, got 'dfu'"):
        flash(boards.load("rpi_pico"), way="dfu")


def test_the_verb_prints_the_steps(tmp_path, tools, capsys):
    file = firmware(tmp_path, boards.load("esp32_generic"), "esptool")
    argv = ["flash", "esp32_generic", "--firmware", str(file), "--port", "COM9"]
    cli.main([*argv, "--dry-run"], standalone_mode=False)
    text = capsys.readouterr().out
    assert f"write-flash 0x1000 {file}\n" in text and "verify-flash 0x1000" in text
    cli.main([*argv, "--dry-run", "--json"], standalone_mode=False)
    report = json.loads(capsys.readouterr().out)
    expected = ["esp32_generic", files.__version__]
    first, enter, *steps, last = text.splitlines()
    assert report["steps"] == steps and report["engram"] == expected
    assert first.startswith(f"# {file}: Engram {files.__version__}") and "esp32_generic" in first
    assert (
        enter == f"# {report['enter']}" and "BOOT" in enter and last.startswith("# ask the board")
    )


def test_the_verb_says_what_is_to_be_built_first(monkeypatch, capsys):
    code = cli.main(["flash", "esp32_generic_s3", "--dry-run"], standalone_mode=False)
    assert code == 1 and "engram build esp32_generic_s3" in capsys.readouterr().err


# ---------------------------------------------------------------- files that a firmware cannot see


def pico_argv(tmp_path, volume, content=None):
    file = firmware(tmp_path, boards.load("rpi_pico"), "uf2", content)
    return ["flash", "rpi_pico", "--firmware", str(file), "--volume", str(volume)]


def test_files_that_move_are_told_before_anything_is_touched(tmp_path, capsys):
    place = tmp_path / "drive"
    place.mkdir()
    argv = pico_argv(tmp_path, place)
    cli.main([*argv, "--dry-run"], standalone_mode=False)
    told = next(line for line in capsys.readouterr().out.splitlines() if "mpremote cp" in line)
    assert "# This firmware has its files in 262,144 bytes at 0x10100000, at /flash" in told
    assert "(1,441,792 bytes at 0x100a0000) are lost" in told and "786,432 bytes behind" in told
    cli.main([*argv, "--dry-run", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["lost"] == told[2:]


@pytest.mark.parametrize(("answer", "flashed"), [("n\n", False), ("y\n", True)])
def test_where_files_may_be_lost_it_asks(tmp_path, monkeypatch, answer, flashed):
    monkeypatch.setattr(flasher, "_ask", lambda port, before, limit_s: None)
    loader = BootLoader(tmp_path / "drive")
    result = CliRunner().invoke(cli.main, pico_argv(tmp_path, loader.place), input=answer)
    assert (result.exit_code == 0) is flashed is bool(loader.content), result.output
    assert result.output.count("mpremote cp -r : backup") == 1

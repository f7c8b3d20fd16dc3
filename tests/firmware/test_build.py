"""Building firmware: errors that say what to do, no needless work, nothing written elsewhere."""

import time

import pytest

from engram_host import boards, build
from engram_host.errors import BuildError


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A folder in the place of the checkout, so that no real build is touched."""
    (tmp_path / "boards").symlink_to(boards.home() / "boards")
    (tmp_path / "firmware").symlink_to(boards.home() / "firmware")
    monkeypatch.setenv("ENGRAM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def fake_source(tmp_path):
    """What looks like MicroPython, with a mpy-cross that does not compile."""
    source = tmp_path / "micropython"
    (source / "py").mkdir(parents=True)
    (source / "mpy-cross").mkdir()
    (source / "py" / "mpconfig.h").write_text(
        "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 25\n"
        "#define MICROPY_VERSION_MICRO 0\n"
    )
    (source / "mpy-cross" / "Makefile").write_text(
        "all:\n\t@echo working\n\t@echo 'main.c:1: error: this is wrong' >&2\n\t@false\n"
    )
    return source


def test_missing_tool_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    pattern = "expected .*arm-none-eabi-gcc to build .*, got none; .*gcc-arm-none-eabi"
    with pytest.raises(BuildError, match=pattern):
        build.build(boards.load("qemu_m4f"))


def test_no_source_tree(checkout, tmp_path):
    with pytest.raises(BuildError, match="expected a MicroPython source tree"):
        build.build(boards.load("unix"), tmp_path)


def test_failure_ends_with_the_log(checkout, fake_source):
    with pytest.raises(BuildError, match="main.c:1: error: this is wrong") as failure:
        build.build(boards.load("unix"), fake_source)
    log = checkout / "build" / "firmware" / "unix.log"
    assert str(log) in str(failure.value)
    assert "MicroPython 1.25.0" in log.read_text()


def test_extra_modules_must_be_there(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("EXTRA_C_MODULES", str(tmp_path))
    with pytest.raises(BuildError, match="folders with a micropython.mk"):
        build.user_modules(boards.load("unix"))


def test_extra_modules_join_ours(checkout, monkeypatch, tmp_path):
    extra = tmp_path / "extra" / "more"
    extra.mkdir(parents=True)
    (extra / "micropython.mk").write_text("")
    monkeypatch.setenv("EXTRA_C_MODULES", str(extra.parent))
    folder = build.user_modules(boards.load("unix"))
    assert {p.name for p in folder.iterdir()} == {"engram", "more"}
    assert (folder / "more" / "micropython.mk").read_text().startswith(f"USERMOD_DIR := {extra}\n")


def test_a_model_board_is_not_built():
    with pytest.raises(Exception, match="expected a virtual board"):
        build.build(boards.load("teensy41"))


@pytest.mark.board
@pytest.mark.parametrize("name", ["unix", "qemu_m4f"])
def test_second_build_does_nothing(built, name):
    board = built(name)
    build.build(board)
    stamp = board.artefact.stat().st_mtime_ns
    begin = time.monotonic()
    assert build.build(board) == board.artefact
    assert board.artefact.stat().st_mtime_ns == stamp
    assert time.monotonic() - begin < 10

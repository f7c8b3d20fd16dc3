"""What make test-quick runs needs no firmware: conftest.py fails a test that starts some."""

import pytest

from engram_host import boards


@pytest.mark.parametrize("name", ["unix", "qemu_m4f"])
def test_a_test_without_the_mark_cannot_start_a_board(name, tmp_path):
    board = boards.load(name)
    with pytest.raises(AssertionError, match=f"starts the firmware of {name}; mark it board"):
        board.command(tmp_path / "flash.bin")
    (tmp_path / "made_up").touch()  # what a test made itself may run
    board.command(tmp_path / "flash.bin", tmp_path / "made_up")


@pytest.mark.board
def test_one_with_the_mark_can(tmp_path):
    board = boards.load("unix")
    argv, _ = board.command(tmp_path / "flash.bin")
    assert argv[0] == str(board.artefact.resolve())

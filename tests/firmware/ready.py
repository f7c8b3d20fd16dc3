"""A board's firmware in place: built where it is not there."""

import shutil

import pytest

from engram_host import boards, build
from engram_host.errors import SourceUnavailable


def ready(name):
    """The board. The emulated Pico is made of more than `make setup` brings: the test is skipped,
    with the reason, where that cannot be had."""
    board = boards.load(name)
    if board.artefact.exists():
        return board
    missing = [program for program in build.TOOLS[board.kind] if shutil.which(program) is None]
    if missing and board.kind == "rp2040js":
        pytest.skip(f"{', '.join(missing)} missing: host/bootstrap/debian.sh pico installs them")
    try:
        build.build(board)
    except SourceUnavailable as why:
        pytest.skip(str(why))
    return board

"""Stock firmware: the same board without Engram, as users find it, for `engram install`."""

from dataclasses import replace

import pytest

from engram_host import boards
from engram_host.errors import InputError
from firmware.natmod import build as natmod
from hosts import BoardHost

STOCK = "qemu_m4f_stock"


def test_every_emulated_board_has_one():
    for board in boards.load_all():
        name = board.name + boards.STOCK
        assert boards.is_known(name) == board.is_virtual
    board, own = boards.load(STOCK), boards.load("qemu_m4f")
    assert board.stock and not own.stock
    assert (board.name, board.folder) == (STOCK, own.folder)
    assert board.flash == replace(own.flash, **own.facts["flash"]["with_stock"])
    assert board.flash.firmware_bytes < own.flash.firmware_bytes
    assert board.artefact.parent.name == STOCK
    assert board.facts["room"]["stock"] and board.facts["room"]["heap_bytes"] > 0
    others = {"name": 0, "title": 0, "room": 0, "flash": 0}
    assert {**board.facts, **others} == {**own.facts, **others}


@pytest.mark.parametrize("name", ["teensy41_stock", "no_stock", "_stock"])
def test_what_has_none_is_refused(name):
    with pytest.raises(InputError, match=f"expected a board of .*; got '{name}'"):
        boards.load(name)


@pytest.mark.board
@pytest.mark.slow
def test_it_is_micropython_alone(start):
    child = start(STOCK)
    for module in ("engram", "_engram", "engram_board", "_board"):
        child.begin(f"import {module}")
        assert "ImportError" in child.end()[1]
    assert child.value("__import__('sys').implementation._machine").startswith(STOCK)
    assert child.value("__import__('sys').path") == ["", ".frozen", "/lib"]


@pytest.mark.board
@pytest.mark.slow
def test_the_file_system_takes_all_of_the_flash_and_stays(start):
    child = start(STOCK)
    child.run("import os, mps2\nflash = mps2.Flash()")
    size, _, blocks = child.value("os.statvfs('/')")[:3]
    assert size * blocks == child.board.flash.data_bytes
    assert child.value("flash.ioctl(4, 0), flash.ioctl(5, 0)") == (blocks, size)
    child.run("f = open('kept.txt', 'w')\nf.write('kept')\nf.close()")
    child.kill()
    again = start(STOCK)
    again.run("import os")
    assert again.value("os.getcwd(), open('/kept.txt').read()") == ("/", "kept")


@pytest.mark.board
@pytest.mark.slow
def test_native_kernels_are_loaded_from_a_file(built, tmp_path):
    arch = built(STOCK).facts["chip"]["arch"]
    host = BoardHost(STOCK, tmp_path)
    host.start()
    try:
        host.put(natmod.build(arch, "_engram_core"))
        host.exec("import _engram_core\nfrom array import array\nx = array('f', [-1, 2])")
        assert host.exec("_engram_core.relu_fwd(x, x)\nprint(list(x))").strip() == "[0.0, 2.0]"
    finally:
        host.stop()

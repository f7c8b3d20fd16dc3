"""The board module over flash drivers of MicroPython's ports, with drivers that are fakes: where a
learner's region lies, and that nothing else is written."""

import importlib
import sys
import types

import pytest

from engram.store import RamFlash, Region, ReplayStore
from engram.store.flash import mapping
from engram_host import boards
from engram_host.build import port_table
from engram_host.build import ports as build_ports

OURS = ("_board", "_board_flash", "_part", "engram_board", "engram_firmware")
BOARDS = [
    board
    for board in boards.load_all()
    if "build" in board.facts and port_table.port_of(board).driver
]


class Chip:
    """The data flash of a board as its port's driver gives it: at an address, or as a whole."""

    def __init__(self, board):
        flash = board.flash
        self.base = board.facts["flash"].get("data_at", 0)
        self.ram = RamFlash(flash.data_bytes // flash.erase_bytes, flash.erase_bytes, 1)

    def part(self, start=None, len=None):
        if start is None:
            return Region(self.ram, 0, self.ram.blocks)
        unit = self.ram.erase_bytes
        return Region(self.ram, (start - self.base) // unit, len // unit)

    def bytearray_at(self, address, size):
        return self.ram.mapping()[address - self.base : address - self.base + size]


@pytest.fixture(params=BOARDS, ids=lambda board: board.name)
def made(request, monkeypatch):
    """(board, its flash, the module engram_board that its firmware has)."""
    board, port = request.param, request.param.facts["build"]["port"]
    chip = Chip(board)
    for name, content in ((port, {"Flash": chip.part}), ("uctypes", {})):
        module = types.ModuleType(name)
        module.__dict__.update(content, bytearray_at=chip.bytearray_at)
        monkeypatch.setitem(sys.modules, name, module)
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    facts = types.ModuleType("engram_firmware")
    exec(build_ports.frozen_facts(board), facts.__dict__)
    monkeypatch.setitem(sys.modules, "engram_firmware", facts)
    for folder in (f"ports/{port}", "ports/common/driver", "ports/common/frozen"):
        monkeypatch.syspath_prepend(str(boards.home() / "firmware" / folder))
    for name in ("time", "gc"):  # CPython has less of these
        monkeypatch.setattr(sys.modules[name], "ticks_us", lambda: 0, raising=False)
    yield board, chip, importlib.import_module("engram_board")
    for name in OURS:
        sys.modules.pop(name, None)


def test_the_region_is_what_board_toml_says(made):
    board, chip, module = made
    device, region = module.store_device(), boards.store(board.facts)
    assert (module.NAME, module.FS_ROOT) == (board.name, "/flash")
    assert (module.COUNTER_KIND, module.COUNTER_UNIT) == tuple(board.facts["counter"].values())
    assert module.PROGRAM_BYTES == region.program_bytes
    assert (device.ioctl(4, 0), device.ioctl(5, 0)) == (region.units, region.erase_bytes)
    files = module.fs_device()
    assert files.ioctl(4, 0) * files.ioctl(5, 0) == board.flash.fs_bytes
    assert region.kind == "flash" and (mapping(device) is not None) is region.mapped
    if region.mapped:
        assert len(mapping(device)) == board.flash.store_bytes


def test_a_store_is_in_the_region_and_files_stay(made):
    board, chip, module = made
    files, page = module.fs_device(), b"\x5a" * 256
    for block in (0, files.ioctl(4, 0) - 1):
        files.writeblocks(block, page, 256)
    device = module.store_device()
    store = ReplayStore.format(device, module.PROGRAM_BYTES, 7, 24, align=False)
    latents = [i.to_bytes(2, "little") * 12 for i in range(400)]
    slots = [store.append(latent, i % 10, 0) for i, latent in enumerate(latents)]
    out = bytearray(24)
    again = ReplayStore(module.store_device(), module.PROGRAM_BYTES, 7, 24, align=False)
    for slot, latent in zip(slots, latents):
        again.read_into(slot, out)
        assert out == latent
    before = chip.ram.data[: board.flash.fs_bytes]
    assert before.count(b"\x5a") == 512 and before.count(b"\xff") == len(before) - 512
    if again.mapped is not None:
        assert again.mapped[:8].tobytes() == chip.ram.data[board.flash.fs_bytes :][:8]


def test_a_block_outside_of_a_part_is_refused(made):
    board, chip, module = made
    files, device = module.fs_device(), module.store_device()
    for part in (files, device):
        count = part.ioctl(4, 0)
        with pytest.raises(OSError, match=f"block {count} of {count}"):
            part.readblocks(count, bytearray(1), 0)
        with pytest.raises(OSError, match=f"block {count} of"):
            part.writeblocks(count, b"\x00" * 256, 0)
        with pytest.raises(OSError, match="block -1 of"):
            part.ioctl(6, -1)
    assert bytes(chip.ram.data) == b"\xff" * len(chip.ram.data)


def test_the_linker_of_the_nrf_port_leaves_what_board_toml_says():
    board = boards.load("arduino_nano_33_ble")
    arguments = board.facts["build"]["arguments"]
    assert f"FS_SIZE={board.flash.fs_bytes}" in arguments
    assert any(a.endswith(f"_bootloader_tail_size={board.flash.store_bytes}") for a in arguments)
    flash = board.flash
    assert flash.firmware_bytes + flash.data_bytes == board.facts["chip"]["flash_bytes"]

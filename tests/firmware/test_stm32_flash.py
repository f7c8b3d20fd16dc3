"""Flash of the stm32 boards: the C driver over a chip that is a fake, and what the port's make and
linker are told. No such board has run."""

import ctypes
import errno
import re
import shutil
import subprocess
import sys

import pytest

from engram.store import ReplayStore
from engram_host import boards, build

FIRMWARE = boards.home() / "firmware"
OURS = FIRMWARE / "ports" / "stm32"
BOARDS = [b for b in boards.load_all() if b.facts.get("build", {}).get("port") == "stm32"]
PAGE_BYTES = {"nucleo_l4a6zg": 2048, "nucleo_wb55": 4096}  # of the datasheets
# Headers of MicroPython that board_stm32.c includes; the fake has what it takes of them.
HEADERS = ("py/mperrno.h", "py/mphal.h", "py/obj.h", "flash.h", "gccollect.h", "irq.h")
LINKER = shutil.which("arm-none-eabi-gcc")


def board_config(board, out):
    tool = FIRMWARE / "tools" / "board_config.py"
    subprocess.run([sys.executable, tool, board.folder / "board.toml", out], check=True)


class Chip:
    """The driver of a board in a library of this computer, over a blank chip; a block device of
    the learner's region, as nor_flash.c makes one of it."""

    program_once = True

    def __init__(self, board, folder):
        here = FIRMWARE.parent / "tests" / "firmware"
        for name in HEADERS:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f'#include "{here}/stm32_chip.h"\n')
        board_config(board, folder)
        library = folder / "chip.so"
        flags = ["-shared", "-fPIC", "-std=gnu99", f"-DFLASH_PAGE_SIZE={PAGE_BYTES[board.name]}"]
        flags += ["-DENGRAM_FLASH_OF_CHIP=1", *(["-DRADIO"] if "WB" in board.title else [])]
        sources = [here / "stm32_chip.c", OURS / "board_stm32.c"]
        places = [f"-I{place}" for place in (folder, here, FIRMWARE / "ports" / "common")]
        subprocess.run(["cc", "-w", *flags, *places, *sources, "-o", library], check=True)
        self.c = ctypes.CDLL(str(library))
        self.c.engram_flash_base.restype = ctypes.c_size_t
        flash = board.flash
        self.memory = (ctypes.c_uint8 * board.facts["chip"]["flash_bytes"]).in_dll(self.c, "chip")
        self.memory[:] = b"\xff" * len(self.memory)
        self.erase_bytes, self.program_bytes = flash.erase_bytes, flash.program_bytes
        self.first, self.count = flash.fs_bytes, flash.store_bytes // flash.erase_bytes
        self.at = flash.firmware_bytes + flash.fs_bytes

    def value(self, name):
        return ctypes.c_uint32.in_dll(self.c, name).value

    def program(self, at, data):
        return self.c.engram_flash_program(at, bytes(data), len(data))

    def readblocks(self, block, buf, offset):
        start = self.at + block * self.erase_bytes + offset
        buf[:] = bytes(self.memory[start : start + len(buf)])

    def writeblocks(self, block, buf, offset):
        assert len(buf) % self.program_bytes == offset % self.program_bytes == 0
        answer = self.program(self.first + block * self.erase_bytes + offset, buf)
        if answer:
            raise OSError(-answer)

    def ioctl(self, op, arg):
        if op == 6:
            return self.c.engram_flash_erase(self.first + arg * self.erase_bytes)
        return {4: self.count, 5: self.erase_bytes}.get(op, 0)


@pytest.fixture(params=BOARDS, ids=lambda board: board.name)
def board(request):
    return request.param


@pytest.fixture
def chip(board, tmp_path):
    return Chip(board, tmp_path)


def test_the_data_flash_lies_where_board_toml_says(board, chip):
    assert chip.c.engram_flash_base() == board.facts["flash"]["data_at"]
    flash, build_facts = board.flash, board.facts["build"]
    end = build_facts["address"] + flash.firmware_bytes
    assert end == board.facts["flash"]["data_at"]
    assert build_facts["bytes"] == flash.firmware_bytes
    assert chip.c.engram_counter() == 7  # modulo 2**30


def test_a_double_word_is_programmed_once_and_ones_not_at_all(chip):
    unit, size = b"engram!!", chip.erase_bytes
    assert chip.program(size, unit + b"\xff" * 16 + unit) == 0
    assert chip.value("programs") == 2
    assert chip.program(size + 8, unit) == 0  # its ones were not programmed
    assert chip.program(size, unit) == -errno.EIO
    start = chip.at - chip.first + size
    expected = unit * 2 + b"\xff" * 8 + unit
    assert bytes(chip.memory[start : start + 32]) == expected
    assert chip.value("interrupts_off") == 0


def test_an_erase_takes_one_unit(board, chip):
    size, start = chip.erase_bytes, chip.at - chip.first
    for at in (size - 8, size, 2 * size - 8, 2 * size):
        assert chip.program(at, bytes(8)) == 0
    assert chip.c.engram_flash_erase(size) == 0
    assert chip.value("erases") == size // PAGE_BYTES[board.name]
    content = bytes(chip.memory[start : start + 3 * size])
    assert content[size : 2 * size] == b"\xff" * size
    assert content[size - 8 : size] == content[2 * size : 2 * size + 8] == bytes(8)
    assert chip.value("interrupts_off") == 0


def test_a_store_programs_no_double_word_twice_and_stays_in_its_region(chip):
    store = ReplayStore.format(chip, chip.program_bytes, 7, 24, align=True)
    latents = [i.to_bytes(2, "little") * 12 for i in range(400)]
    slots = [store.append(latent, i % 10, 0) for i, latent in enumerate(latents)]
    again = ReplayStore(chip, chip.program_bytes, 7, 24, align=True)
    out = bytearray(24)
    for slot, latent in zip(slots, latents):
        again.read_into(slot, out)
        assert out == latent
    before, region = bytes(chip.memory[: chip.at]), chip.count * chip.erase_bytes
    assert before.count(b"\xff") == len(before)
    after = bytes(chip.memory[chip.at + region :])
    assert after.count(b"\xff") == len(after) and chip.value("programs") > 400


def test_a_read_of_a_torn_double_word_does_not_hang(chip):
    """The NMI that it raises is served: the flag is cleared, else it would be raised again."""
    chip.c.engram_flash_base()
    vectors = (ctypes.c_size_t * 16).in_dll(chip.c, "vectors")
    registers = (ctypes.c_uint32 * 2).in_dll(chip.c, "flash_registers")
    ctypes.CFUNCTYPE(None)(vectors[2])()
    assert registers[1] == 1 << 31  # cleared by writing one


def test_flash_that_the_radio_keeps_is_not_touched(board, chip):
    if "WB" not in board.title:
        pytest.skip("a chip without a radio")
    registers = (ctypes.c_uint32 * 2).in_dll(chip.c, "flash_registers")
    pages = (board.flash.firmware_bytes + board.flash.data_bytes) // PAGE_BYTES[board.name]
    for first, free, seen in ((pages - 1, 0, False), (pages, 0, True), (0, 1 << 8, True)):
        registers[0] = first | free
        assert (chip.c.engram_flash_base() != 0) is seen


# ---------------------------------------------------------------- what make and the linker get

ASK = """\
USERMOD_DIR := {ours}
BOARD_TOML := {toml}
BUILD := {out}
PYTHON := {python}
LD_FILES := boards/chip.ld boards/common_basic.ld
include {ours}/micropython.mk
$(info C $(SRC_USERMOD_C) $(SRC_USERMOD_LIB_C))
$(info LD $(LD_FILES))
all: ;
"""


def test_the_board_module_is_that_of_the_emulated_boards(board, tmp_path):
    """Board module and block device are files of qemu_m4f; its manifest freezes the boot."""
    out, toml = tmp_path / "out", board.folder / "board.toml"
    text = ASK.format(ours=OURS, toml=toml, out=out, python=sys.executable)
    run = subprocess.run(
        ["make", "-s", "-f", "-"], input=text, capture_output=True, text=True, check=True
    )
    told = {line.split()[0]: line.split()[1:] for line in run.stdout.splitlines()}
    common = FIRMWARE / "ports" / "common"
    shared = [str(common / "modboard.c"), str(common / "nor_flash.c")]
    assert told["C"] == [*shared, str(OURS / "board_stm32.c")]
    emulated = (FIRMWARE / "ports" / "mps2" / "Makefile").read_text()
    assert "modboard.c) nor_flash.c" in emulated
    assert told["LD"] == ["boards/chip.ld", f"{out}/board/memory.ld", f"{OURS}/sections.ld"]
    assert 'include("../../manifest.py"' in (OURS / "manifest.py").read_text()


@pytest.mark.board
@pytest.mark.skipif(LINKER is None, reason="arm-none-eabi-gcc is not installed: make setup")
@pytest.mark.parametrize(("over", "links"), [(-4096, True), (4, False)])
def test_the_linker_gives_the_program_what_board_toml_says(board, tmp_path, over, links):
    port = build.find_source().path / "ports" / "stm32"
    board_config(board, tmp_path)
    size = board.flash.firmware_bytes + over
    source = tmp_path / "a.S"
    source.write_text(f".global Reset_Handler\n.text\nReset_Handler: .space {size}\n")
    makefile = port / "boards" / board.facts["build"]["board"] / "mpconfigboard.mk"
    script = re.search(r"boards/(stm32\w+\.ld)", makefile.read_text()).group(1)
    places = [f"-L{port}/boards", f"-L{port}/boards/common_isr_ram"]
    scripts = [f"-T{port}/boards/{script}", f"-T{tmp_path}/memory.ld", f"-T{OURS}/sections.ld"]
    command = [LINKER, "-nostdlib", "-mcpu=cortex-m4", "-mthumb", source, *places, *scripts]
    command += ["-Wl,--defsym=_estack_reserve=8", "-o", tmp_path / "a.elf"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode == 0) is links, run.stderr
    assert links or "region `FIRMWARE' overflowed" in run.stderr

"""The emulated Pico: MicroPython's own rp2 port on our boot ROM, flash chip and processor.

Skipped, with the reason, where what it is made of cannot be had: then nothing of it is there.
"""

import json
import os
import random
import struct
import subprocess
import time

import pytest

from engram_host import boards
from engram_host.build import rp2
from firmware import native
from firmware.child import Child, children
from firmware.ready import ready

pytestmark = pytest.mark.board

NAME = "virtual_pico"
BANNER = b"Raspberry Pi Pico with RP2040"


@pytest.fixture(scope="module")
def pico():
    """The board, its firmware in place."""
    return ready(NAME)


@pytest.fixture
def start(pico, tmp_path):
    """start(): the board on this test's own flash file, at the raw REPL."""
    with children() as begin:
        yield lambda: begin(NAME, tmp_path / "flash.bin")


def fed(board, folder, text):
    """(output, figures) of a run whose whole input is there from the start."""
    folder.mkdir()
    argv, environment = board.command(folder / "flash.bin")
    argv += ["--feed", "--stat", str(folder / "stat.json")]
    result = subprocess.run(
        argv, input=text, capture_output=True, timeout=120, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout, json.loads((folder / "stat.json").read_text())


# ---------------------------------------------------------------- the firmware


def test_firmware_is_the_port_with_our_modules(start, pico):
    child = start()
    assert BANNER in child.banner and b"MicroPython v" in child.banner
    assert child.value("__import__('sys').platform") == "rp2"
    assert child.value("__import__('engram_board').NAME") == NAME
    assert child.value("__import__('engram.backend').backend.kernels.__name__") == "_engram"
    memory = child.value("__import__('engram_board').memory()")
    assert memory["ram"] == pico.facts["chip"]["ram_bytes"]
    assert memory["stack"] == pico.facts["memory"]["stack_bytes"]
    total = memory["data"] + memory["bss"] + memory["heap"] + memory["stack"]
    assert 0 <= memory["ram"] - total < 1024
    image = pico.build_dir / "firmware.bin"
    assert memory["firmware"] <= image.stat().st_size <= pico.flash.firmware_bytes


def test_no_folder_of_this_machine_is_in_the_firmware(pico):
    image = (pico.build_dir / "firmware.bin").read_bytes()
    for folder in (boards.home(), pico.build_dir, pico.build_dir / "rp2040js"):
        assert str(folder.resolve()).encode() not in image


def test_uf2_is_the_firmware(pico):
    """512-byte blocks of 256 bytes each, from the start of the flash on."""
    uf2, image = pico.artefact.read_bytes(), (pico.build_dir / "firmware.bin").read_bytes()
    blocks = [uf2[at : at + 512] for at in range(0, len(uf2), 512)]
    data = b"".join(block[32 : 32 + 256] for block in blocks)
    assert data[: len(image)] == image
    assert {block[28:32] for block in blocks} == {struct.pack("<I", rp2.UF2_FAMILY_RP2040)}


def test_two_runs_are_the_same_to_the_cycle(pico, tmp_path):
    text = b"f = open('a', 'w')\r\nfor i in range(300): f.write(str(i / 7))\r\n\r\nf.close()\r\n"
    first = fed(pico, tmp_path / "a", text)
    assert first == fed(pico, tmp_path / "b", text)
    images = [(tmp_path / name / "flash.bin").read_bytes() for name in "ab"]
    assert images[0] == images[1] != b"\xff" * len(images[0])
    assert first[1]["flash"]["pages"] > 10


# ---------------------------------------------------------------- faults and resets

LOAD = """
@micropython.asm_thumb
def load(r0):
    ldr(r0, [r0, 0])
"""


@pytest.mark.parametrize(
    ("address", "words"),
    [(0x20000002, b"unaligned address 20000002"), (0x30000000, b"no such address 30000000")],
)
def test_a_bad_access_is_a_fault(start, address, words):
    """It is told, and the board starts again."""
    child = start()
    child.begin(LOAD + f"load({address})")
    output = child.read_until(b">>> ")
    assert b"FATAL: processor fault, pc " in output and words in output and BANNER in output


def test_a_stray_write_leaves_rom_and_flash_alone(start):
    child = start()
    child.run("from machine import mem32")
    before = child.value("mem32[0], mem32[0x10000100]")
    child.run("mem32[0] = 1\nmem32[0x10000100] = 1")
    assert child.value("mem32[0], mem32[0x10000100]") == before


def test_a_reset_is_by_the_watchdog_and_keeps_files(start):
    child = start()
    child.run("f = open('kept', 'w')\nf.write('here')\nf.close()")
    child.hard_reset()
    assert child.value("__import__('machine').reset_cause()") == 3
    assert child.value("open('kept').read()") == "here"


def test_ctrl_c_reaches_a_program_that_runs(start):
    child = start()
    child.begin("while True: pass")
    time.sleep(0.5)
    child.write(b"\x03")
    assert "KeyboardInterrupt" in child.end()[1]


def test_more_than_there_is_is_an_error_not_a_crash(start):
    child = start()
    child.begin("b = bytearray(__import__('engram_board').memory()['heap'])")
    assert "MemoryError" in child.end()[1]
    child.begin("def f(): f()\nf()")
    assert "RuntimeError: maximum recursion depth exceeded" in child.end()[1]
    assert child.value("1") == 1


def test_native_mpy_loads(start, tmp_path):
    """A module of native code, made by mpy-cross for the chip, arrives as a file and runs."""
    assert native.loads(start(), tmp_path)


# ---------------------------------------------------------------- the flash

DEVICE = "import engram_board as board, time\nd = board.store_device()\nE, P = 4096, 256\n"


def test_flash_takes_the_time_and_has_the_rules_of_the_chip(start, pico):
    child = start()
    child.run(
        DEVICE + "def took(f, *a):\n    t = time.ticks_us()\n    f(*a)\n"
        "    return time.ticks_diff(time.ticks_us(), t)\n"
    )
    facts = pico.facts["flash"]
    erase, program = child.value(
        "took(d.ioctl, 6, 0), took(d.writeblocks, 0, b'\\xf0' * P, P)"
    )
    assert facts["erase_us"] <= erase < facts["erase_us"] + 1000
    assert facts["program_us"] <= program < facts["program_us"] + 500
    child.run("d.writeblocks(0, b'\\x3c' * P, P)\nm = memoryview(d)")
    assert child.value("bytes(m[P - 1:P + 1]), m[2 * P]") == (b"\xff\x30", 0xFF)
    assert child.value("len(m)") == pico.flash.store_bytes


def test_a_wait_after_erasing_is_no_longer_than_it_says(start, pico):
    """Erasing takes the board longer than the emulator: its clock is then ahead of ours, and stays
    so. It would wait for ours otherwise, silent for as long as it erased."""
    child = start()
    child.begin(
        DEVICE + "for i in range(512): d.ioctl(6, i % d.ioctl(4, 0))\n"
        "print('erased')\ntime.sleep_ms(200)\nprint('slept')\n"
    )
    child.read_until(b"erased")
    start_s = time.monotonic()
    child.read_until(b"slept")
    assert 0.15 < time.monotonic() - start_s < 512 * pico.facts["flash"]["erase_us"] / 1e6 / 4


def test_killed_while_programming(start):
    """What was acknowledged before the power went is there, whole; the next page is too or not."""
    draw = random.Random(3)
    child = start()
    child.run(DEVICE + "for i in range(8): d.ioctl(6, i)")
    child.begin(
        DEVICE + "for n in range(128):\n"
        "    d.writeblocks(n // 16, bytes([n]) * P, n % 16 * P)\n    print(n)\n"
    )
    child.read_until(b"\r\n9\r\n")
    time.sleep(draw.random() * 0.05)
    output = child.kill().split(b"\x04")[0]
    acknowledged = [int(line) for line in output.split(b"\r\n")[:-1] if line]
    last = max(acknowledged, default=9)
    child = start()
    whole = child.value(
        "(lambda m: [m[256 * n] == n == m[256 * n + 255] for n in range(128)])"
        "(memoryview(__import__('engram_board').store_device()))"
    )
    assert all(whole[: last + 1]) and not any(whole[last + 2 :])


# ---------------------------------------------------------------- the processor

CYCLES = """
import engram_board
@micropython.asm_thumb
def sums(r0):
    label(A)
    sub(r0, r0, 1)
    bne(A)
@micropython.asm_thumb
def accesses(r0, r1):
    label(A)
    ldr(r2, [r1, 0])
    str(r2, [r1, 0])
    sub(r0, r0, 1)
    bne(A)
@micropython.asm_thumb
def calls(r0):
    b(A)
    label(F)
    push({r4, r5, lr})
    pop({r4, r5, pc})
    label(A)
    bl(F)
    sub(r0, r0, 1)
    bne(A)
def per_turn(f, *a):
    def count(n):
        t = engram_board.counter()
        f(n, *a)
        return engram_board.counter() - t & 0x3fffffff
    # The least of a few: without an interrupt of the USB in between.
    return (min(count(21000) for i in range(4)) - min(count(1000) for i in range(4))) / 20000
"""


def test_cycles_are_those_of_the_manual(start):
    """A sum 1, a taken branch 2, a load or store 2; BL 3, PUSH of three 4, POP of three with PC 6.

    Cortex-M0+ technical reference manual, table 3-1. The code is in RAM.
    """
    child = start()
    child.run(CYCLES)
    child.run("b = bytearray(4)")
    turns = child.value("per_turn(sums), per_turn(accesses, b), per_turn(calls)")
    # What else differs from call to call is the cache's doing: a few misses in 20000 turns.
    assert turns == pytest.approx((3, 7, 16), abs=0.02)


def test_the_counter_outlives_its_timer(start):
    """SysTick, which it reads, wraps every 16.8 million cycles."""
    child = start()
    child.run(CYCLES)
    turns = 30_000_000
    units = child.run(
        f"t = engram_board.counter()\nsums({turns})\n"
        "print(engram_board.counter() - t & 0x3fffffff)",
        timeout_s=60,
    )
    assert int(units) == pytest.approx(3 * turns, rel=0.001)  # and an interrupt a millisecond


def test_kernels_are_counted(start):
    """_engram.spent() is the part of the counter that passed inside kernels."""
    child = start()
    child.run(
        "import _engram, engram_board as board\nfrom array import array\n"
        "x = array('f', bytes(4 * 500))\n"
    )
    spent, total = child.value(
        "(lambda a, s: (_engram.relu_fwd(x, x), _engram.spent() - s, board.counter() - a)[1:])"
        "(board.counter(), _engram.spent())"
    )
    assert 1000 < spent < total < spent + 20000


FLAGS = """
VALUES = (0, 1, 2, 31, 32, 33, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff)
"""
FLAGGED = "adc sbc add sub and_ orr eor bic mul lsl lsr asr ror cmp cmn tst neg mvn".split()
PART = """
    ldr(r3, [r0, 0])
    ldr(r4, [r0, 4])
    ldr(r5, [r0, 8])
    lsr(r5, r5, 1)
    {line}
    {branch}(YES{number})
    mov(r5, 0)
    b(DONE{number})
    label(YES{number})
    mov(r5, 1)
    label(DONE{number})
    str(r5, [r0, 4 * {number} + 12])
"""


def flagged(line):
    """A function f(buffer) in assembler: what a line makes of [0], [4] and carry [8].

    The result goes to [28]; N, Z, C and V as a word each from [12] on.
    """
    parts = [
        PART.format(line=line, branch=branch, number=number)
        for number, branch in enumerate(("bmi", "beq", "bcs", "bvs"))
    ]
    head = "@micropython.asm_thumb\ndef f(r0):"
    return head + "".join(parts) + "    str(r3, [r0, 28])\n"


@pytest.fixture(scope="module")
def qemu(tmp_path_factory):
    """QEMU with the firmware of a Cortex-M0+, on a core that runs every instruction of one."""
    child = Child(ready("qemu_m0p").name, tmp_path_factory.mktemp("qemu") / "flash.bin")
    child.enter_raw()
    yield child
    child.kill()


def test_results_and_flags_are_those_of_qemu(start, qemu):
    """Each data-processing instruction, on pairs of edge values, carry in clear and set."""
    child = start()
    three = {"add": "add(r3, r3, r4)", "sub": "sub(r3, r3, r4)"}
    program = FLAGS + "import struct, binascii\n"
    for name in FLAGGED:
        program += flagged(three.get(name, f"{name}(r3, r4)"))
        program += (
            "out = []\nfor x in VALUES:\n  for y in VALUES:\n    for c in (0, 1):\n"
            "      b = bytearray(struct.pack('<IIIIIIII', x, y, c, 0, 0, 0, 0, 0))\n      f(b)\n"
            f"      out.append(bytes(b[12:]))\nprint({name!r}, binascii.crc32(b''.join(out)))\n"
        )
    assert child.run(program, 60) == qemu.run(program, 60)

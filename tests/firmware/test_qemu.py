"""The emulated board alone: memory of the chip, exact instruction counts, native code."""

import random
import time

import pytest

from engram_host import boards, build
from firmware import native

pytestmark = pytest.mark.board

MEASURE = """
import gc, time, engram_board as board
def work(n):
    s = 0
    for i in range(n):
        s ^= i
def count(n):
    gc.collect()
    a = board.counter()
    work(n)
    return time.ticks_diff(board.counter(), a)
count(10)
"""
FLOATS = """
def floats(n):
    gc.collect()
    a = board.counter()
    s = 0.0
    for i in range(n):
        s += i * 0.5
    return time.ticks_diff(board.counter(), a)
floats(10)
"""


# Emulated board -> RAM of the chip that it stands for.
EMULATED = {
    "qemu_m4f": 256 * 1024,
    "qemu_m3": 256 * 1024,
    "qemu_m0p": 264 * 1024,
    "qemu_m7": 1024 * 1024,
    "qemu_m33": 520 * 1024,
    "qemu_m55": 1344 * 1024,
    "qemu_128k": 128 * 1024,
}
# Firmware compiled for size has no compiler of native code, and loads none.
NATIVE = [name for name in EMULATED if "optimise" not in boards.load(name).facts["virtual"]]
# Machine -> where firmware, RAM and data flash lie; a place where it has memory that no chip has.
PLACES = {
    "mps2-an385": (0x00000000, 0x20000000, 0x21000000, 0x20400000),  # a mirror of the RAM
    "mps2-an386": (0x00000000, 0x20000000, 0x21000000, 0x20400000),
    "mps2-an500": (0x00000000, 0x20000000, 0x60000000, 0x20400000),
    "mps2-an505": (0x10000000, 0x38000000, 0x80000000, 0x28000000),  # the RAM, not secure
    "mps3-an547": (0x00000000, 0x31000000, 0x60000000, 0x20000000),  # coupled memory
}


@pytest.fixture(params=EMULATED)
def qemu(request, start):
    return start(request.param)


def test_memory_is_that_of_the_chip(qemu):
    facts = qemu.board.facts
    memory = qemu.value("__import__('engram_board').memory()")
    total = memory["data"] + memory["bss"] + memory["heap"] + memory["stack"]
    assert total == memory["ram"] == facts["chip"]["ram_bytes"] == EMULATED[qemu.board.name]
    assert memory["stack"] == facts["memory"]["stack_bytes"]
    assert memory["firmware"] <= facts["flash"]["firmware_bytes"]
    regions = ("firmware_bytes", "fs_bytes", "store_bytes")
    assert sum(facts["flash"][region] for region in regions) <= facts["chip"]["flash_bytes"]
    assert qemu.value("__import__('gc').mem_free()") < memory["heap"]


def test_more_than_the_heap_is_refused(qemu):
    qemu.begin("b = bytearray(__import__('engram_board').memory()['heap'])")
    assert "MemoryError" in qemu.end()[1]
    assert qemu.value("1") == 1


@pytest.mark.parametrize(
    "access",
    [
        "mem32[ram + {ram}]",  # behind the RAM
        "mem32[elsewhere]",
        "mem8[flash + {data}]",  # behind the data flash
        "mem32[code + {firmware}]",  # behind the firmware
        "mem32[code + 0x100] = 0",  # the firmware itself
    ],
)
def test_what_the_chip_lacks_is_not_there(qemu, access):
    """The fault is told, and the board starts again."""
    flash = qemu.board.flash
    place = access.format(
        ram=qemu.board.facts["chip"]["ram_bytes"],
        data=flash.data_bytes,
        firmware=flash.firmware_bytes,
    )
    code, ram, data, elsewhere = PLACES[qemu.board.facts["virtual"]["machine"]]
    qemu.run(f"from machine import mem8, mem32\ncode, ram, flash = {code}, {ram}, {data}")
    qemu.run(f"elsewhere = {elsewhere}\nmem32[code], mem32[ram], mem32[flash]")
    qemu.begin(place)
    assert b"FATAL: processor fault" in qemu.read_until(b">>> ")


def test_deep_recursion_is_an_error_not_a_crash(qemu):
    qemu.begin("def f(): f()\nf()")
    assert "RuntimeError: maximum recursion depth exceeded" in qemu.end()[1]
    assert qemu.value("1") == 1


def test_same_count_twice(qemu):
    """Of a warm program: the first of a row finds the interpreter's look-up cache as it was left
    by whatever ran before."""
    qemu.run(MEASURE + FLOATS)
    for call in ("count(3000)", "floats(500)"):
        row = qemu.value(f"[{call} for i in range(5)]")
        assert len(set(row[1:])) == 1


@pytest.mark.parametrize("name", EMULATED)
def test_same_count_in_two_runs(start, tmp_path, name):
    """Two emulators on the same flash content, each with waits of random length before."""
    seen = set()
    for _ in range(2):
        (tmp_path / f"{name}.bin").unlink(missing_ok=True)
        child = start(name)
        time.sleep(random.random() * 0.2)
        child.run(MEASURE + FLOATS)
        time.sleep(random.random() * 0.2)
        seen.add(child.run("print(count(3000), floats(500), count(20000))"))
        child.kill()
    assert len(seen) == 1


def test_waiting_is_not_counted(qemu):
    qemu.run(MEASURE)
    counts = qemu.value("[(time.sleep_ms(ms), count(2000))[1] for ms in (0, 0, 1, 37, 0, 133, 5)]")
    assert len(set(counts[1:])) == 1


def test_received_bytes_are_not_counted(qemu):
    """Bytes that arrive while a program runs are taken by interrupts, at any instruction."""
    qemu.run(MEASURE)
    quiet = qemu.run("print(count(150000))")
    for _ in range(4):
        qemu.begin("print(count(150000))")
        time.sleep(random.random() * 0.02)
        qemu.write(b"#" * random.randrange(1, 200))
        assert qemu.end()[0] == quiet
        qemu.write(b"\x03")  # the raw REPL forgets the line


@pytest.mark.parametrize("qemu", NATIVE, indirect=True)
def test_counter_outlives_its_timer(qemu):
    """The timer behind the counter wraps every 1.34 thousand million instructions."""
    qemu.run(
        "import time, engram_board as board\n"
        "@micropython.viper\ndef spin(n: int):\n    i = 0\n    while i < n:\n        i += 1\n"
        "def count(n):\n    a = board.counter()\n    spin(n)\n"
        "    return board.counter() - a & 0x3fffffff\n"
    )
    _, small, large = qemu.value("[count(n) for n in (1000, 1000, 2000)]")
    each, rest = divmod(large - small, 1000)
    assert rest == 0
    rounds = int(1.5e9 / each)
    expected = (small + (rounds - 1000) * each) % 2**30
    row = qemu.run(f"print([count(n) for n in (1000, {rounds})][1])", timeout_s=60)
    assert int(row) == expected


def test_kernels_are_counted(qemu):
    """_engram.spent() is the part of the counter that passed inside kernels."""
    qemu.run(
        "import _engram, time, engram_board as board\nfrom array import array\n"
        "x = array('f', bytes(4 * 500))\n"
    )
    spent, total = qemu.value(
        "(lambda a, s: (_engram.relu_fwd(x, x), _engram.spent() - s, board.counter() - a)[1:])"
        "(board.counter(), _engram.spent())"
    )
    assert 500 < spent < total < spent + 5000


@pytest.mark.parametrize("name", ["unix", *NATIVE])
def test_native_mpy_loads(start, name, tmp_path):
    """A module of native code, made by mpy-cross, arrives as a file and runs."""
    build.build(boards.load(name))  # mpy-cross with it
    assert native.loads(start(name), tmp_path)

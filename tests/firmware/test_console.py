"""The serial line of a virtual board: REPL, interrupt, binary input, resets, idling."""

import ast
import hashlib
import os
import random
import re
import time
from pathlib import Path

import pytest

from firmware.child import PROMPT

pytestmark = pytest.mark.board

BUSY = {
    "computing": "while True: pass",
    "sleeping": "import time; time.sleep(1000)",
    "reading": "import sys; sys.stdin.buffer.read(1)",
    "polling": (
        "import select, sys\np = select.poll()\np.register(sys.stdin, select.POLLIN)\np.poll(-1)"
    ),
}


def test_friendly_repl(child, name):
    assert child.banner.startswith(b"MicroPython v")
    assert f"; {name} with ".encode() in child.banner
    child.write(b"\x02")
    child.read_until(PROMPT)
    child.write(b"import engram\r")
    assert child.read_until(PROMPT) == b"import engram\r\n" + PROMPT
    child.write(b"1/3\r")
    assert child.read_until(PROMPT) == b"1/3\r\n0.3333333\r\n" + PROMPT  # single precision


def test_raw_repl(child):
    assert child.run("print('a')\nprint('b')") == "a\nb\n"
    child.begin("1/0")
    output, error = child.end()
    assert output == "" and "ZeroDivisionError" in error


def test_tracebacks_name_real_lines(start):
    """Frozen code keeps its lines: a reader finds the place in device_lib."""
    child = start("unix")
    child.begin("import engram\nengram.ModelSpec(open('none.safetensors', 'wb+'))")
    error = child.end()[1]
    frames = re.findall(r'File "(engram/\S+)", line (\d+), in (\w+)', error)
    assert len(frames) >= 2, error
    for path, line, function in frames:
        tree = ast.parse((Path(__file__).parents[2] / "device_lib" / path).read_text())
        spans = [
            (node.lineno, node.end_lineno)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name == function
        ]
        assert any(first < int(line) <= last for first, last in spans), (path, line, function)
    assert len({line for _, line, _ in frames}) == len(frames), error


def test_modules(child):
    """What the device library needs is there."""
    names = "array binascii gc hashlib json math os random select struct sys time uctypes vfs"
    child.run("import " + ", ".join(names.split()) + ", machine, micropython, _engram, engram")
    assert child.value("binascii.crc32(b'123456789')") == 0xCBF43926
    assert child.value("hashlib.sha256(b'abc').digest()") == hashlib.sha256(b"abc").digest()
    assert child.value("array.array('f', [1.5])[0]") == 1.5
    assert child.value("(micropython.heap_lock(), micropython.heap_unlock())[1]") == 0


@pytest.mark.parametrize("doing", BUSY)
def test_interrupt(child, doing):
    child.begin(BUSY[doing])
    time.sleep(0.1)
    child.write(b"\x03")
    assert "KeyboardInterrupt" in child.end(timeout_s=3)[1]
    assert child.value("6 * 7") == 42


def test_interrupt_character_can_be_switched_off(child):
    child.begin(
        "import micropython, sys\nmicropython.kbd_intr(-1)\nb = sys.stdin.buffer.read(3)\n"
        "micropython.kbd_intr(3)\nprint(b)"
    )
    child.write(b"\x03\x04\x00")
    assert child.end()[0] == "b'\\x03\\x04\\x00'\n"


@pytest.mark.parametrize("awake", [True, False], ids=["waiting", "busy"])
@pytest.mark.parametrize("size", [4096, 20000])
def test_binary_input_is_not_lost(child, size, awake):
    """All byte values, also more than the receive ring holds, also while the board is busy."""
    data = bytes(range(256)) + random.Random(size).randbytes(size - 256)
    pause = "" if awake else "time.sleep_ms(200)"
    child.begin(
        "import hashlib, micropython, sys, time\nmicropython.kbd_intr(-1)\n"
        f"b = bytearray({size})\nprint('ready')\n{pause}\nn = sys.stdin.buffer.readinto(b)\n"
        "micropython.kbd_intr(3)\nprint(n, hashlib.sha256(b).digest().hex())"
    )
    child.read_until(b"ready\r\n")
    child.write(data)
    assert child.end()[0] == f"{size} {hashlib.sha256(data).hexdigest()}\n"


def test_binary_output_is_not_changed(child):
    child.begin("import sys\nsys.stdout.buffer.write(bytes(range(5, 256)))")
    assert child.read_until(b"\x04")[:-1] == bytes(range(5, 256))
    assert child.read_until(b"\x04>") == b"\x04>"


def test_poll_sees_input(child):
    child.begin(
        "import select, sys\np = select.poll()\np.register(sys.stdin, select.POLLIN)\n"
        "print(len(p.poll(20)))\nprint(len(p.poll(5000)), sys.stdin.buffer.read(1))"
    )
    child.read_until(b"0\r\n")
    child.write(b"x")
    assert child.end()[0] == "1 b'x'\n"


def test_soft_reset_starts_afresh(child):
    child.run("x = 1")
    child.soft_reset()
    assert child.value("'x' in globals()") is False


def test_input_after_a_soft_reset_is_kept(child):
    child.write(b"\x04print(123)\x04")
    child.read_until(b"raw REPL; CTRL-B to exit\r\n>OK123\r\n\x04\x04>")


def test_hard_reset(child):
    child.run("x = 1")
    child.hard_reset()
    assert child.value("'x' in globals()") is False


def test_boot_files_run(start, name):
    child = start(name)
    child.run("f = open('main.py', 'w')\nf.write('print(\"from main\")')\nf.close()")
    child.kill()
    assert b"from main" in start(name).banner


def test_time(child):
    units = child.run(
        "import time\nt = time.ticks_ms()\ntime.sleep_ms(150)\n"
        "print(time.ticks_diff(time.ticks_ms(), t))"
    )
    assert 149 <= int(units) < 400


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("doing", ["reading", "sleeping", "the prompt"])
def test_waiting_does_not_burn_the_computer(child, doing):
    if doing != "the prompt":
        child.begin(BUSY[doing])
    time.sleep(0.3)
    before = cpu_seconds(child.process.pid)
    time.sleep(1)
    assert cpu_seconds(child.process.pid) - before <= 0.1


def test_ends_with_its_line(start):
    """Nobody is left over when the process that held a board's line is gone."""
    child = start("unix")
    child.process.stdin.close()
    assert child.process.wait(5) == 0

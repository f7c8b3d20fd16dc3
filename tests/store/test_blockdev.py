"""NOR flash in RAM and in a file; a process that is killed leaves what it had acknowledged."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from nor import NorFlash

from engram.store import FileFlash, RamFlash, ReplayStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["ram", "file", "simulator"])
def flash(request, tmp_path):
    if request.param == "ram":
        yield RamFlash(4, 512, 16)
    elif request.param == "simulator":
        yield NorFlash(4, 512, 16)
    else:
        device = FileFlash(tmp_path / "flash.bin", 4, 512, 16)
        yield device
        device.close()


def read(flash, block, n, offset=0):
    buf = bytearray(n)
    flash.readblocks(block, buf, offset)
    return bytes(buf)


def test_nor_rules(flash):
    assert (flash.ioctl(4, 0), flash.ioctl(5, 0)) == (4, 512)
    assert read(flash, 3, 512) == b"\xff" * 512
    flash.writeblocks(1, bytes(range(16)), 32)
    assert read(flash, 1, 18, 31) == b"\xff" + bytes(range(16)) + b"\xff"
    flash.writeblocks(1, b"\xff" * 15 + b"\x0e", 32)
    assert read(flash, 1, 16, 32) == bytes(range(15)) + b"\x0e", "ones leave bits alone"
    with pytest.raises(OSError, match="would set bits: erase first"):
        flash.writeblocks(1, b"\xfe" + b"\xff" * 15, 32)
    assert read(flash, 1, 16, 32) == bytes(range(15)) + b"\x0e"
    flash.ioctl(6, 1)
    assert read(flash, 1, 512) == b"\xff" * 512


@pytest.mark.parametrize(
    "block, n, offset",
    [(0, 8, 0), (0, 16, 8), (4, 16, 0), (-1, 16, 0), (0, 32, 496), (0, 16, -16)],
)
def test_programs_outside_the_rules_change_nothing(flash, block, n, offset):
    with pytest.raises(OSError):
        flash.writeblocks(block, bytes(n), offset)
    assert all(read(flash, b, 512) == b"\xff" * 512 for b in range(4))


@pytest.mark.parametrize("block, n, offset", [(4, 1, 0), (-1, 1, 0), (0, 513, 0), (3, 2, 511)])
def test_reads_outside_the_device(flash, block, n, offset):
    with pytest.raises(OSError):
        flash.readblocks(block, bytearray(n), offset)


def test_erases_outside_the_device(flash):
    with pytest.raises(OSError):
        flash.ioctl(6, 4)


def test_a_file_keeps_what_was_programmed(tmp_path):
    path = tmp_path / "flash.bin"
    first = FileFlash(path, 4, 512, 16)
    first.writeblocks(2, b"sixteen bytes ok", 0)
    again = FileFlash(path, 4, 512, 16)  # the first one was never closed
    assert read(again, 2, 16) == b"sixteen bytes ok"
    again.ioctl(6, 2)
    assert path.read_bytes() == b"\xff" * 2048
    first.close()
    again.close()


def test_a_file_of_another_size_is_refused_and_kept(tmp_path):
    path = tmp_path / "flash.bin"
    path.write_bytes(b"something else")
    with pytest.raises(OSError, match="expected a flash of 2048 bytes, got 14"):
        FileFlash(path, 4, 512, 16)
    assert path.read_bytes() == b"something else"


_SESSION = """
import sys
from engram.store import FileFlash, ReplayStore
store = ReplayStore(FileFlash(sys.argv[1], 8, 1024, 64), 64, 5, 40)
n = int(sys.argv[2])
while True:
    if len(store) == store.capacity:
        labels = store.labels
        store.delete(next(s for s in range(len(labels)) if labels[s] != 255))
    store.append(n.to_bytes(4, "little") * 10, n % 255, 0)
    sys.stdout.write("%d\\n" % n)
    sys.stdout.flush()
    n += 1
"""


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path):
    """SIGKILL at random instants; each record that was reported is there afterwards."""
    path = tmp_path / "flash.bin"
    rng = random.Random(4)
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "device_lib"))
    n = 0
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", _SESSION, str(path), str(n)],
            stdout=subprocess.PIPE, text=True, env=environment,
        )
        for _ in range(rng.randrange(3, 400)):
            line = child.stdout.readline()
            assert line, "the session ended by itself"
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
        child.wait()
        acknowledged = int(rest[-1]) if rest else int(line)
        flash = FileFlash(path, 8, 1024, 64)
        store = ReplayStore(flash, 64, 5, 40)
        buf = bytearray(40)
        values = set()
        for slot in range(len(store.labels)):
            if store.labels[slot] != 255:
                label = store.read_into(slot, buf)
                value = int.from_bytes(buf[:4], "little")
                assert buf == value.to_bytes(4, "little") * 10 and label == value % 255
                values.add(value)
        assert len(values) == len(store)
        assert acknowledged in values and max(values) <= acknowledged + 1
        assert len(values) >= min(acknowledged, store.capacity - 1)
        flash.close()
        n = acknowledged + 2
    assert n > 300

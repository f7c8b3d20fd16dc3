"""The README's lines, run as a reader would type them, on the boards that they name."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engram_host import demo, virtual
from engram_host.datasets import digits

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BOARDS = ("qemu_m4f", "qemu_m4f_stock")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def shell_lines():
    """The lines with the engram command, without their comments."""
    for block in blocks("sh"):
        for line in block.splitlines():
            if line.startswith("engram "):
                yield shlex.split(line, comments=True)


def typed():
    """What the reader types at the board's prompt."""
    (block,) = [b for b in blocks("python") if b.startswith(">>>")]
    lines = [line[4:] for line in block.splitlines() if line.startswith((">>> ", "... ", "..."))]
    return "\n".join(lines) + "\n"


def run(argv, where, text=None):
    return subprocess.run(
        [sys.executable, "-m", "engram_host", *argv[1:]],
        cwd=where,
        input=text,
        capture_output=True,
        text=True,
        timeout=400,  # a checkout's first install compiles the kernels
    )


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder in which `make demo` has been run, and boards of its own."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "boards"))
    out = tmp_path / "out" / "demo"
    out.mkdir(parents=True)
    demo.prepare(out, digits(), demo.load_settings())
    yield tmp_path
    for board in BOARDS:
        virtual.stop(board)


@pytest.mark.board
@pytest.mark.slow
def test_every_line_works(reader):
    ran = 0
    for argv in shell_lines():
        if argv[1] == "repl":
            done = run(argv, reader, typed())
            assert "Traceback" not in done.stdout, done.stdout
            assert re.search(r"step \d+ of \d+  loss", done.stdout)
            accuracy = re.findall(r"^[01]\.\d+", done.stdout, re.M)
            assert accuracy and float(accuracy[0]) > 0.9, done.stdout
            assert re.search(r"^\(7, 0\.\d+\)", done.stdout, re.M), done.stdout
        else:
            done = run(argv, reader)
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        ran += 1
    assert ran > 8

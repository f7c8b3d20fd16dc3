"""The README's lines, run as a reader would type them, on the boards that they name."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engram_host import demo, virtual
from engram_host.datasets import digits

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BOARDS = ("qemu_m4f", "qemu_m4f_stock", "unix")
PROMISED = 0.95  # of all ten digits, by the command line's block
SHORT = ["--steps", "40"]  # on emulated boards, where a session of the default length takes long


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
    count = 0
    for argv in shell_lines():
        if argv[1] == "repl":
            result = run(argv, reader, typed())
            assert "Traceback" not in result.stdout, result.stdout
            assert re.search(r"step \d+ of \d+  loss", result.stdout)
            accuracy = re.findall(r"^[01]\.\d+", result.stdout, re.M)
            assert accuracy and float(accuracy[0]) > 0.9, result.stdout
            assert re.search(r"^\(7, 0\.\d+\)", result.stdout, re.M), result.stdout
        else:
            result = run(argv + SHORT * (argv[1] == "learn"), reader)
        assert result.returncode == 0, (argv, result.stdout, result.stderr)
        count += 1
    assert count > 8


@pytest.mark.board
def test_the_lines_of_the_command_line_end_where_they_promise(own_boards, reader):
    """On the fastest board; no warning: the model file carries samples of what it knows."""
    (block,) = [b for b in blocks("sh") if "engram eval" in b]
    assert f"{PROMISED:.0%}".replace("%", " %") in block
    for line in block.splitlines():
        argv = shlex.split(line.replace("qemu_m4f", "unix"), comments=True)
        if argv[0] != "engram" or "--port" not in argv:
            continue
        result = run([*argv, "--json"], reader)
        assert result.returncode == 0 and "Warning" not in result.stderr, (argv, result.stderr)
        summary = json.loads(result.stdout)
        if argv[1] == "push" and argv[2] == "model":
            assert summary["rehearsed"] > 0
    assert summary["accuracy"] > PROMISED - 0.01

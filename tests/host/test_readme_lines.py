"""The lines that README shows for the REPL, typed on boards and on this computer."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from engram_host import api, boards, build, datasets, demo, virtual
from tidy import tree

BOARDS = ("unix", "unix_stock")


MISSING = (
    r"ModelError: expected a file /\w+/nix\.safetensors or nix\.safetensors, got none "
    r"\(the current folder is /\w*\); send it: engram push model FILE"
)


def section(title):
    """The text of README below a heading."""
    text = (tree.ROOT / "README.md").read_text()
    return re.search(rf"^## {title}\n(.*?)^## ", text, re.M | re.S)[1]


def shell_lines():
    (block,) = re.findall(r"^```sh\n(.*?)^```", section("At the board's REPL"), re.M | re.S)
    return block.splitlines()


def repl_lines():
    """The text that a person types: without prompts, with the empty line that ends a block."""
    (block,) = re.findall(r"^```python\n(.*?)^```", section("At the board's REPL"), re.M | re.S)
    return "".join(line[4:] + "\n" for line in block.splitlines())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what `engram demo` leaves in out/demo."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "out" / "demo").mkdir(parents=True)
    demo.prepare(folder / "out" / "demo", datasets.digits(), demo.load_settings())
    return folder


def command(line, port, place, typed=None):
    words = [sys.executable, "-m", "engram_host", *line.split()[1:]]
    words = [port if word == "qemu_m4f" else word for word in words]
    result = subprocess.run(words, cwd=place, input=typed, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def check(output):
    """What the lines showed: no echo per sample, an accuracy, an answer, the learner."""
    text = output.replace("\r", "\n")
    assert "True" not in text and "Traceback" not in text, output
    results = [line for line in text.splitlines() if line and not line.startswith((">>>", "..."))]
    assert results[0] == "500"
    numbers = [float(line) for line in results if re.fullmatch(r"[01]\.\d+", line)]
    assert numbers and numbers[0] > 0.9
    assert any(re.fullmatch(r"\(\d, 0\.\d+\)", line) for line in results)
    assert "Learner of digits" in text and "10 of 10 classes" in text
    assert "strategy replay, batch 16" in text and "records stored" in text
    assert "bytes of RAM" in text


@pytest.mark.board
@pytest.mark.parametrize("name", BOARDS)
def test_the_lines_run_on_a_board(name, place, tmp_path, monkeypatch):
    """On stock firmware too, where the files lie in another folder."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    board = boards.load(name)
    if not board.artefact.exists():
        build.build(board)
    try:
        if board.stock:
            api.install(name)
        *pushes, repl = shell_lines()
        for line in pushes:
            command(line, name, place)
        check(command(repl, name, place, repl_lines()))
        with pytest.raises(AssertionError, match=MISSING):
            command(repl, name, place, 'engram.open("nix.safetensors")\n')
        helped = command(repl, name, place, "help(learner)\n")
        assert helped.startswith(">>> help(learner)\nobject Learner of digits\n")
        assert "\n  observe(x, y)  learn(epochs)  predict(x)" in helped
        names = command(repl, name, place, "dir(learner) + dir(engram)\n")
        assert [n for n in re.findall(r"'(\w+)'", names) if n[0] == "_" and n[1] != "_"] == []
    finally:
        virtual.stop(name)


def typed(folder, lines):
    """What the REPL of this computer's Python shows."""
    result = subprocess.run(
        [sys.executable, "-q", "-i", "-c", "import sys; sys.ps1 = sys.ps2 = '>>> '"],
        cwd=folder,
        input=lines,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
    )
    return re.sub(r"^(>>> )+", "", result.stdout, flags=re.M)


def test_the_lines_run_on_this_computer(place, tmp_path):
    for name, source in (("model.safetensors", "digits.safetensors"), ("base.npz",) * 2,
                         ("sevens.npz",) * 2):
        shutil.copyfile(place / "out" / "demo" / source, tmp_path / name)
    check(typed(tmp_path, repl_lines()))
    assert (tmp_path / "model.engram" / "flash.bin").exists()


def test_help_and_dir_show_no_private_names(place, tmp_path):
    shutil.copyfile(place / "out" / "demo" / "digits.safetensors", tmp_path / "model.safetensors")
    text = typed(
        tmp_path,
        'import engram\nlearner = engram.open("model.safetensors")\nhelp(learner)\n'
        "print('names', dir(learner) + dir(engram))\n",
    )
    assert "A model that keeps learning" in text and "observe(self, x, y=None)" in text
    names = re.findall(r"'(\w+)'", re.search(r"^names (.*)", text, re.M)[1])
    assert {"observe", "learn", "predict", "load", "open", "Learner"} <= set(names)
    assert [name for name in names if name[0] == "_" and name[1] != "_"] == []

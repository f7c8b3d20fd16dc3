"""docs/walkthrough-fan.md, typed line by line on a board."""

import doctest
import re
import shlex
import subprocess
import sys

import pytest

from engram_host import boards, build, virtual
from tidy import tree

TEXT = (tree.ROOT / "docs" / "walkthrough-fan.md").read_text(encoding="utf-8")
MARK = "= example %d ="


def shell_lines():
    (block,) = re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S)
    return [shlex.split(line) for line in block.splitlines()]


def examples():
    """What is typed, and what must come."""
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
    return [each for block in blocks for each in doctest.DocTestParser().get_examples(block)]


def typed():
    """The lines of all examples, a mark behind each."""
    lines = []
    for i, example in enumerate(examples()):
        source = example.source
        lines.append(source + "\n" if source.count("\n") > 1 else source)
        lines.append(f'print("{MARK % i}")\n')
    return "".join(lines)


def shown(output):
    """[what came of each example], without the echo of what was typed."""
    text = output.replace("\r", "")
    parts = re.split(r"^= example \d+ =\n", text, flags=re.M)
    return [
        "".join(
            line + "\n" for line in part.splitlines() if line and not re.match(r">>>|\.\.\.", line)
        )
        for part in parts[:-1]
    ]


@pytest.mark.board
def test_the_lines_show_what_the_text_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "boards"))
    if not boards.load("unix").artefact.exists():
        build.build(boards.load("unix"))
    try:
        for argv in shell_lines():
            result = subprocess.run(
                [sys.executable, "-m", "engram_host", *argv[1:]],
                cwd=tmp_path, input=typed() if argv[1] == "repl" else None,
                capture_output=True, text=True, timeout=300,
            )  # fmt: skip
            assert result.returncode == 0, (argv, result.stdout, result.stderr)
    finally:
        virtual.stop("unix")
    came = shown(result.stdout)
    assert "Traceback" not in result.stdout, result.stdout
    wanted = [example.want for example in examples()]
    assert len(came) == len(wanted) > 20, result.stdout
    wrong = [(e.source, c) for e, c in zip(examples(), came) if c != e.want]
    assert wrong == []

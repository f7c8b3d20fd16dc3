"""The texts of the journeys can be read, and their reader tells what is not as expected."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from script import Command, parse, statements  # noqa: E402

README = (HERE.parents[1] / "README.md").read_text()


def test_a_text_is_prose_commands_and_expectations():
    parts = parse("# Title\n\n$ cat > a\n| b\n? x+\n! 1\n$ engram repl\n>>> 1 + 1\n...\n")
    title, first, second = parts
    assert title == "# Title" and first.text == "cat > a\nb" and first.status == 1
    assert statements(second.typed) == "1 + 1\n\n"
    assert first.check("axxb", 1) == [] and len(first.check("b", 0)) == 2
    with pytest.raises(ValueError, match="expected a command before"):
        parse("? x")


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_every_journey_expects_something(path):
    commands = [part for part in parse(path.read_text()) if isinstance(part, Command)]
    assert len(commands) > 8 and sum(len(command.expected) for command in commands) > 5


def test_the_newcomer_types_what_the_readme_says():
    commands = [p for p in parse((HERE / "newcomer.txt").read_text()) if isinstance(p, Command)]
    texts = {command.text for command in commands}
    block = README.split("## At the command line")[1].split("```")[1]
    lines = [line.split("  ")[0].strip() for line in block.splitlines()[1:] if line]
    assert lines and set(lines) <= texts

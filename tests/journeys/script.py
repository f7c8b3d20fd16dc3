"""A journey as a text: prose, commands, what is typed into them, and what must come.

    $ engram boards          a command, in one shell from the first to the last line
    | more of it             a command's next line
    >>> learner.save()       typed into the command above, as is any line that begins with "... "
    ? 9\\d\\.\\d %              a regular expression that the command's output must match
    ! 1                      its exit status, where that is not 0
    # A title                everything else is prose
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class Command:
    """One command and what is expected of it."""

    text: str
    typed: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    status: int = 0

    def check(self, output: str, status: int) -> list[str]:
        """What is not as expected, in words."""
        wrong = [f"expected {p!r} in what {self.text!r} shows" for p in self.expected
                 if not re.search(p, output)]  # fmt: skip
        if status != self.status:
            wrong.append(f"expected exit status {self.status} of {self.text!r}, got {status}")
        return wrong


_MARKS = re.compile(r"(\$|\||>>>|\.\.\.|\?|!)(?: (.*))?$")


def parse(text: str) -> list[str | Command]:
    """Paragraphs and commands, in order. Raises ValueError on a mark without a command."""
    parts: list[str | Command] = []
    prose: list[str] = []

    def end_prose() -> None:
        paragraph = "\n".join(prose).strip("\n")
        if paragraph:
            parts.append(paragraph)
        prose.clear()

    for line in text.splitlines():
        match = _MARKS.match(line)
        if not match:
            prose.append(line)
            continue
        mark, rest = match[1], match[2] or ""
        end_prose()
        if mark == "$":
            parts.append(Command(rest))
            continue
        command = parts[-1] if parts else None
        if not isinstance(command, Command):
            raise ValueError(f"expected a command before {line!r}")
        if mark == "|":
            command.text += "\n" + rest
        elif mark in (">>>", "..."):
            command.typed.append(line)
        elif mark == "?":
            command.expected.append(rest)
        else:
            command.status = int(rest)
    end_prose()
    return parts


def statements(typed: list[str]) -> str:
    """What is typed, without prompts; a block ends with an empty line."""
    return "".join(line[4:] + "\n" for line in typed)

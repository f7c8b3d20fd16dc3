"""Output for the user: results on stdout (as text or JSON), everything else on stderr."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from engram.nn.objectives import WITHOUT_ANSWERS


@functools.cache
def errors() -> Console:
    """Messages and progress: on stderr, so that stdout can be piped."""
    return Console(stderr=True)


def show(content: RenderableType) -> None:
    """A result for people."""
    Console().print(content)


def facts(rows: Iterable[tuple[str, str]] = ()) -> Table:
    """A table of names and what is to be said of each; more rows may be added."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(name, text)
    return table


def show_json(content: Any) -> None:
    """A result for programs."""
    print(json.dumps(content, default=_plain, ensure_ascii=False))
    sys.stdout.flush()


def show_lines(content: Any, lines: list[str], as_json: bool) -> None:
    """A result that is text to copy: never wrapped or coloured."""
    if as_json:
        show_json(content)
    else:
        print("\n".join(lines))
        sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def class_name(label: int, names: Sequence[str]) -> str:
    """A class for people: its number, and its name where it has one."""
    return f"{label} {escape(names[label])}" if label < len(names) else str(label)


def class_counts(counts: Mapping[str, int], names: Sequence[str]) -> str:
    """Samples per class for people: 7 seven (40), 8 eight (38)."""
    return ", ".join(f"{class_name(int(c), names)} ({n})" for c, n in counts.items())


def outputs(learner: dict[str, Any]) -> str:
    """A learner's outputs in words: 10 classes and 2 target values; its input again, where it
    learns without labels."""
    targets = learner.get("targets", 0)
    words = [f"{learner['classes']} classes"] if learner["classes"] else []
    if targets:
        words.append(f"{targets} target value{'s' if targets > 1 else ''}")
    kinds = {output["objective"] for output in learner.get("outputs", ())}
    if not kinds.isdisjoint(WITHOUT_ANSWERS):
        words.append("its input again")
    return " and ".join(words)


def console_text(data: bytes) -> None:
    """Shows the text that the board printed, with control characters made visible."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    printable = "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
    errors().print(printable, end="", style="dim", markup=False, highlight=False)
    errors().file.flush()


def size(n: int | None) -> str:
    """Bytes for people: 256 KiB, 1,234 B, 56.7 kB."""
    if n is None:
        return "–"
    if n and n % 1024 == 0:
        return f"{n // 1024:,} KiB"
    return f"{n:,} B" if n < 10_000 else f"{n / 1000:,.1f} kB"

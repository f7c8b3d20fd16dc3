"""Docstrings begin with a noun or a verb of the field; a session has one name."""

import ast
import re

import pytest

from tidy import tree

ROOMS = ("device_lib", "host")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
RIDDLE = re.compile(r"(Of|What|Whose|That|Which|Those)\b")


def riddles(source):
    """[(line, first line)] of the docstrings of a Python source that begin with such a word."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED)]
    texts = [(node.body[0].lineno, ast.get_docstring(node)) for node in nodes if node.body]
    return [(line, text.split("\n")[0]) for line, text in texts if text and RIDDLE.match(text)]


@pytest.mark.parametrize("room", ROOMS)
def test_a_docstring_begins_with_its_subject(room):
    """A docstring such as "Of the inputs, as given." or "What the tests say." leaves out its noun.

    The reader has to find it in the name of the function or in a neighbour. "The dtype of the
    inputs" and "The figures of the tests" can be read alone, as in the list that help() prints.
    """
    sources = {
        name: text
        for name, text in tree.text_files().items()
        if name.startswith(f"{room}/") and name.endswith(".py")
    }
    assert sources
    places = {
        f"{name}:{line}": first
        for name, source in sources.items()
        for line, first in riddles(source)
    }
    assert places == {}, "name the noun: 'The dtype of ...' in the place of 'Of ...'"


@pytest.mark.parametrize(
    "first, is_riddle",
    [
        ("Of the inputs.", True),
        ("What convert() did.", True),
        ("Those of a class.", True),
        ("The dtype of the inputs.", False),
        ("Offsets of the rows.", False),
        ("Whatever the board sends.", False),
    ],
)
def test_such_a_word_is_found_in_every_place(first, is_riddle):
    for source in ('"""%s"""', 'class A:\n    """%s"""', 'async def f():\n    """%s"""'):
        assert bool(riddles(source % first)) == is_riddle


ANOTHER_NAME = re.compile(r"(?<![a-z])(experience|task)s?(?![a-z])", re.IGNORECASE)
THEIR_WORD = ("host/engram_host/progress.py",)  # rich's


def test_a_session_has_one_name():
    """The literature says experience or task for the samples that a learner meets together.

    With three words for it, `--tasks`, `end_experience` and the "session" of a report, readers
    looked for three things.
    """
    problems = [
        f"{name}:{number}: {line.strip()}"
        for name, text in tree.text_files().items()
        if name.startswith(("device_lib/", "host/", "docs/", "README")) and name not in THEIR_WORD
        for number, line in enumerate(text.splitlines(), 1)
        if ANOTHER_NAME.search(line)
    ]
    assert problems == [], "say session"

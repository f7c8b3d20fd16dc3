"""Errors have one form: "expected X, got Y; do Z"."""

import ast
import re

import pytest

from tidy import tree

OURS = ("device_lib/", "host/")
KERNELS = "device_lib/engram/kernels/"  # in the words of the C kernels, which have no values
OPEN = "\N{HORIZONTAL ELLIPSIS}"  # for the parts of a text that are known when it is shown


def sources():
    """(name, parsed) of every Python file whose texts users see."""
    for name, text in tree.text_files().items():
        if name.startswith(OURS) and name.endswith(".py"):
            yield name, ast.parse(text)


def pieces(node):
    """The texts of an expression in the order they are written, OPEN for what is not a text."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from pieces(part)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from pieces(left)
            yield from pieces(right)
        case ast.BinOp(left=left, op=ast.Mod()):
            yield from pieces(left)
        case ast.IfExp(body=body, orelse=other):
            yield from pieces(body)
            yield from pieces(other)
        case _:
            yield OPEN


def errors():
    """("file:line", message) of everything that is raised with a text."""
    for name, tree_of_file in sources():
        for node in ast.walk(tree_of_file):
            if name.startswith(KERNELS):
                break
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                message = " ".join("".join(pieces(arg)) for arg in node.exc.args)
                if message.strip(OPEN + " "):
                    yield f"{name}:{node.lineno}", message


def test_an_error_that_says_what_was_expected_says_what_it_got():
    """Half of it leaves the reader to guess which of his numbers was meant."""
    half = re.compile(r"\bexpected\b(?!.*\b(got|found)\b)", re.S)
    assert [f"{at}: {text}" for at, text in errors() if half.search(text)] == []


def test_what_was_expected_comes_first():
    pattern = re.compile(
        r"\b(expected|needed|wanted) but\b|\bwas expected\b|\bgot\b.*\bexpected\b"
    )
    assert [f"{at}: {text}" for at, text in errors() if pattern.search(text)] == []


@pytest.mark.parametrize("word", ["came", "please", "oops", "sorry", "invalid"])
def test_no_text_for_users_has_the_word(word):
    """Got is the word for an argument that is not the one expected; the others say nothing."""
    pattern = re.compile(rf"\b{word}\b", re.I)
    problems = []
    for name, tree_of_file in sources():
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree_of_file)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and isinstance(node.body[0], ast.Expr)
        }
        problems += [
            f"{name}:{node.lineno}: {node.value}"
            for node in ast.walk(tree_of_file)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            and pattern.search(node.value)
        ]
    assert problems == []


def test_the_rules_see_what_they_forbid():
    raised = ast.parse('raise E("expected %d" % n + f", {x} came")').body[0].exc.args[0]
    assert "".join(pieces(raised)) == f"expected %d, {OPEN} came"

"""Builds what device_lib/stock/engram_pack.py reads: packs of modules, the texts of messages.

The texts of errors are half as long as the code. On a board they stay in a file: each text of more
than a few characters in a function becomes a call that reads it. A module's own integers become
const(): the compiler puts them where they are used, and no name of theirs is on the board.
"""

from __future__ import annotations

import ast
import struct
from collections import Counter
from collections.abc import Mapping

_SHORTEST = 20  # characters: a call is shorter than these


class Texts:
    """The texts of all modules, each once, numbered in the order they were met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def packed(self) -> bytes:
        """The file `texts`."""
        texts = [text.encode() for text in self._numbers]
        at = 2 + 4 * (len(texts) + 1)
        offsets = [at]
        for text in texts:
            at += len(text)
            offsets.append(at)
        head = struct.pack(f"<H{len(offsets)}I", len(texts), *offsets)
        return head + b"".join(texts)


class _Outside(ast.NodeTransformer):
    """Replaces the long texts in functions: those are messages. Docstrings are no code anyway."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.depth += 1
        node.body = [self.visit(part) for part in node.body]
        self.depth -= 1
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        text = node.value
        if not (self.depth and isinstance(text, str) and len(text) >= _SHORTEST and " " in text):
            return node
        call = f"__import__('engram_pack').text({self.texts.number(text)})"
        return ast.parse(call, mode="eval").body


def smaller(source: str, texts: Texts) -> str:
    """The source of a module as a board gets it: without the texts of its errors, its own
    integers as constants of the compiler."""
    tree = _Outside(texts).visit(ast.parse(source))
    _fix_constants(tree)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _fix_constants(tree: ast.Module) -> None:
    """`_NAME = 12` at the top becomes `_NAME = const(12)`, where that is its only value."""
    counts = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)) if (
                type(value) is int
                and name[0] == "_"
                and name[:2] != "__"
                and counts[name] == 1
            ):
                node.value = ast.Call(ast.Name("const", ast.Load()), [node.value], [])


def pack(modules: Mapping[str, bytes]) -> bytes:
    """A pack of path -> .mpy."""
    at = 2 + sum(9 + len(path.encode()) for path in modules)
    head = struct.pack("<H", len(modules))
    for path, data in modules.items():
        name = path.encode()
        head += bytes([len(name)]) + name + struct.pack("<II", at, len(data))
        at += len(data)
    return head + b"".join(modules.values())

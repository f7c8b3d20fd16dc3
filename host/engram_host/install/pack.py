"""Builds what device_lib/stock/engram_pack.py reads: packs of modules, the texts of messages.

The texts of errors are half as long as the code. On a board they stay in a file: each text of more
than a few characters in a function becomes a call that reads it. A module's own integers become
const(): the compiler puts them where they are used, and no name of theirs is on the board. Other
names of its own, those of private attributes and methods too, become _0, _1, ... in every module:
MicroPython keeps each name that it has read for good, and the table of names doubles, by 11 kB of
heap at the 1,525th.
"""

from __future__ import annotations

import ast
import builtins
import struct
from collections import Counter
from collections.abc import Iterable, Mapping

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


def smaller(source: str, texts: Texts, common: frozenset[str] = frozenset()) -> str:
    """The source of a module as a board gets it: without the texts of its errors, its own
    integers as constants of the compiler, its own names short. common: names to leave as they
    are, of common_names()."""
    tree = _Outside(texts).visit(ast.parse(source))
    _fix_constants(tree)
    _shorten_attributes(tree, common)
    _shorten(tree, common | _attributes(tree))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def common_names(sources: Iterable[str]) -> frozenset[str]:
    """Names that mean more than a module's own function, class, value or attribute: arguments,
    imported names, texts, public attributes, and private ones that two modules use or that are
    not of self: the object may be another module's, whose attributes have short names too."""
    names: set[str] = set()
    modules: Counter[str] = Counter()
    for source in sources:
        tree = ast.parse(source)
        attributes = _attributes(tree)
        modules.update(attributes)
        names |= {name for name in attributes if not _is_private(name)}
        for node in ast.walk(tree):
            match node:
                case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                    names.add(name)
                case ast.Constant(value=str(name)):
                    names.add(name)
                case ast.alias(name=name, asname=other):
                    names |= {name, other or name}
                case ast.Attribute(value=value, attr=name) if ast.unparse(value) != "self":
                    names.add(name)
                case ast.ClassDef(body=body):
                    names.update(name for part in body for name in _values(part))
    return frozenset(names | {name for name, count in modules.items() if count > 1})


def _is_private(name: str) -> bool:
    return name[0] == "_" and name[:2] != "__"


def _attributes(tree: ast.Module) -> set[str]:
    """Names of attributes and methods in a module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                names.add(name)
            case ast.ClassDef(body=body):
                names |= {part.name for part in body if isinstance(part, ast.FunctionDef)}
    return names


def _shorten_attributes(tree: ast.Module, common: frozenset[str]) -> None:
    """Private attributes and methods that no other module uses become _0, _1, ...

    A class of this module may inherit from another one's, whose attributes have these short names
    already: then all names stay.
    """
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    bases = {ast.unparse(base) for node in classes.values() for base in node.bases}
    if bases - set(classes) - set(dir(builtins)):
        return
    private = sorted(name for name in _attributes(tree) - common if _is_private(name))
    short = {name: f"_{number}" for number, name in enumerate(private)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if name in short:
                node.attr = short[name]
            case ast.ClassDef(body=body):
                for part in body:
                    if isinstance(part, ast.FunctionDef):
                        part.name = short.get(part.name, part.name)


def _shorten(tree: ast.Module, common: frozenset[str]) -> None:
    """The private names that the module defines at its top become _0, _1, ..."""
    short: dict[str, str] = {}
    for node in tree.body:
        for name in _defined(node):
            if _is_private(name) and name not in common:
                short.setdefault(name, f"_{len(short)}")
    for found in ast.walk(tree):
        match found:
            case ast.Name(id=name) if name in short:
                found.id = short[name]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if name in short:
                found.name = short[name]
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.names = [short.get(name, name) for name in names]


def _defined(node: ast.stmt) -> list[str]:
    """Names that a statement at the top of a module defines; none of what the compiler keeps."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(value=ast.Call(func=ast.Name(id="const"))):
            return []
    return _values(node)


def _values(node: ast.stmt) -> list[str]:
    """Names that a statement gives a value."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    parts = [part for target in targets for part in ast.walk(target)]
    return [part.id for part in parts if isinstance(part, ast.Name)]


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
                and _is_private(name)
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


def lengths(data: bytes) -> dict[str, int]:
    """Path of each .mpy of a pack -> its bytes."""
    (count,) = struct.unpack_from("<H", data)
    at, modules = 2, {}
    for _ in range(count):
        end = at + 1 + data[at]
        _, modules[data[at + 1 : end].decode()] = struct.unpack_from("<II", data, end)
        at = end + 8
    return modules

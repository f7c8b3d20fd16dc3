"""Writes the numbers and short texts that modules share where they are used.

`from .names import LATENT` costs a board the name, in a table that grows by 11 kB of heap at the
1,525th, and a look-up at each use. The value costs neither: short integers are part of the code,
and a text of at most 10 characters is a name that is there already.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping

_LONGEST = 10  # characters of a text that mpy-cross makes a name
_KEPT = "engram/__init__.py"  # programs read the attributes of this module

Literals = dict[str, ast.Constant]


def inlined(sources: Mapping[str, str]) -> dict[str, str]:
    """Sources by path, as engram/nn/names.py, without shared literals where nothing else needs
    them as names."""
    trees = {path: _one_by_one(ast.parse(source)) for path, source in sources.items()}
    own = {path: _defined(tree) for path, tree in trees.items()}
    found = _with_imported(trees, own)
    for path, tree in trees.items():
        if path != _KEPT:
            _Values(path, tree, found).visit(tree)
    needed = _needed(trees)
    for path, tree in trees.items():
        if path != _KEPT:
            _drop(tree, set(own[path]) - needed)
    return {
        path: ast.unparse(ast.fix_missing_locations(tree)) + "\n" for path, tree in trees.items()
    }


def _one_by_one(tree: ast.Module) -> ast.Module:
    """Writes `A, B = 1, 2` and `A, B = range(2)` at the top as statements of their own."""
    body: list[ast.stmt] = []
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pass
            case ast.Assign(
                targets=[ast.Tuple(elts=names)], value=ast.Call(func=ast.Name(id="range"))
            ):
                values = [ast.Constant(i) for i in range(len(names))]
            case _:
                body.append(node)
                continue
        body += [ast.Assign([name], value) for name, value in zip(names, values, strict=True)]
    tree.body = body
    return ast.fix_missing_locations(tree)


def _defined(tree: ast.Module) -> Literals:
    """Public constants of a module that are a short literal and never change."""
    out: Literals = {}
    meanings = _meanings(tree)
    numbers: dict[str, int] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
                name.lstrip("_").isupper() and meanings[name] == 1
            ):
                literal = _literal(value, numbers)
                if type(literal) is int:
                    numbers[name] = literal
                if literal is not None and name[0] != "_":
                    out[name] = ast.Constant(literal)
    return out


def _literal(node: ast.expr, numbers: Mapping[str, int]) -> int | str | None:
    """The value of an expression of literals and known numbers, where it is short."""
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name) if name not in numbers:
                return None
            case ast.Constant() | ast.BinOp() | ast.operator() | ast.Name() | ast.Load():
                pass
            case _:
                return None
    code = compile(ast.Expression(node), "", "eval")
    value = eval(code, {"__builtins__": {}}, dict(numbers))
    return value if type(value) is int or _is_short(value) else None


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _meanings(tree: ast.AST) -> Counter[str]:
    """How many things each name is: values that it is given, arguments, what is imported."""
    imported, out = set(), Counter[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                out[name] += 1
            case ast.alias(name=name, asname=other):
                imported.add(other or name)
    return out + Counter(imported)


def _with_imported(
    trees: Mapping[str, ast.Module], own: Mapping[str, Literals]
) -> dict[str, Literals]:
    """The literals that each module defines, and those that it imports and so passes on."""
    found = {path: dict(literals) for path, literals in own.items()}
    more = True
    while more:
        more = False
        for path, tree in trees.items():
            meanings = _meanings(tree)
            for node in ast.walk(tree):
                if not isinstance(node, ast.ImportFrom):
                    continue
                source = _module(path, node, trees)
                for alias in node.names:
                    value = found.get(source, {}).get(alias.name)
                    name = alias.asname or alias.name
                    if value and name not in found[path] and meanings[name] == 1:
                        found[path][name] = value
                        more = True
    return found


def _module(path: str, node: ast.ImportFrom, trees: Mapping[str, object], name: str = "") -> str:
    """The path of the module that a statement imports from, or of a module `name` in it."""
    parts = path.removesuffix(".py").split("/")
    base = parts[: len(parts) - node.level] if node.level else []
    base += node.module.split(".") if node.module else []
    dotted = "/".join([*base, name] if name else base)
    return next((at for at in (dotted + ".py", dotted + "/__init__.py") if at in trees), "")


class _Values(ast.NodeTransformer):
    """Puts values in the place of names, and drops the imports of these."""

    def __init__(self, path: str, tree: ast.Module, found: Mapping[str, Literals]) -> None:
        self._path, self._found = path, found
        self._values, meanings = found[path], _meanings(tree)
        self._modules = {
            name: module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if meanings[name := alias.asname or alias.name] == 1
            and (module := _module(path, node, self._found, alias.name))
        }

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        literals = self._found.get(_module(self._path, node, self._found), {})
        left = [
            alias
            for alias in node.names
            if alias.name not in literals or (alias.asname or alias.name) not in self._values
        ]
        if not left:
            return ast.Pass()
        node.names = left
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self._values:
            return ast.Constant(self._values[node.id].value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attr, ctx=ast.Load()) if (
                attr in self._found.get(self._modules.get(name, ""), {})
            ):
                return ast.Constant(self._found[self._modules[name]][attr].value)
        return self.generic_visit(node)


def _needed(trees: Mapping[str, ast.Module]) -> set[str]:
    """Names that are still asked for: imported, as attributes, or in texts."""
    names: set[str] = set()
    for tree in trees.values():
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                    names.add(name)
                case ast.Name(id=name, ctx=ast.Load()):
                    names.add(name)
                case ast.alias(name=name):
                    names.add(name)
    return names


def _drop(tree: ast.Module, names: set[str]) -> None:
    """Drops the definitions of these names."""
    tree.body = [
        node
        for node in tree.body
        if not (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in names
        )
    ]

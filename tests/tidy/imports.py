"""Which module imports which: read from the source, nothing is run."""

import ast
from pathlib import Path


def modules(package: Path) -> dict[str, Path]:
    """Dotted name below the package ("" for its __init__) -> file, for each of its modules."""
    result = {}
    for path in sorted(package.rglob("*.py")):
        parts = list(path.relative_to(package).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        result[".".join(parts)] = path
    return result


def imported(path: Path, name: str, package: str) -> set[str]:
    """Absolute dotted names that a module imports anywhere in its text, in functions too.

    For ``from a import b`` this is "a.b"; whether b is a module or something in a is for the
    caller to see.
    """
    is_package = path.name == "__init__.py"
    here = [package, *(name.split(".") if name else [])]
    if not is_package:
        here.pop()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            names.update(".".join([*base, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "__import__":
            if isinstance(node.args[0], ast.Constant):
                names.add(node.args[0].value)
    return names


def of_package(targets: set[str], package: str, known: dict[str, Path]) -> set[str]:
    """Those of the imported names that are modules of a package, as keys of ``known``."""
    names = set()
    for target in targets:
        first, _, rest = target.partition(".")
        if first == package:
            while rest not in known:  # the last part was a name in the module
                rest = rest.rpartition(".")[0]
            names.add(rest)
    return names


def inside(path: Path, name: str, package: str, known: dict[str, Path]) -> set[str]:
    """The modules of the same package that a module imports, as keys of ``known``."""
    return of_package(imported(path, name, package), package, known) - {name}


def outside(path: Path, name: str, package: str) -> set[str]:
    """The top-level names of everything else that a module imports."""
    return {target.partition(".")[0] for target in imported(path, name, package)} - {package}


def row_for(name: str, table) -> str | None:
    """The most specific entry of a table of dotted prefixes that covers a module; None if none
    does.

    "" stands for the package's own __init__ and covers only that.
    """
    while name not in table:
        name = name.rpartition(".")[0]
        if not name:
            return None
    return name


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """One cycle of the graph as a list of names, or an empty list."""
    state: dict[str, int] = {}
    trail: list[str] = []

    def visit(node: str) -> list[str]:
        state[node] = 1
        trail.append(node)
        for target in sorted(graph.get(node, ())):
            if state.get(target) == 1:
                return [*trail[trail.index(target) :], target]
            if target not in state and (loop := visit(target)):
                return loop
        trail.pop()
        state[node] = 2
        return []

    for start in sorted(graph):
        if start not in state and (loop := visit(start)):
            return loop
    return []

"""The rules of the house, each with its reason. A rule that is not worth a test is not a rule."""

import ast
import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib

import pytest

from engram_host.install import packages
from tidy import tree

ROOT = tree.ROOT
CODE = (".py", ".c", ".h", ".def", ".S", ".ld", ".mk", ".sh", "Makefile", ".toml", ".j2")


# ---------------------------------------------------------------- what a stranger's checkout must
# not hold


def test_no_package_registry_is_named():
    """Where packages come from is for each machine's own configuration to say: mirrors differ."""
    hosts = r"(deb|security|archive|ftp|snapshot)\.debian\.org|pypi\.org|pythonhosted\.|npmjs\.org"
    assert tree.matching(re.compile(hosts)) == []


def test_no_path_of_somebodys_machine():
    """An absolute path to a home or work folder is true on one computer only."""
    homes = r"(?<![\w.$})\]/-])/(home|root|work|farm|Users|mnt|srv|data|tmp)/\w"
    assert tree.matching(re.compile(homes)) == []


def test_no_large_file():
    """A clone stays quick: what is larger than 500 kB is made by a script, or fetched."""
    large = [p.relative_to(ROOT).as_posix() for p in tree.files() if p.stat().st_size > 500_000]
    assert large == []


def test_nothing_is_left_for_later_in_silence():
    """Open ends live in issues, where they are seen; code that is there works."""
    words = r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K]|TB[D])\b|\bNotImplemented[E]rror|assert Tru[e]\b"
    assert tree.matching(re.compile(words), CODE) == []


def test_no_built_file_is_tracked():
    """What is built is built from what is here, on the reader's own machine."""
    endings = (".o", ".so", ".a", ".elf", ".mpy", ".pyc", ".whl", ".bin", ".uf2", ".hex")
    assert [p.name for p in tree.files() if p.name.endswith(endings)] == []


# An extra that its user installs, loaded when its meter is named; nothing else of ours needs it.
OPTIONAL_GPL = ("host/engram_host/meters/ppk2.py", "tests/meters/")


def test_gpl_packages_are_optional():
    """The project is MIT: tools under the GPL are called as programs, or are optional extras."""
    gpl = re.compile(r"(^\s*(import|from)\s+|import_module\(\W*)(esptool|ppk2_api)\b")
    lines = tree.matching(gpl, [".py"])
    assert [line for line in lines if not line.startswith(OPTIONAL_GPL)] == []
    assert any(line.startswith(OPTIONAL_GPL[0]) for line in lines), "the exception is not needed"


def test_text_ends_in_a_newline_and_has_no_trailing_space():
    """Diffs then show what was meant, and nothing else."""
    sources = {n: t for n, t in tree.text_files().items() if n.endswith((*CODE, ".md"))}
    assert [n for n, t in sources.items() if t and not t.endswith("\n")] == []
    assert tree.matching(re.compile(r"[ \t]+$"), [*CODE, ".md"]) == []


def test_c_lines_are_at_most_120_wide():
    """ruff keeps Python to 99; in C a table row or a message may take a little more."""
    assert tree.matching(re.compile(r"^.{121,}$"), [".c", ".h"]) == []


# ---------------------------------------------------------------- the C kernels

KERNELS = sorted((ROOT / "firmware" / "kernels").glob("*.c"))
# What a compiler emits by itself, and every place that runs the kernels has. The rest is our own.
MAY_CALL = {"memcpy", "memmove", "memset"}


def symbols(source, folder):
    """(kind as nm gives it, name) of every symbol of the object that a source compiles to."""
    target = folder / (source.stem + ".o")
    strict = "-std=c99 -O3 -Wall -Wextra -Werror -ffp-contract=off -fno-pic".split()
    subprocess.run(["cc", *strict, "-c", source, "-o", target], check=True)
    listing = subprocess.run(["nm", target], check=True, capture_output=True, text=True).stdout
    return [tuple(line.split()[-2:]) for line in listing.splitlines()]


@pytest.mark.parametrize("source", KERNELS, ids=lambda p: p.name)
def test_a_kernel_has_no_writable_data(source, tmp_path):
    """Kernels run from flash, as native modules, from anywhere: they have no state of their own.

    They compile without a warning, too.
    """
    assert [name for kind, name in symbols(source, tmp_path) if kind in "bBcCdDsS"] == []


@pytest.mark.parametrize("source", KERNELS, ids=lambda p: p.name)
def test_a_kernel_calls_only_what_is_everywhere(source, tmp_path):
    """A native module can link neither libm nor libc: what a kernel needs it brings."""
    names = {name for kind, name in symbols(source, tmp_path) if kind == "U"}
    assert {n for n in names if not n.startswith("engram_")} - MAY_CALL == set()


@pytest.mark.parametrize("source", KERNELS, ids=lambda p: p.name)
def test_a_kernel_includes_only_the_language(source):
    """firmware/kernels knows nothing above itself: no Python, no allocation, no printing."""
    included = re.findall(r"^\s*#\s*include\s*([<\"][^>\"]+)", source.read_text(), re.M)
    headers = {"<stddef.h", "<stdint.h", "<stdbool.h", "<limits.h", "<float.h", "<string.h"}
    own = {'"' + p.name for p in source.parent.iterdir()}
    assert set(included) - headers - own == set()


# ---------------------------------------------------------------- what the documents promise


def make_targets():
    """Target -> its line of help, '' where there is none, for every target of the Makefile."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    helps = {}
    for before, line in zip(["", *lines], lines, strict=False):
        target = re.match(r"([a-z][\w-]*):(?!=)", line)
        if target:
            helps[target[1]] = before[3:] if before.startswith("## ") else ""
    return helps


def commands():
    """(document, line) for every line of a shell example, without its prompt and comment."""
    for name, text in tree.text_files().items():
        if not name.endswith(".md"):
            continue
        for block in re.findall(r"^```(?:sh|bash|console|shell)?\n(.*?)^```", text, re.M | re.S):
            for line in block.splitlines():
                yield name, re.sub(r"\s+#.*", "", line.strip().removeprefix("$ "))


def test_every_make_target_has_a_line_of_help():
    """`make help` is the list of what one can do here; what is not on it is not found."""
    assert [t for t, text_of_help in make_targets().items() if not text_of_help] == []


def test_every_make_target_is_phony():
    """Each target is an intention, not a file: a file named `test` must not make it do nothing."""
    phony = re.search(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    assert sorted(phony) == sorted(make_targets())


def test_make_help_lists_every_target():
    """The help is made from the comments by awk; this runs it."""
    result = subprocess.run(
        ["make", "-C", ROOT, "help"], capture_output=True, text=True, check=True
    )
    targets = re.findall(r"^  make (\S+)", result.stdout, re.M)
    assert sorted(targets) == sorted(make_targets())


def test_documents_name_only_make_targets_that_exist():
    """A reader types what the README says."""
    wrong = []
    for name, line in commands():
        for words in re.findall(r"(?:^|&&|;)\s*make((?:\s+[\w=./-]+)*)", line):
            targets = [w for w in words.split() if "=" not in w and not w.startswith("-")]
            wrong += [f"{name}: make {w}" for w in targets if w not in make_targets()]
    assert wrong == []


def test_documents_name_only_verbs_that_exist():
    """A reader types what the README says: the verb of every example is a command of the CLI."""
    import click

    from engram_host.cli import main

    known = set(main.list_commands(click.Context(main)))
    wrong = []
    for name, line in commands():
        verb = re.match(r"(?:\S*/)?engram\s+(?:--\S+\s+)*([a-z][\w-]*)", line)
        if verb and verb[1] not in known:
            wrong.append(f"{name}: {line}")
    assert wrong == []


def test_the_command_is_where_the_last_line_of_make_demo_says():
    """A reader types `engram` next: README and make name the same environment, which has it."""
    last = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
    (line,) = re.findall(r"\. (build/venv/bin/activate)\"$", last)
    assert any(text == ". " + line for name, text in commands() if name == "README.md")
    venv = re.search(r"^VENV +:= (.*)$", (ROOT / "Makefile").read_text(), re.M)[1]
    assert line == venv + "/bin/activate"
    activate = f". {sys.prefix}/bin/activate && command -v engram"
    output = subprocess.run(["sh", "-c", activate], capture_output=True, text=True).stdout.strip()
    assert output == f"{sys.prefix}/bin/engram"


def test_documents_link_only_to_files_that_exist():
    """A dead link tells the reader that nobody reads this."""
    wrong = []
    for name, text in tree.text_files().items():
        if name.endswith(".md"):
            for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text):
                if not ((ROOT / name).parent / target).exists():
                    wrong.append(f"{name}: {target}")
    assert wrong == []


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"])
def test_the_documents_are_there(name):
    """What it is, how it is built up, what changed, what one may do with it."""
    assert (ROOT / name).read_text().strip()


def test_version_is_stated_once_and_the_same():
    """The library, its package for boards and the distribution are released together."""
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    stated = {
        "device_lib/engram/__init__.py": r'^__version__ = "(.+)"',
        "device_lib/manifest.py": r'version="([^"]+)"',
        "device_lib/package.json": r'"version": "([^"]+)"',
    }
    versions = {n: re.search(p, (ROOT / n).read_text(), re.M)[1] for n, p in stated.items()}
    assert versions == dict.fromkeys(stated, version)


# ---------------------------------------------------------------- boards


def decisions(path):
    """Every constant that a Python file compares with or looks up, and every number in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        deciding = [node] if isinstance(node, ast.Constant) and isinstance(node.value, int) else []
        if isinstance(node, ast.Compare):
            deciding = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            deciding = node.keys
        elif isinstance(node, ast.Subscript):
            deciding = [node.slice]
        for value in deciding:
            if isinstance(value, ast.Constant):
                yield value.lineno, value.value


def test_no_fact_about_a_board_outside_its_file():
    """A new board is a new folder in boards/: no code goes by its name or knows its clock."""
    boards = [tomllib.loads(p.read_text()) for p in (ROOT / "boards").glob("*/board.toml")]
    kinds = {board.get("virtual", {}).get("kind") for board in boards}
    facts = {board["name"] for board in boards} - kinds
    facts |= {board["chip"]["clock_hz"] for board in boards if board["chip"]["clock_hz"]}
    assert facts
    problems = []
    for top in ("device_lib", "host"):
        for path in (ROOT / top).rglob("*.py"):
            problems += [f"{path}:{line}: {v}" for line, v in decisions(path) if v in facts]
    assert problems == []


# ---------------------------------------------------------------- Python


def python_modules():
    """Importable name -> file, for the device library and the host part."""
    for top in (ROOT / "device_lib" / "engram", ROOT / "host" / "engram_host"):
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top.parent).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_no_folder_of_tests_has_the_name_of_a_package():
    """tests/ is on the path: a folder tests/torch would be what `import torch` finds."""
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir()} - {"__pycache__"}
    text = (ROOT / "pyproject.toml").read_text()
    packages_named = set(re.findall(r'^(?:\w+ = \[)? *"([a-z][\w-]*)[<>=]', text, re.M))
    assert "torch" in packages_named
    names = (
        packages_named | set(importlib.metadata.packages_distributions()) | sys.stdlib_module_names
    )
    assert folders & names == set()


def test_no_two_test_files_have_the_same_name():
    """pytest imports them by that name, and stops when it is taken."""
    names = [p.name for p in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def states_all(path):
    return any(
        isinstance(target, ast.Name) and target.id == "__all__"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )


@pytest.mark.parametrize("name", [n for n, path in python_modules() if states_all(path)])
def test_all_is_true(name):
    """`__all__` is the promise of what a module gives: every name in it is there, once."""
    module = importlib.import_module(name)
    assert [n for n in module.__all__ if not hasattr(module, n)] == []
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("name", [n for n, path in python_modules() if path.name != "__main__.py"])
def test_every_module_says_what_it_is_for(name):
    """The first line of a file answers the reader's first question."""
    path = dict(python_modules())[name]
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)) or (path.name == "__init__.py" and not text)


def test_package_json_lists_the_device_library():
    """mip installs the files that package.json names: a new file that is not named is left out."""
    folder = ROOT / "device_lib"
    package = json.loads((folder / "package.json").read_text())
    names = [p.relative_to(folder).as_posix() for p in packages.sources(folder / "engram")]
    board = ["engram_board.py", "stock/engram_board.py"]
    assert package["urls"] == [*([name, name] for name in names), board]

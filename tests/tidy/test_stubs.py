"""The stubs of the device library: type checkers accept them, and they say what is there."""

import ast
import inspect
import subprocess
import sys

import pytest

import engram
from tidy import tree

LIBRARY = tree.ROOT / "device_lib" / "engram"
STUBS = sorted(LIBRARY.rglob("*.pyi"))
# Arguments of Learner that are no options of a program.
PARTS = {"self", "spec", "store", "checkpoints", "counter", "available", "heap_base", "prepared"}

PROGRAM = """
import array

from engram import *
import engram


class Picture:
    def __array__(self) -> object:
        return None


class Label:
    def __index__(self) -> int:
        return 3


learner = engram.load("digits.safetensors", lr=0.04, strategy="replay", folder="state")
x = Picture()
learner.observe(x, Label())
learner.observe(bytearray(72), 3)
learner.observe(array.array("f", [0.0]), [0.5])
stored: int = learner.observe_all(engram.samples("base"))
summary = learner.learn(epochs=2, on_step=engram.progress)
right: float = learner.evaluate([(x, 1)])["accuracy"]
generation: int = learner.save()
with open("some.txt") as file:  # Python's own, beside the star import
    text: str = file.read()
try:
    learner.predict(x)
except engram.FitError as e:
    print(e.needed - e.available, learner.stored, learner.skipped)
except engram.EngramError:
    pass
"""

# What a type checker is to find -> a word of its message.
WRONG = {
    'engram.load("m.safetensors", learning_rate=1.0)': "learning_rate",
    'engram.load("m.safetensors", batch="16")': "batch",
    'engram.load("m.safetensors").observe([1, 2], 1)': "list",
    'engram.load("m.safetensors").obsreve(b"", 1)': "obsreve",
    'x: int = engram.load("m.safetensors").load()': "None",
    'engram.load("m.safetensors").rollback("yesterday")': "yesterday",
}


def mypy(folder, program):
    """What mypy says of a program of a user, who has no configuration of ours."""
    (folder / "program.py").write_text(program)
    (folder / "mypy.ini").write_text(
        f"[mypy]\nmypy_path = {tree.ROOT / 'device_lib'}\npython_version = 3.12\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "program.py", "--cache-dir", folder / "cache"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout + result.stderr


def test_mypy_accepts_a_program_and_finds_what_is_wrong(tmp_path):
    code, text = mypy(tmp_path, PROGRAM)
    assert code == 0, text
    code, text = mypy(tmp_path, "import engram\n" + "\n".join(WRONG) + "\n")
    lines = [line for line in text.splitlines() if ": error:" in line]
    for n, (statement, word) in enumerate(WRONG.items(), 2):
        mine = [line for line in lines if line.startswith(f"program.py:{n}: ")]
        assert any(word in line for line in mine), f"{statement}\n{text}"


def body(name):
    return ast.parse((LIBRARY / name).read_text()).body


def stub_of(name):
    """The class of this name in the stub: {method: its arguments}."""
    (node,) = [n for n in body("__init__.pyi") if isinstance(n, ast.ClassDef) and n.name == name]
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    return node, {n.name: n.args for n in methods}


def test_the_stub_has_every_public_name_and_no_other():
    names = set()
    for node in body("__init__.pyi"):
        if isinstance(node, ast.ImportFrom) and node.level:
            names |= {alias.asname for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_":
            names.add(node.name)
        elif isinstance(node, ast.Assign):  # open = load
            names |= {target.id for target in node.targets}
    assert names == {*engram.__all__, "open"}
    assert all(hasattr(engram, name) for name in names)


def test_a_star_import_keeps_the_open_of_python():
    names = {}
    exec("from engram import *", names)
    assert "open" not in names and names["load"] is engram.open is engram.load


@pytest.mark.parametrize("name", ["Learner", "ModelSpec", "Samples"])
def test_each_method_of_a_stub_is_there_with_its_arguments(name):
    real = getattr(engram, name)
    for method, args in stub_of(name)[1].items():
        attribute = inspect.getattr_static(real, method)
        if isinstance(attribute, property):
            continue
        names = [a.arg for a in (*args.args, *args.kwonlyargs)]
        there = list(inspect.signature(attribute).parameters)
        assert names == there if not args.kwarg else set(names) <= set(there), f"{name}.{method}"


def options(name):
    return {node.target.id for node in stub_of(name)[0].body if isinstance(node, ast.AnnAssign)}


def test_the_options_of_a_stub_are_those_of_the_learner():
    real = set(inspect.signature(engram.Learner.__init__).parameters)
    assert options("_Options") == real - PARTS
    parameters = set(inspect.signature(engram.load).parameters)
    (stub,) = [n for n in body("__init__.pyi") if getattr(n, "name", None) == "load"]
    assert {a.arg for a in stub.args.args} == parameters - {"options"}


def test_the_errors_of_a_stub_are_the_tree_that_is_there():
    for node in body("errors.pyi"):
        (base,) = [ast.unparse(b) for b in node.bases]
        assert [c.__name__ for c in getattr(engram, node.name).__bases__] == [base]


def test_stubs_are_for_pcs():
    """No board gets them: what goes there is what has the ending .py."""
    assert [p.name for p in STUBS] == ["__init__.pyi", "errors.pyi"]
    assert (LIBRARY / "py.typed").exists()
    assert "pyi" not in (tree.ROOT / "device_lib" / "package.json").read_text()

"""The list of kernels, their prototypes, definitions and cases agree. No compiler sees this.

A new kernel is its C function, its line in engram_kernels.def, its definition and its demands in
device_lib/engram/kernels, and its rows of cases; each test here fails when one is missing.
"""

import ast
import re

import kernels_check as cases
import pytest

from engram.kernels import demands, numpy, python
from kernels.common import KERNELS, ROOT, rows

LIST = rows()
HEADER = "".join(p.read_text() for p in sorted(KERNELS.glob("*.h")))
LIBRARY = ROOT / "device_lib" / "engram" / "kernels"
DEFINITION = "python layers train vae some int8 q8 replay audio".split()
PROTOTYPE = re.compile(r"((?://[^\n]*\n)+)int32_t engram_(\w+)\(([^;]*)engram_fault_t \*fault\);")


def names_of(row):
    return [name.split("=")[0] for name in row[1]]


def functions(*modules):
    """{name: argument names} of every public function of modules, also below an `if`."""
    return {
        node.name: [a.arg for a in node.args.args]
        for module in modules
        for node in ast.walk(ast.parse((LIBRARY / f"{module}.py").read_text()))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def prototypes():
    """{name: (shape line, [(type letter, argument name)])}"""
    table = {}
    for comment, name, text in PROTOTYPE.findall(HEADER):
        if name == "call":  # the table's, not a kernel
            continue
        args = [a.split() for a in text.replace("\n", " ").split(",") if a.strip()]
        letters = [("i" if kind == "int32_t" else kind[len("engram_")], arg) for kind, arg in args]
        shape = " ".join(line.removeprefix("//").strip() for line in comment.splitlines())
        table[name] = shape, letters
    return table


@pytest.mark.parametrize("name", LIST)
def test_letters_match_the_call(name):
    """Every member of the union has the same address: the compiler takes any of them."""
    letters, _, call = LIST[name]
    arguments = [f"a[{i}].{letter}" for i, letter in enumerate(letters)]
    assert call.split(", ") == [*arguments, "fault"]


@pytest.mark.parametrize("name", LIST)
def test_letters_and_names_match_the_prototype(name):
    shape, arguments = prototypes()[name]
    letters, _, _ = LIST[name]
    assert arguments == list(zip(letters, names_of(LIST[name]), strict=True))


@pytest.mark.parametrize("name", LIST)
def test_written_buffers_come_first_and_ints_last(name):
    """The shared checks rely on it."""
    assert re.fullmatch(r"[FBLH]*[fobhl]*i*", LIST[name][0])


@pytest.mark.parametrize("name", LIST)
def test_in_place_is_declared_and_told(name):
    """`out=x` in the list, "out may be x" in the shape line, and a case."""
    names = names_of(LIST[name])
    declared = [tuple(n.split("=")) for n in LIST[name][1] if "=" in n]
    pairs = re.findall(r"(\w+) may be (\w+)", prototypes()[name][0])
    assert declared == pairs
    cased = cases.IN_PLACE.get(name)
    assert [(names[cased[0]], names[cased[1]])] == pairs if cased else not pairs


def test_every_prototype_is_listed():
    assert set(prototypes()) == set(LIST)


def test_the_definition_has_the_same_kernels_arguments_and_shape_lines():
    defined = functions(*DEFINITION)
    assert defined.pop("spent") == []
    assert defined == {name: names_of(row) for name, row in LIST.items()}
    for name, (shape, _) in prototypes().items():
        assert " ".join(getattr(python, name).__doc__.split()) == shape


def test_every_kernel_has_one_row_of_demands_with_its_arguments():
    keys = re.findall(r'^    "(\w+)": "', (LIBRARY / "demands.py").read_text(), re.M)
    assert sorted(keys) == sorted(LIST)  # a dict would keep the last of two
    for name, row in LIST.items():
        arguments, returned = demands.parsed(demands.ROWS[name])
        assert [argument for argument, *_ in arguments] == names_of(row), name
        assert "".join(letter for _, letter, *_ in arguments) == row[0], name
        assert callable(getattr(demands, name))


def test_every_condition_of_a_row_is_there_and_every_one_is_used():
    rows = [demands.parsed(row)[0] for row in demands.ROWS.values()]
    conditions = {condition for row in rows for *_, condition in row} - {""}
    assert conditions == set(functions("conditions"))
    assert set(demands.NAMED) < conditions


def test_numpy_has_the_same_arguments_and_inherits_the_rest():
    own = functions("numpy")
    assert own.items() <= {name: names_of(row) for name, row in LIST.items()}.items()
    assert all(callable(getattr(numpy, name)) for name in [*LIST, "spent"])


def test_every_kernel_has_cases():
    assert {cases.kernel_name(builder) for builder, *_ in cases.CASES} == set(LIST)
    for builder, written, _, shapes in cases.CASES:
        letters = LIST[cases.kernel_name(builder)][0]
        assert written == sum(letter.isupper() for letter in letters)
        assert shapes


def test_every_source_is_in_the_makefile_fragment():
    fragment = (KERNELS / "sources.mk").read_text()
    names = re.search(r"^ENGRAM_KERNEL_SRC := ((?:\\\n\t\w+\.c ?)+)$", fragment, re.M)[1]
    assert re.findall(r"\w+\.c", names) == sorted(p.name for p in KERNELS.glob("*.c"))


def test_a_message_fits_its_buffer():
    """The longest thing a fault can say, with the longest names."""
    size = int(re.search(r"ENGRAM_MESSAGE_SIZE = (\d+)", HEADER)[1])
    table = (KERNELS / "engram_table.c").read_text()
    types = max(map(len, re.findall(r'return "(an? [^"]+)"', table)))
    longest = max(len(name) + max(map(len, names_of(row))) for name, row in LIST.items())
    assert (
        longest
        + len(": : expected , got ")
        + types
        + len("one that is not aligned to its elements")
        < size
    )

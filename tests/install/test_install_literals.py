"""Shared literals: a board gets their values, not their names, and nothing else changes."""

import ast

import pytest

from engram_host.install import literals

NAMES = """
\"\"\"Names.\"\"\"
LATENT, WEIGHTS = "latent", "weights"
NO_NOISE, NEW_NOISE = range(2)
_ALL = 1 << 16
LAST = _ALL - 1
LONG = "a text of many characters"
RATE = 0.05
COUNT = 0
COUNT = 1
"""
USER = """
from .names import COUNT, LAST, LATENT, LONG, NEW_NOISE, RATE
from . import names

def places(x):
    return [LATENT, LAST, names.WEIGHTS, names.LAST, NEW_NOISE, LONG, RATE, COUNT, x]
"""


def both(**others):
    sources = {"engram/nn/names.py": NAMES, "engram/nn/user.py": USER, **others}
    return literals.inlined(sources)


def test_values_stand_where_names_stood():
    out = both()
    body = "['latent', 65535, 'weights', 65535, 1, LONG, RATE, COUNT, x]"
    assert body in out["engram/nn/user.py"]
    assert "from .names import COUNT, LONG, RATE" in out["engram/nn/user.py"]


def test_definitions_that_nobody_reads_go():
    names = ast.parse(both()["engram/nn/names.py"])
    left = [node.targets[0].id for node in names.body if isinstance(node, ast.Assign)]
    assert left == ["_ALL", "LONG", "RATE", "COUNT", "COUNT"]


@pytest.mark.parametrize("reader", ["x = a.LATENT", "x = 'LATENT'", "from other import LATENT"])
def test_a_name_stays_where_something_else_asks_for_it(reader):
    out = both(**{"engram/reader.py": reader})
    assert "LATENT = 'latent'" in out["engram/nn/names.py"]


def test_a_literal_is_passed_on():
    last = {"engram/far.py": "from .nn.user import LAST as MOST\nx = MOST + 1"}
    assert "x = 65535 + 1" in both(**last)["engram/far.py"]


@pytest.mark.parametrize(
    "source",
    ["from .names import LATENT\ndef f(LATENT): return LATENT",
     "from .names import LATENT\nLATENT = 2\nprint(LATENT)"],
)  # fmt: skip
def test_a_name_that_means_something_else_too_stays(source):
    out = both(**{"engram/nn/other.py": source})
    assert ast.dump(ast.parse(out["engram/nn/other.py"])) == ast.dump(ast.parse(source))


def test_attributes_of_the_package_stay():
    public = "from .nn.names import LAST\nVERSION = 3\n"
    assert both(**{"engram/__init__.py": public})["engram/__init__.py"] == public

"""How modules are made smaller on their way to a board, and that they do the same there."""

import ast

import pytest

from engram_host.install import check, facts, make_files, pack
from install.test_install_board import UNIX, install

SOURCE = '''
_SIZE = 12
_TURNS = 3
_ON = True
__all__ = ()
WIDTH = 4


def f(n):
    global _TURNS
    _TURNS = n
    raise ValueError("twelve expected, something else came")
'''


def test_a_modules_own_integers_become_constants_of_the_compiler():
    tree = ast.parse(pack.smaller(SOURCE, pack.Texts(), frozenset({"_TURNS", "_ON"})))
    values = {node.targets[0].id: ast.unparse(node.value) for node in tree.body[:5]}
    assert values == {
        "_SIZE": "const(12)",
        "_TURNS": "3",  # set in f too
        "_ON": "True",
        "__all__": "()",
        "WIDTH": "4",
    }


def test_the_texts_of_errors_are_outside():
    texts = pack.Texts()
    source = pack.smaller(SOURCE, texts)
    assert "something else" not in source and "engram_pack').text(0)" in source
    assert b"twelve expected, something else came" in texts.packed()


OWN = '''
import _thread
from .other import _theirs
_HEAD = ("a", _theirs)
_first, (_second, third) = 1, (2, 3)
_count = 0


class _Row:
    """A row."""

    _size = 7

    def __init__(self):
        self._kept = 8

    def _bind(self, _argument=None):
        return self._kept, self._size, _argument, _thread

    def row(self):
        return self._bind()


def _bind(_first=4):
    global _count
    _count += 1
    return _Row, _HEAD, _first, _second, third


def make():
    return _bind(), _bind(_first=5), _Row().row()
'''


def test_a_modules_own_names_are_those_of_every_module():
    """Not those that mean more: an argument, a value of a class, what another module has."""
    common = pack.common_names([OWN])
    assert {"_first", "_theirs", "_thread", "_argument", "_size"} <= common
    source = pack.smaller(OWN, pack.Texts(), common)
    assert not [n for n in ("_HEAD", "_Row", "_second", "_bind", "_kept") if n in source]
    told = {}
    given = {"_theirs": "theirs", "_thread": None}
    for name, text in (("long", OWN), ("short", source)):
        lines = [line for line in text.splitlines() if "import" not in line]
        module = dict(given)
        exec("\n".join(lines), module)
        (row, *rest), (_, *others), values = module["make"]()
        told[name] = rest, others, values, module["third"], callable(row)
    assert told["short"] == told["long"]
    assert told["long"][0] == [("a", "theirs"), 4, 2, 3]
    assert told["long"][2] == (8, 7, None, None)


CLASS = "class A:\n    def f(self, other):\n        self._one = self._two = other._three\n"


def test_an_attribute_that_others_use_keeps_its_name():
    """Another module does, or it is an attribute of another object."""
    sources = [CLASS, "def g(a):\n    return a._two\n"]
    source = pack.smaller(CLASS, pack.Texts(), pack.common_names(sources))
    assert "self._0 = self._two = other._three" in source


def test_a_class_of_a_class_of_another_module_keeps_its_attributes():
    """The other's have short names too: both would be the same attribute of one object."""
    source = "from .a import A\nclass B(A):\n    def _own(self):\n        return 1\n"
    assert "_own" in pack.smaller(source, pack.Texts(), pack.common_names([source]))


def test_two_modules_share_their_names():
    sources = [f"_{word} = 'x'\ndef _{word}s():\n    return _{word}\n" for word in ("a", "b")]
    texts, common = pack.Texts(), pack.common_names(sources)
    assert len({pack.smaller(source, texts, common) for source in sources}) == 1


@pytest.mark.board
def test_what_opening_a_model_takes_is_dropped_and_comes_again(stock, repl):
    install(stock(UNIX))
    board = repl(UNIX)
    board.run(facts.script("check") + "\nimport sys")
    for _ in range(2):
        board.run(f"told = _learn({check.tiny_model()!r})")
        assert board.run("print('engram.nn.plan' in sys.modules, told[2])") == "False 1\n"


def test_no_module_keeps_what_lies_behind_it_in_the_heap():
    """Modules of up to 40 names and no objects: a fourth of the tables of names fill blocks."""
    cross, flags = make_files.mpy_cross(), []
    for count in range(40):
        source = "".join(f"name{i} = {i}\n" for i in range(count))
        flags.append(make_files.holds_next(make_files._cross(cross, source, "m")))
        assert not make_files.holds_next(make_files._compiled(cross, source, "m"))
    assert sum(flags) == 10
    assert not make_files.holds_next(make_files._cross(cross, "a = (1, 2.5)\n", "m"))

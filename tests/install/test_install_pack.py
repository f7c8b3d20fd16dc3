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
    tree = ast.parse(pack.smaller(SOURCE, pack.Texts()))
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
